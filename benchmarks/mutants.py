"""Puts bugs into the shipped kernels and sees who notices: python -m benchmarks.mutants OUT.jsonl [--device cpu]

A fixed choice of mutants, balanced over bug classes and kernels, is judged: on a GPU as `tilewright evaluate` does
(static rules, the compiler, the verifier), with `--device cpu` as `tilewright check` does (the interpreter in the
verifier's place). What isn't rejected must be equivalent: by equal generated code, or by a proof in
mutants_equivalent.toml. The kernels as they are go the same way first, and none of them may be rejected. Started
again it goes on with what OUT has no row for; rows of other commits or devices are dropped from it.
"""

from __future__ import annotations

import argparse
import functools
import sys
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import rowfile
from tilewright import targets
from tilewright.channel import WorkerHost
from tilewright.config import resolve
from tilewright.errors import TilewrightError
from tilewright.judge import commit, config_for
from tilewright.kernelfile import KernelFile, corpus_root, load_kernel
from tilewright.mutants import Mutant, mutants
from tilewright.problems import problem_for
from tilewright.protocols import Evaluator, Gate
from tilewright.records import Candidate, Evaluation, Evidence, Job, Measured, Problem, content_id
from tilewright.report import words
from tilewright.search.gating import through
from tilewright.source.equality import equal_work

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

PROOFS = Path(__file__).resolve().parent / "mutants_equivalent.toml"
COUNT = 250
SEED = 3
DEADLINE_S = 60.0
REJECTED = ("rejected", "compile_failed", "wrong", "crashed", "timed_out")
SELDOM = ("floor for ceiling", "guard dropped", "guard includes the border")
"""Without effect where sizes are multiples of the tiles, as most are here: every third time only."""
IDENTICAL = "identical generated code"
UNDECIDED = ("abandoned", "not_checked", "unscorable")


@dataclass(frozen=True)
class Case:
    """A mutant of a shipped kernel, as a candidate."""

    kernel: KernelFile
    problem: Problem
    mutant: Mutant
    candidate: Candidate


def main(out: Path, device: str, count: int, kernels: Sequence[str], jobs: int) -> int:
    possible = every_mutant(kernels)
    cases = [*unchanged(possible), *chosen(possible, count)]
    with Jury(device, jobs) as jury, ThreadPoolExecutor(jobs) as pool:
        rows = {_key(row): row for row in rowfile.begun(out, jury.where["commit"], where=jury.where["where"])}
        rows = {key: rows[key] for key in map(_of_case, cases) if key in rows}
        left = [case for case in cases if _of_case(case) not in rows]
        futures = [pool.submit(jury.row, case) for case in left]
        for number, future in enumerate(as_completed(futures), start=len(rows) + 1):
            row = future.result()
            rowfile.append(out, row)
            rows[_key(row)] = row
            what = f"{row['kernel']} line {row['line']}, {row['bug']}: {row['description']}"
            print(f"{number}/{len(cases)} {row['verdict']} ({row['seconds']:.1f} s) {what[:140]}", flush=True)
            if row["verdict"] != ("rejected" if row["bug"] != "none" else "equivalent"):
                print(f"    {row['outcome']}: {row['message']} {row['why']}", flush=True)
    tally = Counter(("" if row["bug"] != "none" else "unchanged ") + row["verdict"] for row in rows.values())
    print(", ".join(f"{count} {verdict}" for verdict, count in tally.most_common()))
    return 1 if tally.keys() & {"survived", *UNDECIDED, "unchanged rejected"} else 0


def every_mutant(kernels: Sequence[str] = ()) -> list[Case]:
    """All mutants of the shipped kernels, or of those named, by kernel; twins for large sizes are left out."""
    paths = sorted(path for path in corpus_root().glob("level*/*.py") if path.stem.count("_") == 1)
    cases = []
    for path in paths:
        if not kernels or path.stem in kernels:
            kernel = load_kernel(str(path))
            problem = problem_for(kernel)
            for mutant in mutants(kernel.candidate.source):
                candidate = Candidate(mutant.source, parent=kernel.candidate.id, proposer="mutants")
                cases.append(Case(kernel, problem, mutant, candidate))
    return cases


def unchanged(cases: Sequence[Case]) -> list[Case]:
    """The kernels without a bug."""
    kernels = {case.kernel.path: case for case in cases}.values()
    return [Case(c.kernel, c.problem, _none(c.kernel), c.kernel.candidate) for c in kernels]


def chosen(cases: Sequence[Case], count: int, seed: int = SEED) -> list[Case]:
    """A mutant of each class in turn, each time of the kernel that was chosen least so far; the rest is by lot.

    The lot is drawn from a mutant's content, so that another kernel or class changes few of the choices.
    """
    waiting: dict[str, list[Case]] = {}
    for case in sorted(cases, key=lambda case: content_id(seed, case.candidate.id)):
        waiting.setdefault(case.mutant.bug, []).append(case)
    picked: list[Case] = []
    taken: Counter[Path] = Counter()
    turn = 0
    while len(picked) < count and waiting:
        for bug in sorted(waiting.keys() - (SELDOM if turn % 3 else ())):
            case = min(waiting[bug], key=lambda case: taken[case.kernel.path])
            waiting[bug].remove(case)
            picked.append(case)
            taken[case.kernel.path] += 1
        waiting = {bug: left for bug, left in waiting.items() if left}
        turn += 1
    return picked[:count]


def _key(row: rowfile.Row) -> tuple[str, str]:
    return row["kernel"], row["candidate"]


def _of_case(case: Case) -> tuple[str, str]:
    return case.kernel.path.name, case.candidate.id


def _none(kernel: KernelFile) -> Mutant:
    return Mutant("none", "the kernel as it is", 1, kernel.candidate.source)


class Jury:
    """Judges mutants, several at a time, in the worker processes of one host."""

    def __init__(self, device: str, jobs: int) -> None:
        evaluator = "offline" if device == "cpu" else "local"
        target = targets.choose_target(resolve(config_for("1_1", evaluator)))
        self._host = WorkerHost("cpu" if device == "cpu" else "cuda", target.gpu, jobs)
        self._open = ExitStack()
        self._open.callback(self._host.close)
        self._gates: Sequence[Gate] = targets.gates_for(target, self._host, DEADLINE_S)
        self._evaluator: Evaluator | None = None
        if device != "cpu":
            self._evaluator = self._open.enter_context(closing(targets.evaluator_for(target, self._host)))
        self._last_gates = targets.last_gates_for(target, self._host)
        self._gpu = target.gpu
        self.where: dict[str, Any] = {}
        """On what, by which versions; known once its processes are there."""
        self._proofs: dict[str, str] = tomllib.loads(PROOFS.read_text(encoding="utf-8"))
        self._compiled = functools.lru_cache(None)(self._compile)

    def __enter__(self) -> Jury:
        found = self._host.call("describe", {}, DEADLINE_S).result()
        self.where = {
            "where": found["device"] or "CPU interpreter",
            "versions": found["versions"],
            "commit": commit(),
        }
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def row(self, case: Case) -> dict[str, Any]:
        clock = time.monotonic()
        why = ""
        try:
            evidence, outcome, message = self._judged(case)
            if outcome not in REJECTED:
                why = self._proofs.get(case.candidate.id, "") or self._same_code(case, evidence)
        except TilewrightError as error:  # the machinery's failure: said, and no verdict
            outcome, message = "abandoned", str(error)
        if outcome in REJECTED:
            verdict = "rejected"
        else:
            verdict = "equivalent" if why else outcome if outcome in UNDECIDED else "survived"
        return {
            "kernel": case.kernel.path.name,
            "bug": case.mutant.bug,
            "description": case.mutant.description,
            "line": case.mutant.line + case.kernel.line_offset,
            "candidate": case.candidate.id,
            "verdict": verdict,
            "why": why,
            "outcome": outcome,
            "message": message[:300],
            "seconds": round(time.monotonic() - clock, 2),
            **self.where,
        }

    def _judged(self, case: Case) -> tuple[Evidence, str, str]:
        verdict = through(self._gates, case.candidate, case.problem)
        evaluation: Evaluation | None = verdict.failure
        if evaluation is None and self._evaluator is not None:
            job = Job(
                case.candidate, case.problem, verdict.evidence, effort="quick", gpu=self._gpu, deadline_s=DEADLINE_S
            )
            evaluation = self._evaluator.submit(job).result()
            if isinstance(evaluation, Measured):  # as one that might be the best
                evaluation = through(self._last_gates, case.candidate, case.problem).failure or evaluation
        if evaluation is not None:
            return verdict.evidence, evaluation.outcome, words.outcome(evaluation)
        execution = verdict.evidence.execution
        skipped = (*verdict.evidence.not_checked, *(execution.not_checked if execution else ()))
        return verdict.evidence, "not_checked" if skipped else "passed", "; ".join(skipped)

    def _same_code(self, case: Case, evidence: Evidence) -> str:
        original = case.kernel.candidate
        found = self._compiled(original, case.problem)
        equal = equal_work(case.problem, original, found, case.candidate, evidence)
        return IDENTICAL if equal else ""

    def _compile(self, candidate: Candidate, problem: Problem) -> Evidence:
        return through(self._gates[:2], candidate, problem).evidence


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    parser.add_argument("--count", type=int, default=COUNT)
    parser.add_argument("--kernels", default="", help="such as 1_38,2_12; all where it isn't given")
    parser.add_argument("--jobs", type=int, default=16, help="mutants judged at a time")
    given = parser.parse_args()
    named = [name for name in given.kernels.split(",") if name]
    sys.exit(main(given.out, given.device, given.count, named, given.jobs))
