"""tilewright check KERNEL..."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import click

from tilewright.cli.options import task_options
from tilewright.cli.showing import line
from tilewright.config import GPU_HELP

if TYPE_CHECKING:
    from tilewright.report.checked import Checked

FORMATS = ("text", "json", "junit", "github", "sarif")


@click.command("check")
@click.argument("kernels", nargs=-1, required=True)
@task_options
@click.option("--gpu", default="H100", show_default=True, help=GPU_HELP)
@click.option("--budget", default=60.0, show_default=True, help="Seconds of execution on the CPU per kernel.")
@click.option(
    "--format",
    "form",
    type=click.Choice(FORMATS),
    default="text",
    show_default=True,
    help="json: one object a kernel, one a line. junit, sarif: one document. github: annotations.",
)
@click.option("--json", "form", flag_value="json", help="The same as --format json.")
@click.option("--fail-on", type=click.Choice(["rejected"]), help="Exit with 3 when a kernel is rejected.")
def command(kernels: tuple[str, ...], form: str, fail_on: str | None, **values: Any) -> int:
    """Look for mistakes in KERNELS without a GPU: rules, compiler, and execution on the CPU."""
    from tilewright.judge import check

    rejected = _show(check(kernels, **values), form)
    return 3 if rejected and fail_on else 0


def _show(answers: Iterable[Checked], form: str) -> int:
    """Prints each answer as soon as it is there, unless it is part of one document; how many were rejected."""
    from tilewright.report import checked, github, junit, sarif

    documents = {"junit": junit.document, "sarif": sarif.document}
    kernels = []
    for answer in answers:
        kernels.append(answer)
        if form == "text":
            line(checked.text(answer))
        elif form == "json":
            line(json.dumps(checked.fields(answer)))
        elif form == "github":
            line(github.commands(answer))
    if form in documents:
        line(documents[form](kernels))
    return sum(one.rejected for one in kernels)
