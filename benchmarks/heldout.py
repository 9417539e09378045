"""What does the search make of slow kernels that nobody had in mind? `--model none` on those of benchmarks/heldout.

python -m benchmarks.heldout [OUT.jsonl] [--seconds S] [--wall W] [--kernels 1_19,...] [--jobs N]

Kernels share the GPUs, N at a time; each may take W seconds of wall time, so that it never holds a GPU for longer. A
row for each kernel as its run ends; what OUT holds for this GPU is not done again, and no run is begun for whose W
seconds S leaves no room.
"""

from __future__ import annotations

import argparse
import copy
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

from benchmarks import rowfile
from tilewright import jsonform, targets, wiring
from tilewright.analysis.limit import share_reached
from tilewright.config import OptimizationConfig, resolve
from tilewright.errors import TilewrightError
from tilewright.hardware import known_as
from tilewright.judge import commit
from tilewright.proposers.rewrites import RewriteProposer
from tilewright.rag.operations import main_family
from tilewright.records import Attempt, Candidate, Run
from tilewright.scores import best, gain, keep, score

HELDOUT = Path(__file__).resolve().parent / "heldout"
OUTPUT = Path(__file__).resolve().parent / "results" / "heldout.jsonl"
JOBS_PER_GPU = 2
"""While one run has a candidate timed, another one has its next compiled."""
WALL_S = 300.0


def main(out: Path, kernels: Sequence[str], seconds: float, wall_s: float, jobs: int | None, evaluator: str) -> None:
    until = time.monotonic() + seconds
    paths = [path for path in sorted(HELDOUT.glob("kernels/level*/*.py")) if not kernels or path.stem in kernels]
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as results, closing(targets.SharedWorkers()) as shared:
        base = _options(evaluator, wall_s, results)
        target = targets.choose_target(resolve(_of(base, paths[0])))
        gpus = max(1, len(target.devices))
        jobs = jobs or JOBS_PER_GPU * gpus
        done = {row["kernel"] for row in rowfile.stored(out) if (row["gpu"], row["judged"]) == _where(target)}
        wanted = [path for path in paths if path.stem not in done]
        print(f"{len(wanted)} of {len(paths)} kernels for {target.gpu}, {jobs} at a time", flush=True)
        about = {"jobs": jobs, "gpus": gpus, "wall_s": wall_s, "commit": commit()}

        def work(path: Path) -> None:
            if time.monotonic() + wall_s > until:
                print(f"{path.stem}: no time left; the same command goes on where it stopped", flush=True)
                return
            clock = Clock()
            try:
                outcome = wiring.main(_of(base, path), clock, shared)
            except TilewrightError as error:  # no row: the next call tries again
                print(f"{path.stem}: {error}", flush=True)
                return
            row = {"kernel": path.stem, **of_run(outcome, clock.tried_s), **about}
            rowfile.append(out, row)
            print(f"{path.stem}: {row['stop_reason']}, {row['gain']}x in {row['seconds']} s", flush=True)

        with ThreadPoolExecutor(jobs) as pool:
            list(pool.map(work, wanted))


class Clock:
    """Notes when each attempt of a run was over, in seconds from its own making."""

    def __init__(self) -> None:
        self.tried_s: list[float] = []
        self._began = time.monotonic()

    def started(self, run: Run) -> None: ...

    def trying(self, candidate: Candidate, phase: str, turn: int) -> None: ...

    def tried(self, run: Run, attempt: Attempt) -> None:
        self.tried_s.append(round(time.monotonic() - self._began, 2))

    def note(self, message: str) -> None: ...

    def stopped(self, run: Run) -> None: ...


def of_run(outcome: wiring.Outcome, tried_s: Sequence[float]) -> dict[str, Any]:
    """A run as a row; `tried_s` is when each of its attempts was over."""
    run = outcome.run
    holder = best(run) or run.attempts[0]
    gained = gain(run)
    kept = [attempt.index for attempt in run.attempts if attempt.index and keep(run, attempt)]
    fired = Counter(name for attempt in run.attempts for name in _rewrites(attempt.candidate))
    with known_as(outcome.gpu):
        share = share_reached(holder, run.gpu)
    return {
        "problem": run.problem.name,
        "family": main_family(run.problem.source, run.problem.entry_point),
        "gpu": run.gpu,
        "judged": run.evaluator,
        "stop_reason": run.stop_reason,
        "stop_detail": run.stop_detail,
        "seconds": round(run.seconds, 1),
        "gpu_seconds": round(sum(attempt.cost.gpu_seconds for attempt in run.attempts), 3),
        "evaluations": len(run.attempts),
        "gain": round(gained[2], 4) if gained else None,
        "first_improvement_s": tried_s[kept[0]] if kept else None,
        "limit_share": share and round(share, 4),
        "rewrites_tried": dict(fired),
        "rewrites_in_best": sorted({name for one in _lineage(run, holder) for name in _rewrites(one.candidate)}),
        "findings": [[finding.rule, round(finding.saves, 3)] for finding in holder.findings[:3]],
        "seed": _part(run.attempts[0]),
        "best": {**_part(holder), "hypothesis": holder.candidate.hypothesis, "source": holder.candidate.source},
        "tried": [
            {**_summary(attempt), "at_s": at_s, "kept": attempt.index in kept}
            for attempt, at_s in zip(run.attempts, tried_s)
        ],
    }


def _options(evaluator: str, wall_s: float, results: str) -> OptimizationConfig:
    """A run's own defaults but for its budget."""
    config = OptimizationConfig()
    config.model, config.evaluator = "none", evaluator
    config.problems = str(HELDOUT / "problems")
    config.max_wall, config.max_gpu_seconds = wall_s, WALL_S
    config.no_save, config.results = True, results
    return config


def _of(base: OptimizationConfig, path: Path) -> OptimizationConfig:
    config = copy.deepcopy(base)
    config.kernel_file = str(path)
    return config


def _where(target: targets.Target) -> tuple[str, str]:
    return target.gpu, target.evaluator


def _rewrites(candidate: Candidate) -> tuple[str, ...]:
    """The names before the colon: "block_per_row + cache_kernels: ..."."""
    named = candidate.hypothesis.partition(": ")[0] if candidate.proposer == RewriteProposer.name else ""
    return tuple(named.split(" + ")) if named else ()


def _lineage(run: Run, attempt: Attempt) -> Iterator[Attempt]:
    """The attempt, the structure whose knobs it sets, and what that grew from, back to the seed."""
    by_id = {one.candidate.id: one for one in run.attempts}
    at: Attempt | None = attempt
    while at is not None:
        yield at
        structure = at.candidate.structure_id
        at = by_id.get(structure if structure != at.candidate.id else at.candidate.parent or "")


def _part(attempt: Attempt) -> dict[str, Any]:
    return {"candidate": attempt.candidate.id, "evaluation": jsonform.to_plain(attempt.evaluation)}


def _summary(attempt: Attempt) -> dict[str, Any]:
    value = score(attempt.evaluation)
    return {
        "phase": attempt.phase,
        "turn": attempt.turn,
        "hypothesis": attempt.candidate.hypothesis,
        "outcome": attempt.evaluation.outcome if attempt.evaluation else "abandoned",
        "score": value and round(value.value, 5),
        "error": attempt.error,
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", nargs="?", type=Path, default=OUTPUT)
    parser.add_argument("--seconds", type=float, default=float("inf"), help="of this command, about")
    parser.add_argument("--wall", type=float, default=WALL_S, help="seconds of one kernel's run")
    parser.add_argument("--kernels", default="", help="with commas; all by default")
    parser.add_argument("--jobs", type=int, help=f"kernels at a time; {JOBS_PER_GPU} a GPU by default")
    parser.add_argument("--evaluator", choices=("local", "offline"), default="local", help="offline: estimates alone")
    given = parser.parse_args()
    chosen = given.kernels.split(",") if given.kernels else []
    main(given.out, chosen, given.seconds, given.wall, given.jobs, given.evaluator)
