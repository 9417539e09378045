"""tilewright brief KERNEL"""

from __future__ import annotations

from typing import Any

import click

from tilewright.cli.options import config_from, run_options
from tilewright.cli.showing import line

_LEAVE_OUT = ("kernel_file", "list_slow", "baselines", "generate", "optimize", "out")


@click.command("brief")
@click.argument("kernel")
@run_options(leave_out=_LEAVE_OUT)
def command(kernel: str, **values: Any) -> int:
    """Show what a language model would be sent about KERNEL in the first turn, to the letter.

    What depends on its own answers is named in parentheses. Nothing is sent. With --model none: what the built-in
    search knows, in short.
    """
    from tilewright.analysis.limit import share_reached
    from tilewright.config import instructions_of
    from tilewright.judge import brief
    from tilewright.report.briefing import brief_text

    config = config_from(values)
    config.kernel_file = kernel
    made = brief(config)
    if config.model == "none":
        line(brief_text(made, share_reached(made.parent, made.gpu)))
        return 0
    from tilewright.analysis.llm_rule import NOT_ASKED, messages_of
    from tilewright.proposers.llm import prompts_of, ranked

    own = instructions_of(config.program)
    read = messages_of(made, config.custom_analysis_prompt or "", own)
    findings = ranked(made.parent.findings, [NOT_ASKED])
    for name, messages in [("analyse", read), *prompts_of(made, findings, config.hypotheses, own)]:
        for message in messages:
            line(f"==== {name}: {message.role} ====\n\n{message.text}\n")
    return 0
