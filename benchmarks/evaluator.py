"""How good is the evaluator itself?

python -m benchmarks.evaluator OUT.jsonl same COUNT [KERNEL...]   kernels against themselves: none is faster
python -m benchmarks.evaluator OUT.jsonl padded COUNT        a kernel against itself with 2, 5 and 20 % more work
python -m benchmarks.evaluator OUT.jsonl throughput COUNT    settings of one kernel compiled, verified, timed
python -m benchmarks.evaluator OUT.jsonl verdicts KERNEL...  seconds for a full verdict, and for a confirmed one

`same` and `padded` go on until OUT has COUNT comparisons of this commit: in all, and for each amount of work.
"""

from __future__ import annotations

import random
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import rowfile
from tilewright import targets
from tilewright.config import resolve
from tilewright.errors import MachineryError
from tilewright.hardware import cores, load_gpu
from tilewright.judge import commit, config_for
from tilewright.kernelfile import load_kernel
from tilewright.problems import problem_for
from tilewright.protocols import Evaluator, Gate
from tilewright.records import Baseline, Candidate, Evaluation, Job, Measured, Problem
from tilewright.search.gating import through
from tilewright.source.feasibility import infeasible
from tilewright.source.knobs import find_knobs, with_values

HERE = Path(__file__).parent
SAME = ("1_23", "1_26", "1_40", "1_89", "2_10", "2_61", "1_3", "1_48", "1_88", "1_16")
"""Kernels of several kinds: reductions, elementwise, products, convolutions."""
MORE_WORK = (1.02, 1.05, 1.2)
_ROWS = 32800


@dataclass
class Bench:
    """The evaluator and gates that a run on this machine would use, and where rows go."""

    evaluator: Evaluator
    gates: Sequence[Gate]
    gpu: str
    out: Path

    def note(self, **row: Any) -> None:
        rowfile.append(self.out, {**row, "commit": commit()})

    def known(self, benchmark: str) -> list[rowfile.Row]:
        return rowfile.known(self.out, commit(), benchmark=benchmark)


def same(bench: Bench, count: int, names: Sequence[str] = ()) -> None:
    """Pairs a kernel with itself in another process, over and over."""
    kernels = [_corpus(name) for name in names or SAME]
    known = Counter(row["kernel"] for row in bench.known("same"))
    left = {problem.name: count // len(kernels) - known[problem.name] for _, problem in kernels}
    compiled(bench.gates, [kernel for kernel in kernels if left[kernel[1].name] > 0])
    jobs = [
        Job(candidate, problem, gpu=bench.gpu, baselines=(Baseline("itself", candidate),))
        for candidate, problem in kernels
        for _ in range(left[problem.name])
    ]
    for job, evaluation, after_s in _all(bench, jobs):
        bench.note(benchmark="same", kernel=job.problem.name, after_s=round(after_s, 1), **_compared(evaluation))


def padded(bench: Bench, count: int) -> None:
    """The padded kernel is the candidate, what is known is how much more it does."""
    plain, problem = _padded(0)
    known = Counter(row["work"] for row in bench.known("padded"))
    wanted = [ratio for ratio in MORE_WORK for _ in range(count - known[ratio])]
    random.Random(0).shuffle(wanted)
    compiled(bench.gates, [_padded(round((ratio - 1) * _ROWS)) for ratio in sorted(set(wanted))])
    jobs = [
        Job(_padded(round((ratio - 1) * _ROWS))[0], problem, gpu=bench.gpu, baselines=(Baseline("plain", plain),))
        for ratio in wanted
    ]
    for job, evaluation, _ in _all(bench, jobs):
        extra = int(job.candidate.source.split("EXTRA = ")[1].split()[0])
        bench.note(benchmark="padded", work=round(1 + extra / _ROWS, 2), **_compared(evaluation))


def throughput(bench: Bench, count: int) -> None:
    """From sources to verdicts, as a search takes its first looks: warm, and clearly slower ones are left early."""
    seed, problem = _corpus("1_1")
    settings = _settings(seed, count, bench.gpu)
    bench.evaluator.submit(Job(seed, problem, effort="quick", gpu=bench.gpu)).result()
    start, best = time.monotonic(), 0.0
    outcomes: dict[str, int] = {}

    def look(candidate: Candidate) -> Future[Evaluation] | Evaluation:
        verdict = through(bench.gates, candidate, problem)
        if verdict.failure:
            return verdict.failure
        job = Job(
            candidate, problem, verdict.evidence, effort="quick", gpu=bench.gpu, incumbent_ratio=best or None
        )  # fmt: skip
        return bench.evaluator.submit(job)

    with ThreadPoolExecutor(16) as pool:
        for answer in pool.map(look, settings):
            evaluation = answer.result() if isinstance(answer, Future) else answer
            name = evaluation.outcome
            if isinstance(evaluation, Measured):
                best = max(best, evaluation.measurement.low)
                name += ", stopped early" if evaluation.measurement.stopped_early else ""
            outcomes[name] = outcomes.get(name, 0) + 1
    seconds = time.monotonic() - start
    bench.note(
        benchmark="throughput", kernel=problem.name, evaluations=len(settings), seconds=round(seconds, 2),
        a_minute=round(60 * len(settings) / seconds, 1), outcomes=outcomes, gpu=bench.gpu, best=best,
    )  # fmt: skip


def verdicts(bench: Bench, names: Sequence[str]) -> None:
    """One at a time, compiled before, in an evaluator that has judged another candidate for the same problem."""
    for name in names:
        candidate, problem = _corpus(name)
        bench.evaluator.submit(Job(candidate, problem, effort="quick", gpu=bench.gpu)).result()
        for effort in ("full", "confirm"):
            start = time.monotonic()
            job = Job(candidate, problem, effort=effort, gpu=bench.gpu)
            evaluation = bench.evaluator.submit(job).result()
            seconds = round(time.monotonic() - start, 2)
            bench.note(benchmark="verdicts", kernel=name, effort=effort, seconds=seconds, **_compared(evaluation))


def compiled(gates: Sequence[Gate], kernels: Sequence[tuple[Candidate, Problem]]) -> None:
    """All side by side, before a GPU waits for one after another. Whoever judges them finds out what is wrong."""

    def compile_one(kernel: tuple[Candidate, Problem]) -> None:
        with suppress(MachineryError):
            through(gates, *kernel)

    with ThreadPoolExecutor(cores()) as pool:
        list(pool.map(compile_one, kernels))


def _all(bench: Bench, jobs: Sequence[Job]) -> Iterator[tuple[Job, Evaluation, float]]:
    start = time.monotonic()
    futures = {bench.evaluator.submit(job): job for job in jobs}
    for number, future in enumerate(as_completed(futures), 1):
        try:
            yield futures[future], future.result(), time.monotonic() - start
        except MachineryError as error:  # no row: the next call tries again
            print(f"{futures[future].problem.name}: not compared: {error}", flush=True)
        if number % 20 == 0:
            print(f"{number} of {len(jobs)} after {time.monotonic() - start:.0f} s", flush=True)


def _compared(evaluation: Evaluation) -> dict[str, Any]:
    if not isinstance(evaluation, Measured):
        return {"outcome": evaluation.outcome, "message": str(evaluation)[:300]}
    m = evaluation.measurement
    return {
        "ratio": m.speedup_ratio,
        "low": m.low,
        "high": m.high,
        "baseline": m.baseline,
        "trust": m.trust,
        "trust_notes": m.trust_notes,
        "checked_calls": m.checked_calls,
        "candidate_ms": m.timings[0].candidate_ms,
        "pairs": [[round(c, 5), round(b, 5)] for c, b in m.timings[0].pairs],
        "conditions": dict(m.conditions),
        "isolation": m.isolation,
        "gpu": m.device,
        "versions": dict(m.versions),
        "seeds": m.seeds,
    }


def _corpus(name: str) -> tuple[Candidate, Problem]:
    kernel = load_kernel(name)
    return kernel.candidate, problem_for(kernel)


def _padded(extra: int) -> tuple[Candidate, Problem]:
    source = (HERE / "padded" / "rows.py").read_text(encoding="utf-8").replace("EXTRA = 0", f"EXTRA = {extra}")
    reference = (HERE / "padded" / "reference.py").read_text(encoding="utf-8")
    return Candidate(source), Problem("Rows_scaled", reference)


def _settings(seed: Candidate, count: int, gpu: str) -> list[Candidate]:
    """So many settings of its knobs, drawn with a fixed seed, of those that a search would try on that GPU."""
    knobs = find_knobs(seed.source)
    chooser, found = random.Random(0), dict[str, Candidate]()
    while len(found) < count:
        values = {knob.name: chooser.choice(knob.choices) for knob in knobs}
        if infeasible(seed.source, values, load_gpu(gpu)) is None:
            source = with_values(seed.source, values)
            found[source] = Candidate(source)
    return list(found.values())


def main(out: Path, what: str, arguments: list[str]) -> None:
    target = targets.choose_target(resolve(config_for("2_10", "local")))
    out.parent.mkdir(parents=True, exist_ok=True)
    with targets.workers(target) as host, closing(targets.evaluator_for(target, host)) as evaluator:
        bench = Bench(evaluator, targets.gates_for(target, host), target.gpu, out)
        if what == "verdicts":
            verdicts(bench, arguments)
        elif what == "same":
            same(bench, int(arguments[0]), arguments[1:])
        else:
            {"padded": padded, "throughput": throughput}[what](bench, int(arguments[0]))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3:])
