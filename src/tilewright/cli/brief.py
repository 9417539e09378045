"""tilewright brief KERNEL"""

from __future__ import annotations

from typing import Any

import click

from tilewright.cli.options import config_from, run_options
from tilewright.cli.showing import line


@click.command("brief")
@click.argument("kernel")
@run_options(leave_out=("kernel_file", "list_slow", "model", "baselines"))
def command(kernel: str, **values: Any) -> int:
    """Show what a proposer is told about KERNEL: what holds it back, its knobs, what was tried."""
    from tilewright.judge import brief

    config = config_from(values)
    config.kernel_file = kernel
    config.model = "none"
    line(brief(config))
    return 0
