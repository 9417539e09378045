"""Does the knob search find in 24 settings what the full grid finds? Beside TileLang's autotuner, over one space.

python -m benchmarks.tuning [OUT.jsonl] [--seconds S] [--kernels product,softmax,...]

For each kernel of benchmarks/tuning, whose TUNABLES are the space, in this order: `tilewright tune` from warm
processes and empty caches; `benchmarks.autotuner`; every feasible setting through gates and evaluator, with effort
quick and nothing left early; then all winners, and the grid's three best, interleaved in one measurement of effort
full. Rows come as they are known, what OUT holds for this GPU is not done again, and the command ends after about S
seconds, with no part begun that is likely to be cut off.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import closing
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks import rowfile
from benchmarks.heldout import Clock
from tilewright import targets, wiring
from tilewright.config import OptimizationConfig, resolve
from tilewright.errors import MachineryError
from tilewright.hardware import Gpu, cores
from tilewright.judge import commit
from tilewright.kernelfile import load_kernel
from tilewright.problems import load_problem, problem_for
from tilewright.protocols import Evaluator, Gate
from tilewright.records import (
    Attempt,
    Baseline,
    Candidate,
    Evaluation,
    Job,
    KnobValue,
    Measured,
    Measurement,
    Precision,
    Problem,
    Run,
)
from tilewright.report import words
from tilewright.scores import best
from tilewright.search.gating import through
from tilewright.source.feasibility import infeasible
from tilewright.source.knobs import find_knobs, values_of, with_values
from tilewright.targets import SharedWorkers

HERE = Path(__file__).resolve().parent
FOLDER = HERE / "tuning"
OUTPUT = HERE / "results" / "tuning.jsonl"
KERNELS: dict[str, Precision] = {
    "product": "bf16",
    "convolution": "fp16",
    "softmax": "fp16",
    "attention": "fp16",
    "dequantised": "fp16",
}
CONFIGURATIONS = 24
"""Measured by the search at most, its start among them."""
WALL_S = 30.0
FINALISTS = 3
"""Of the grid: of a hundred quick looks the best one is also a lucky one."""
_WARM_UP = "1_25"
_TAKES_S = {"tuned": 60.0, "autotuned": 180.0, "grid": 30.0, "final": 90.0}
"""What a part may take until its first row: begun where so much time is left."""
_DEADLINE_S = 120.0

Values = dict[str, KnobValue]
Row = dict[str, Any]


@dataclass(frozen=True)
class Task:
    """A kernel, what it answers, and the settings of its own that are feasible on the GPU."""

    name: str
    kernel: Path
    reference: Path
    candidate: Candidate
    problem: Problem
    space: tuple[Values, ...]

    def at(self, values: Values) -> Candidate:
        return replace(self.candidate, source=with_values(self.candidate.source, values))


def main(out: Path, kernels: Sequence[str], seconds: float) -> None:
    until = time.monotonic() + seconds
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, closing(SharedWorkers()) as shared:
        target = targets.choose_target(resolve(_options(kernels[0], "local", folder)))
        gpu = targets.gpu_of(target, shared.host(target))
        about = {
            "gpu": gpu.name,
            "gpus": len(target.devices),
            "cores": cores(),
            "versions": {name: version(name) for name in ("tilelang", "torch")},
            "commit": commit(),
        }
        for name in kernels:
            known = rowfile.alike(out, kernel=name, gpu=gpu.name)
            print(f"{name}: {len(known)} rows are in {out} already", flush=True)
            for row in _left(task_of(name, gpu), known, target, shared, Path(folder), until):
                rowfile.append(out, {"kernel": name, **row, **about})
                if row["part"] != "grid":
                    print(name, {key: row[key] for key in ("part", "seconds", "values") if key in row}, flush=True)
            if not rowfile.alike(out, kernel=name, gpu=gpu.name, part="final"):
                print(f"{name}: not to its end; the same command goes on where it stopped", flush=True)


def task_of(name: str, gpu: Gpu) -> Task:
    path, reference = FOLDER / "kernels" / f"{name}.py", FOLDER / "references" / f"{name}.py"
    candidate = load_kernel(str(path)).candidate
    problem = load_problem(reference, KERNELS[name])
    return Task(name, path, reference, candidate, problem, tuple(_space(candidate.source, gpu)))


def tuned(task: Task, target: targets.Target, shared: SharedWorkers, results: Path) -> Row:
    """A search like that of `tilewright tune`, by processes that have judged another kernel already."""
    gates = targets.gates_for(target, shared.host(target))
    kernel = load_kernel(_WARM_UP)
    _judged(gates, shared.evaluator(target, results), kernel.candidate, problem_for(kernel), target.gpu)
    clock = Clock()
    run = wiring.main(_options(task.name, target.evaluator, str(results)), clock, shared).run
    return of_run(run, clock.tried_s)


def of_run(run: Run, tried_s: Sequence[float]) -> Row:
    """A knob search as a row; `tried_s` is when each of its attempts was over."""
    in_time = [attempt for attempt, at_s in zip(run.attempts, tried_s) if at_s <= WALL_S]
    return {
        "part": "tuned",
        "values": _values(best(run)),
        "values_in_time": _values(best(replace(run, attempts=tuple(in_time)))),
        "measured": sum(isinstance(a.evaluation, Measured) and a.shared_with is None for a in run.attempts),
        "measured_in_time": sum(isinstance(a.evaluation, Measured) and a.shared_with is None for a in in_time),
        "seconds": round(run.seconds, 2),
        "stop_reason": run.stop_reason,
        "tried": [
            {"values": _values(attempt), "at_s": at_s, "text": words.outcome(attempt.evaluation, attempt.error)[:200]}
            for attempt, at_s in zip(run.attempts, tried_s)
        ],
    }


def autotuned(task: Task, seconds: float) -> Row | None:
    """None where the time was up."""
    with tempfile.TemporaryDirectory() as folder:
        answer = Path(folder, "answer.json")
        paths = [str(path) for path in (task.kernel, task.reference)]
        command = [sys.executable, "-m", "benchmarks.autotuner", *paths, task.problem.precision, str(answer)]
        modules = os.pathsep.join([str(HERE.parent), *filter(None, [os.environ.get("PYTHONPATH")])])
        environment = {**os.environ, "TILELANG_CACHE_DIR": str(Path(folder, "cache")), "PYTHONPATH": modules}
        try:
            done = subprocess.run(
                command,
                input=json.dumps(task.space),
                cwd=folder,  # it leaves a log where it is
                env=environment,
                capture_output=True,
                text=True,
                timeout=max(1.0, seconds),
                check=False,
            )
        except subprocess.TimeoutExpired:
            return None
        if done.returncode or not answer.exists():
            return {"part": "autotuned", "values": None, "error": done.stderr[-2000:]}
        return {"part": "autotuned", "tried": len(task.space), **json.loads(answer.read_text(encoding="utf-8"))}


def grid(
    task: Task, wanted: Sequence[Values], gates: Sequence[Gate], evaluator: Evaluator, gpu: str, until: float
) -> Iterator[Row]:
    """A row for each setting that there was time for."""

    def measured(values: Values) -> Row | None:
        if time.monotonic() > until:
            return None
        evaluation = _judged(gates, evaluator, task.at(values), task.problem, gpu)
        return {"part": "grid", "values": values, **_quick(evaluation)}

    # Twice as many as processors: half of them wait for the GPU.
    with ThreadPoolExecutor(2 * cores()) as pool:
        for future in as_completed([pool.submit(measured, values) for values in wanted]):
            try:
                row = future.result()
            except MachineryError as error:  # no row: the next call tries again
                print(f"{task.name}: not measured: {error}", flush=True)
                continue
            if row is not None:
                yield row


def final(task: Task, known: Sequence[Row], gates: Sequence[Gate], evaluator: Evaluator, gpu: str) -> Row:
    """The winners by name, each measured against all others in the same rounds."""
    winners = _winners(task, known)
    if not winners:
        return {"part": "final", "outcome": "none", "message": "no setting was right"}
    candidate, *others = winners
    verdict = through(gates, task.at(candidate.values), task.problem)
    job = Job(
        task.at(candidate.values),
        task.problem,
        verdict.evidence,
        gpu=gpu,
        deadline_s=_DEADLINE_S * (len(winners) + 1),
        baselines=(Baseline("eager"), *(Baseline(one.names[0], task.at(one.values)) for one in others)),
    )
    evaluation = verdict.failure or evaluator.submit(job).result()
    row: Row = {"part": "final", "outcome": evaluation.outcome}
    if not isinstance(evaluation, Measured):
        return {**row, "message": words.outcome(evaluation)[:300]}
    measurement = evaluation.measurement
    return {
        **row,
        "times": times_ms(measurement, candidate.names[0]),
        "winners": {one.names[0]: {"names": one.names, "values": one.values} for one in winners},
        "trust": measurement.trust,
        "device": measurement.device,
        "conditions": dict(measurement.conditions),
    }


def times_ms(measurement: Measurement, candidate: str) -> dict[str, list[float]]:
    """What each took in the same rounds, by name: the i-th times of all belong together."""
    taken = {timing.workload: timing for timing in measurement.timings}
    [headline] = taken.values()
    times = {candidate: [ms for ms, _ in headline.pairs], measurement.baseline: [ms for _, ms in headline.pairs]}
    for comparison in measurement.comparisons:
        if comparison.clock == "device":
            times[comparison.baseline] = [ms for _, ms in comparison.timing.pairs]
    return {name: [round(one, 6) for one in several] for name, several in times.items()}


@dataclass(frozen=True)
class Winner:
    values: Values
    names: list[str]
    """What it is the winner of; there may be several."""


def _left(
    task: Task, known: list[Row], target: targets.Target, shared: SharedWorkers, results: Path, until: float
) -> Iterator[Row]:
    """The rows of a kernel that are not known yet, in order, as far as time allows."""

    def due(part: str) -> bool:
        return all(row["part"] != part for row in known) and time.monotonic() + _TAKES_S[part] < until

    if due("tuned"):
        known.append(tuned(task, target, shared, results))
        yield known[-1]
    if due("autotuned") and (row := autotuned(task, until - time.monotonic())):
        known.append(row)
        yield row
    have = [row["values"] for row in known if row["part"] == "grid"]
    wanted = [values for values in task.space if values not in have]

    def whole() -> bool:
        parts = Counter(row["part"] for row in known)
        return parts["grid"] == len(task.space) and {"tuned", "autotuned"} <= parts.keys()

    if not (wanted and time.monotonic() + _TAKES_S["grid"] < until) and not (whole() and due("final")):
        return
    start = time.monotonic()
    # Processes of their own: they have compiled none of the settings yet.
    with targets.workers(target) as host, closing(targets.evaluator_for(target, host)) as evaluator:
        gates = targets.gates_for(target, host)
        for row in grid(task, wanted, gates, evaluator, target.gpu, until):
            known.append(row)
            yield row
        if wanted:
            seconds = round(time.monotonic() - start, 2)
            yield {"part": "grid time", "wanted": len(wanted), "seconds": seconds}
        if whole() and due("final"):
            yield final(task, known, gates, evaluator, target.gpu)


def _winners(task: Task, known: Sequence[Row]) -> list[Winner]:
    """The grid's first; each setting once, and none that the grid found wrong: nobody checks the autotuner's."""
    by_part = {row["part"]: row for row in known if row["part"] != "grid"}
    right = [row for row in known if row["part"] == "grid" and row["outcome"] == "measured"]
    ranked = sorted(right, key=lambda row: float(row["candidate_ms"]))
    named: list[tuple[str, Values | None]] = [
        (f"grid {place}", row["values"]) for place, row in enumerate(ranked[:FINALISTS], 1)
    ]
    named += [
        ("tuned", by_part["tuned"]["values"]),
        ("tuned in time", by_part["tuned"]["values_in_time"]),
        ("autotuned", by_part["autotuned"]["values"]),
        ("start", values_of(task.candidate.source)),
    ]
    winners: list[Winner] = []
    for name, values in named:
        same = next((one for one in winners if one.values == values), None)
        if same:
            same.names.append(name)
        elif values is not None and any(row["values"] == values for row in right):
            winners.append(Winner(values, [name]))
    return winners


def _space(source: str, gpu: Gpu) -> Iterator[Values]:
    """All settings but those that surely can't work on the GPU."""
    knobs = find_knobs(source)
    for chosen in itertools.product(*(knob.choices for knob in knobs)):
        values = dict(zip([knob.name for knob in knobs], chosen))
        if infeasible(source, values, gpu) is None:
            yield values


def _judged(
    gates: Sequence[Gate], evaluator: Evaluator, candidate: Candidate, problem: Problem, gpu: str
) -> Evaluation:
    verdict = through(gates, candidate, problem)
    if verdict.failure is not None:
        return verdict.failure
    return evaluator.submit(Job(candidate, problem, verdict.evidence, effort="quick", gpu=gpu)).result()


def _quick(evaluation: Evaluation) -> Row:
    if not isinstance(evaluation, Measured):
        return {"outcome": evaluation.outcome, "message": words.outcome(evaluation)[:300]}
    times = [ms for ms, _ in evaluation.measurement.timings[0].pairs]
    trust = evaluation.measurement.trust
    return {"outcome": "measured", "candidate_ms": statistics.median(times), "pairs": len(times), "trust": trust}


def _values(attempt: Attempt | None) -> Values | None:
    return values_of(attempt.candidate.source) if attempt else None


def _options(name: str, evaluator: str, results: str) -> OptimizationConfig:
    """Knobs alone, until the budget is spent."""
    config = OptimizationConfig()
    config.kernel_file, config.reference = (str(FOLDER / part / f"{name}.py") for part in ("kernels", "references"))
    config.precision, config.evaluator, config.model = KERNELS[name], evaluator, "none"
    config.candidates, config.max_iterations, config.tune_budget = 0, 1, CONFIGURATIONS - 1
    config.target_speedup, config.near_optimal = 1e9, 0.0
    config.no_save, config.results = True, results
    return config


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", nargs="?", type=Path, default=OUTPUT)
    parser.add_argument("--seconds", type=float, default=float("inf"), help="of this command, about")
    parser.add_argument("--kernels", default=",".join(KERNELS))
    given = parser.parse_args()
    main(given.out, given.kernels.split(","), given.seconds)
