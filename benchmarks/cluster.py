"""Do 32 GPUs stay busy with a batch of 64 kernels, though they lose jobs? python -m benchmarks.cluster OUT

The GPUs are simulated: each takes for a candidate a time that one was recorded to take, and loses one in twenty at a
random moment. All else is what a batch is worked on with: turns by promise, the loop, the evaluator that hands jobs
to machines, the store. A row is appended to OUT.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks import rowfile
from tilewright import jsonform
from tilewright.batching.promise import promise, prospect, prospect_unseen
from tilewright.batching.spending import Spending
from tilewright.batching.turns import Turns, side_by_side
from tilewright.batching.yielding import YieldingEvaluator
from tilewright.evaluators.remote import Lost, RemoteEvaluator
from tilewright.evaluators.station import Batch, Machine, Reply, Result, Wanted
from tilewright.judge import commit
from tilewright.lm import Budget
from tilewright.protocols import Verdict
from tilewright.records import (
    Attempt,
    Brief,
    Candidate,
    Evidence,
    Measured,
    Measurement,
    Problem,
    Run,
    WorkloadTiming,
)
from tilewright.report.terminal import QuietWatcher
from tilewright.search.loop import continue_run
from tilewright.search.parts import Parts
from tilewright.search.stopping import StopRules
from tilewright.store import Store

GPUS, KERNELS, A_TURN = 32, 64, 4
LOST = 0.05
RECORDED = Path(__file__).parent / "results" / "optimized.jsonl"
QUICKER = 10
"""A recorded second takes this part of one here; the driver has that much more to do in one."""

Row = dict[str, Any]


def main(arguments: argparse.Namespace) -> None:
    with tempfile.TemporaryDirectory() as folder:
        row = simulated(Path(folder) / "s.db", arguments.seconds, arguments.quicker)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    rowfile.append(arguments.out, row)
    print(json.dumps(row))


def simulated(store_path: Path, wall_s: float, quicker: float = QUICKER) -> Row:
    """`busy` are the GPUs' shares of `wall_s`; `missing` counts candidates that a GPU judged and no run has, and runs
    that aren't stored as they are; `driver` is what this process used."""
    draws, times = random.Random(0), recorded_times(quicker)
    gpus = [_Gpu(random.Random(draws.random()), times) for _ in range(GPUS)]
    evaluator = YieldingEvaluator(RemoteEvaluator("simulated", gpus, Wanted(), width=2), runs=KERNELS)
    Store(store_path).close()
    spending = Spending(Budget(), max_wall_s=wall_s)
    names = [f"kernel {number}" for number in range(KERNELS)]
    turns = Turns(2 * GPUS, spending, dict.fromkeys(names, promise(prospect_unseen(None, []))))
    ended: dict[str, Run] = {}

    def work(kernel: str) -> None:
        def before_turn(run: Run) -> None:
            turns.again(kernel, promise(prospect(run, lambda attempt, gpu: None)))

        ended[kernel] = _one_run(kernel, store_path, evaluator, before_turn, spending)

    begun, cpu = time.monotonic(), time.process_time()
    side_by_side(names, turns, work, evaluator.give_up)
    cores = (time.process_time() - cpu) / (time.monotonic() - begun)
    evaluator.close()
    with closing(Store(store_path)) as store:
        stored = {name: store.load(name).attempts for name in names}
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    shares = [gpu.share(begun, begun + wall_s) for gpu in gpus]
    attempts = [attempt for run in ended.values() for attempt in run.attempts]
    judged = {id_ for gpu in gpus for id_ in gpu.judged}
    return {
        "benchmark": "simulated cluster",
        "gpus": GPUS,
        "kernels": KERNELS,
        "quicker": quicker,
        "wall_s": wall_s,
        "evaluations": len(judged),
        "lost": sum(gpu.lost for gpu in gpus),
        "busy": {"mean": round(statistics.fmean(shares), 4), "least": round(min(shares), 4)},
        "missing": len(judged ^ {attempt.candidate.id for attempt in attempts if attempt.evaluation})
        + sum(stored[name] != run.attempts for name, run in ended.items()),
        "abandoned": sum(attempt.evaluation is None for attempt in attempts),
        "runs": len(ended),
        "stopped": sorted({run.stop_reason for run in ended.values()}),
        "driver": {"cores": round(cores, 3), "peak_mb": peak_mb},
        "commit": commit(),
    }


def recorded_times(quicker: float) -> list[float]:
    runs = [json.loads(line) for line in RECORDED.read_text(encoding="utf-8").splitlines()]
    return [one["seconds"] / quicker for run in runs for one in run["tried"] if one["outcome"] == "measured"]


class _Gpu:
    """A slot whose machine judges one job after another. `busy` are its times of work, from and to."""

    def __init__(self, draws: random.Random, times: Sequence[float]) -> None:
        self.busy: list[tuple[float, float]] = []
        self.judged: list[str] = []
        self.lost = 0
        self._draws, self._times, self._one = draws, times, threading.Lock()

    def open(self) -> None: ...

    def ask(self, batch: str, patience_s: float) -> str:
        results = tuple(self._judge(job.candidate) for job in jsonform.loads(Batch, batch).jobs)
        return jsonform.dumps(Reply(Machine("simulated", ()), results, seconds=1.0))

    def close(self) -> None: ...

    def share(self, start: float, end: float) -> float:
        return sum(max(0.0, min(b, end) - max(a, start)) for a, b in self.busy) / (end - start)

    def _judge(self, candidate: Candidate) -> Result:
        with self._one:
            begun, seconds, lost = time.monotonic(), self._draws.choice(self._times), self._draws.random() < LOST
            time.sleep(seconds * (self._draws.random() if lost else 1))
            self.busy.append((begun, time.monotonic()))
            if lost:
                self.lost += 1
                raise Lost("preempted")
            self.judged.append(candidate.id)
            return Result(_measured(self._draws.uniform(0.3, 0.9)))


def _measured(ratio: float) -> Measured:
    timing = WorkloadTiming("default", 1.0, ((1.0, ratio),), ratio, ratio - 0.01, ratio + 0.01, 1.0, ratio)
    return Measured(
        Measurement(
            speedup_ratio=ratio,
            low=ratio - 0.01,
            high=ratio + 0.01,
            timings=(timing,),
            baseline="eager",
            gpu="H100",
            device="simulated",
            versions=(),
            clock="events",
            checked_calls=5,
            error_ratio=0.5,
            trust="B",
        )
    )


class _Proposes:
    name = "proposes"

    def propose(self, brief: Brief) -> Sequence[Candidate]:
        named = [f"{brief.problem.name} turn {brief.turn} number {number}" for number in range(A_TURN)]
        return [replace(_candidate(name), parent=brief.parent.candidate.id) for name in named]


class _Passes:
    name = "passes"

    def check(self, candidate: Candidate, problem: Problem, evidence: Evidence) -> Verdict:
        return Verdict()


def _candidate(name: str) -> Candidate:
    return Candidate(f"# {name}\nclass ModelNew: pass\n", proposer="simulated", hypothesis=name)


def _one_run(
    kernel: str,
    store_path: Path,
    evaluator: YieldingEvaluator,
    before_turn: Callable[[Run], None],
    spending: Spending,
) -> Run:
    class Counts(QuietWatcher):
        def tried(self, run: Run, attempt: Attempt) -> None:
            spending.add([attempt])

    with closing(Store(store_path)) as store:
        run = Run(kernel, Problem(kernel, "class Model: pass"), kernel, (), "ray", "H100", "2026-01-01T00:00:00Z")
        store.begin(run)
        parts = Parts(
            gates=[_Passes()],
            evaluator=evaluator,
            analyze=lambda *_: (),
            structure_proposers=[_Proposes()],
            tuner=None,
            memory=store,
            watcher=Counts(),
            stop=StopRules(9.0, 0.05, 99, 99),
            candidates_per_turn=A_TURN,
            tune_budget=0,
            before_turn=before_turn,
            called_off=spending.over,
        )
        return continue_run(run, _candidate(kernel), parts)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--seconds", type=float, default=60.0, help="after which the batch is called off")
    parser.add_argument("--quicker", type=float, default=QUICKER, help="than the recorded times")
    return parser.parse_args()


if __name__ == "__main__":
    main(_arguments())
