"""What a report is made of: a run, what its store keeps beside it, and what the analysis says of it."""

from __future__ import annotations

import dataclasses
import json
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

from tilewright import __version__
from tilewright.analysis.limit import fields_of, limit, reached, share_reached
from tilewright.analysis.runfacts import with_runs
from tilewright.analysis.standing import standings
from tilewright.config import OptimizationConfig, arguments_of, from_pairs
from tilewright.errors import ConfigError
from tilewright.hardware import Gpu, load_gpu
from tilewright.lm import spent_on
from tilewright.records import Facts, Interaction, Run
from tilewright.report import html, markdown, record
from tilewright.report.file import write
from tilewright.report.page.known import Known, ModelUse, Place, Roof
from tilewright.scores import best

Format = Literal["html", "md", "json"]
FOLDER = "reports"
"""In the folder of results: one page a run."""
_NOT_OF_THE_RUN = ("kernel_file", "generate", "list_slow", "threshold", "quiet", "verbose", "results")


def write_report(
    run: Run, interactions: Sequence[Interaction], results: Path, out: Path | None = None, format: Format = "html"
) -> Path:
    """To `out`, else to `results`/reports; a file that is there is replaced. `StoreError` where that fails."""
    path = out or page_of(run.id, results).with_suffix(f".{format}")
    write(path, report(run, interactions, format), f"tilewright report {run.id} --out FILE")
    return path


def page_of(run_id: str, results: Path) -> Path:
    """Where the page of a run lies."""
    return results / FOLDER / f"{run_id}.html"


def report(run: Run, interactions: Sequence[Interaction], format: Format = "html") -> str:
    """A run for people (a page, Markdown) or for programs."""
    known = known_of(run, interactions)
    if format == "html":
        return html.page(run, known)
    if format == "md":
        return markdown.text(run, known)
    return json.dumps(record.fields(run, known, fields_of), ensure_ascii=False, allow_nan=False, indent=1)


def known_of(run: Run, interactions: Sequence[Interaction] = ()) -> Known:
    """What is known beside the attempts; without the limit and where time goes if nothing is known of the GPU."""
    shared = Known(
        version=__version__,
        models=tuple(_models(interactions)),
        reproduce=tuple(_commands(run)),
        unchecked=tuple(_unchecked(run)),
    )
    try:
        gpu = load_gpu(run.gpu)
    except ConfigError:
        return shared
    holder = best(run)
    ends = [*run.attempts[:1], *([holder] if holder else [])]
    return dataclasses.replace(
        shared,
        roofs=tuple(_roofs(run, gpu)),
        places=tuple(_places(run, gpu)),
        standings={one.index: standings(with_runs(one.evidence, one.evaluation), run.problem, gpu) for one in ends},
        share_reached={one.index: share for one in ends if (share := share_reached(one, run.gpu)) is not None},
    )


def _roofs(run: Run, gpu: Gpu) -> Iterator[Roof]:
    """One a workload, from the first attempt that has its facts: all have the same inputs and outputs."""
    facts: dict[str, Facts] = {}
    for attempt in run.attempts:
        for one in attempt.evidence.facts:
            facts.setdefault(one.workload, one)
    for workload, one in facts.items():
        floor = limit(one, gpu)
        yield Roof(
            workload=workload,
            needed_bytes=floor.bytes,
            flops=floor.flops,
            bytes_per_s=_rate(floor.bytes, floor.memory_ms),
            flops_per_s=_rate(floor.flops, floor.compute_ms),
            floor_ms=floor.floor_ms,
            bound_by=floor.bound_by,
            rates=floor.notes,
        )


def _rate(amount: float | None, ms: float | None) -> float | None:
    return amount / ms * 1e3 if amount and ms else None


def _places(run: Run, gpu: Gpu) -> Iterator[Place]:
    for attempt in run.attempts:
        for row in reached(attempt.evidence, attempt.evaluation, gpu):
            yield Place(attempt.index, row.workload, row.candidate_ms, row.written.bytes, row.estimated)


def _models(interactions: Sequence[Interaction]) -> Iterator[ModelUse]:
    for model in dict.fromkeys(one.model for one in interactions):
        asked = [one for one in interactions if one.model == model]
        spent = spent_on(asked)
        yield ModelUse(model, len(asked), spent.tokens, None if spent.unpriced and not spent.usd else spent.usd)


def _commands(run: Run) -> Iterator[str]:
    """What began the run, with the options that somebody set, and what repeats the verdict on its best."""
    config = from_pairs(run.settings, OptimizationConfig())
    verb = "generate" if config.generate else "optimize"
    options = arguments_of(config, leave_out=_NOT_OF_THE_RUN)
    yield shlex.join(["tilewright", verb, config.kernel_file or run.kernel_path, *options])
    holder = best(run)
    if holder is not None:
        yield shlex.join(["tilewright", "recheck", f"{run.id}/{holder.index}"])


def _unchecked(run: Run) -> Iterator[str]:
    names = ", ".join(workload.name for workload in run.problem.workloads)
    yield f"Other sizes than those of the problem's workloads ({names})."
    if not from_pairs(run.settings, OptimizationConfig()).backward:
        yield "Gradients."
    yield f"Other GPUs than {run.gpu}."
