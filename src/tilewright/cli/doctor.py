"""tilewright doctor"""

from __future__ import annotations

import click

from tilewright.cli.showing import line


@click.command("doctor")
def command() -> int:
    """Say what this machine can do, and the exact command for what is missing."""
    from tilewright.doctor import examine

    for item in examine():
        mark = "ok" if item.works else "--"
        line(f"{mark:>4} {item.name:<12} {item.detail}" + (f"\n{'':17} {item.fix}" if item.fix else ""))
    return 0
