"""tilewright recheck EVALUATION"""

from __future__ import annotations

import json
from pathlib import Path

import click

from tilewright.cli.showing import line
from tilewright.config import RESULTS_HELP


@click.command("recheck")
@click.argument("evaluation")
@click.option("--results", type=click.Path(path_type=Path), default="results", show_default=True, help=RESULTS_HELP)
@click.option("--json", "as_json", is_flag=True, help="Print the answer as one JSON object.")
def command(evaluation: str, results: Path, as_json: bool) -> int:
    """Repeat the verdict of EVALUATION with the same draws: the id that `evaluate` printed, or RUN/INDEX for an
    attempt of a run.

    Exits with 0 when it is the same, with 3 when it is not, with 2 when it can't be repeated on this machine.
    """
    from tilewright.recheck import recheck, record
    from tilewright.report import words

    answer = recheck(evaluation, results)
    if as_json:
        line(json.dumps(record(answer)))
    else:
        verdict = {True: "the same", False: "different", None: "not repeated"}[answer.same]
        line(f"{answer.before.kernel_path}: {verdict}: {answer.why}")
        line(f"  then ({answer.before.when}): {words.outcome(answer.before.evaluation)}")
        line(f"  now: {words.outcome(answer.after.evaluation)}")
        for note in answer.notes:
            line(f"  {note}")
    return {True: 0, False: 3, None: 2}[answer.same]
