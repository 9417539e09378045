"""tilewright regress DIR"""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tilewright.cli.options import task_options
from tilewright.cli.showing import line
from tilewright.config import GPU_HELP, RESULTS_HELP, RUN_EVALUATORS
from tilewright.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tilewright.report.regressed import Regressed


@click.command("regress")
@click.argument("kernels", metavar="DIR...", nargs=-1, required=True)
@click.option(
    "--baseline",
    "baselines",
    metavar="RUN",
    multiple=True,
    help="Compare with what RUN measured (an id, a unique prefix, a kernel's path, `last`; may be repeated), or "
    "`store`: with the newest measurement of each kernel there; else with the results in the kernels' headers.",
)
@click.option("--margin", default=0.05, show_default=True, help="Share by which the intervals must lie apart.")
@partial(task_options, precision_help="Dtype of the task, where a kernel's header names none.")
@click.option(
    "--evaluator",
    type=click.Choice([*RUN_EVALUATORS, "replay"]),
    default="auto",
    show_default=True,
    help="Where kernels are measured again. offline: what no longer compiles or is wrong, without times. replay: "
    "nothing is run, the newest measurement in the store is what is compared.",
)
@click.option("--gpu", help=f"Where there is none to measure on: {GPU_HELP}")
@click.option("--modal-containers", default=1, show_default=True, help="With --evaluator modal: containers at most.")
@click.option("--ray-address", help="With --evaluator ray: a cluster's address; else one here.")
@click.option("--ray-workers", type=int, help="With --evaluator ray: GPUs at most; all that there are by default.")
@click.option("--results", type=click.Path(path_type=Path), default="results", show_default=True, help=RESULTS_HELP)
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "junit"]),
    default="text",
    show_default=True,
    help="json: one object a kernel, one a line. junit: one document.",
)
@click.option("--json", "form", flag_value="json", help="The same as --format json.")
@click.option("--fail-on", type=click.Choice(["regression"]), help="Exit with 3 when a kernel is slower or broken.")
def command(
    kernels: tuple[str, ...],
    evaluator: str,
    gpu: str | None,
    modal_containers: int,
    ray_address: str | None,
    ray_workers: int | None,
    results: Path,
    form: str,
    fail_on: str | None,
    **values: Any,
) -> int:
    """Measure kernels again and say which became slower or wrong: after an update, on another GPU, in CI.

    DIR is a folder of kernels, or one kernel: PATH, or PATH:FUNCTION.

    Exits with 3 where --fail-on regression finds one, else with 1 where a kernel's measurement failed.
    """
    from tilewright.judge import config_for
    from tilewright.regressing import regress

    config = config_for(kernels[0], evaluator, gpu)
    config.results, config.modal_containers = str(results), modal_containers
    config.ray_address, config.ray_workers = ray_address, ray_workers
    rows = _show(regress(kernels, config, **values), form, values["margin"])
    if all(row.verdict == "not_compared" for row in rows):
        raise UsageError("Nothing was compared: what is said of each kernel is above.")
    if fail_on and any(row.regression for row in rows):
        return 3
    return 1 if any(row.verdict == "abandoned" for row in rows) else 0


def _show(answers: Iterable[Regressed], form: str, margin: float) -> list[Regressed]:
    """Prints each answer as soon as it is there, unless it is part of one document."""
    from tilewright.report import regressed

    rows: list[Regressed] = []
    for row in answers:
        if form == "json":
            line(json.dumps(regressed.fields(row)))
        elif form == "text":
            if not rows:
                line(regressed.heading())
            line(regressed.text(row))
        rows.append(row)
    if form == "junit":
        line(regressed.junit_document(rows))
    elif form == "text":
        for words in regressed.summary(rows, margin):
            line(words)
    return rows
