"""Which kernels there are to learn from: a folder's, and those that runs made faster."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from tilewright.errors import KernelNotFound, ProblemError
from tilewright.header import base_stem, read_header, read_stats, without_result
from tilewright.kernelfile import corpus_root, numbers_in_name
from tilewright.problems import find_reference, load_problem
from tilewright.records import Before, Measured, Problem, Run
from tilewright.scores import Versus, gain, over


@dataclass(frozen=True)
class Entry:
    """A kernel and what it answers. The problem's source is empty where no reference was found.

    `speedup_ratio` is over PyTorch eager, measured on `gpu`; None where it was not measured.
    """

    path: str
    problem: Problem
    source: str
    speedup_ratio: float | None = None
    gpu: str = ""
    before: Before | None = None


def read_corpus(folder: Path | None = None, problems: Path | None = None) -> list[Entry]:
    """The TileLang kernels under `folder` (the shipped ones by default), in the order of their paths.

    `problems` holds their references (the shipped ones by default). An optimised file whose origin lies beside it
    carries that as its before. Raises `KernelNotFound` where there is no such folder.
    """
    root = folder or corpus_root()
    if not root.is_dir():
        raise KernelNotFound(f"Could not find kernel folder {str(root)!r}. Give one: --corpus DIR")
    paths = [path for path in sorted(root.rglob("*.py")) if not path.name.startswith(("_", "."))]
    read = {path: _read(path, problems) for path in paths}
    entries = {path: entry for path, entry in read.items() if "tilelang" in entry.source}
    return [_with_before(entry, entries.get(_origin(path))) for path, entry in entries.items()]


def improved_in(runs: Iterable[Run]) -> list[Entry]:
    """Of each run that measured a gain: the best kernel, and the one that it began with as its before."""
    entries = []
    for run in runs:
        gained = gain(run)
        if gained is None or gained[0].index == gained[1].index or gained[2] <= 1:
            continue
        seed, best, _ = gained
        if not isinstance(best.evaluation, Measured) or not isinstance(seed.evaluation, Measured):
            continue
        entries.append(
            Entry(
                path=f"{run.id}/{best.index}",
                problem=run.problem,
                source=best.candidate.source,
                speedup_ratio=_ratio(over(best.evaluation.measurement, "eager")),
                gpu=run.gpu,
                before=Before(seed.candidate.source, _ratio(over(seed.evaluation.measurement, "eager"))),
            )
        )
    return entries


def _read(path: Path, problems: Path | None) -> Entry:
    text = path.read_text(encoding="utf-8", errors="replace")
    header = read_header(text, path.stem)
    level, number = numbers_in_name(path)
    problem = Problem(header.problem or path.stem, "", level, number)
    if level is not None and number is not None:
        try:
            named = (header.workload,) if header.workload else ()
            problem = load_problem(find_reference(level, number, problems), workloads=named)
        except ProblemError:  # the kernel's own source has to do
            pass
    gpu = str(read_stats(text).get("gpu", ""))
    return Entry(str(path), problem, without_result(text)[0], header.speedup_ratio, gpu)


def _origin(path: Path) -> Path:
    return path.with_name(base_stem(path.stem) + ".py")


def _with_before(entry: Entry, origin: Entry | None) -> Entry:
    if origin is None or origin.path == entry.path:
        return entry
    return replace(entry, before=Before(origin.source, origin.speedup_ratio))


def _ratio(versus: Versus | None) -> float | None:
    return versus.ratio if versus else None
