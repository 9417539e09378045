"""64 kernels on 32 GPUs that take recorded times and lose one job in twenty: no GPU idles, no job is lost."""

from __future__ import annotations

import json
import random
import resource
import statistics
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

from samples import candidate, measured
from scripted_slots import WANTED, ScriptedSlot
from tilewright.batching.promise import promise, prospect, prospect_unseen
from tilewright.batching.spending import Spending
from tilewright.batching.turns import Turns, side_by_side
from tilewright.batching.yielding import YieldingEvaluator
from tilewright.evaluators.remote import Lost, RemoteEvaluator
from tilewright.evaluators.station import Batch, Result
from tilewright.lm import Budget
from tilewright.protocols import Verdict
from tilewright.records import Brief, Candidate, Evidence, Problem, Run
from tilewright.report.terminal import QuietWatcher
from tilewright.search.loop import Parts, continue_run
from tilewright.search.stopping import StopRules
from tilewright.store import Store

GPUS, KERNELS, WALL_S = 32, 64, 10.0
RECORDED = Path(__file__).resolve().parents[3] / "benchmarks" / "results" / "optimized.jsonl"
QUICKER = 10
"""A recorded second takes this part of one here; the driver has that much more to do in one."""


class Gpu:
    """Judges one job after another. `busy` are its times of work, from and to."""

    def __init__(self, draws: random.Random, times: Sequence[float]) -> None:
        self.busy: list[tuple[float, float]] = []
        self.judged: list[str] = []
        self._draws, self._times, self._one = draws, times, threading.Lock()

    def judge(self, batch: Batch) -> Sequence[Result]:
        results = []
        for job in batch.jobs:
            with self._one:
                begun, seconds, lost = time.monotonic(), self._draws.choice(self._times), self._draws.random() < 0.05
                time.sleep(seconds * (self._draws.random() if lost else 1))
                self.busy.append((begun, time.monotonic()))
                if lost:
                    raise Lost("preempted")
                self.judged.append(job.candidate.id)
                results.append(Result(measured(self._draws.uniform(0.3, 0.9))))
        return results

    def share(self, start: float, end: float) -> float:
        return sum(max(0.0, min(b, end) - max(a, start)) for a, b in self.busy) / (end - start)


class Proposes:
    name = "proposes"

    def propose(self, brief: Brief) -> Sequence[Candidate]:
        name = brief.problem.name
        return [candidate(f"{name} turn {brief.turn} number {n}", brief.parent.candidate.id) for n in range(4)]


class Passes:
    name = "passes"

    def check(self, candidate: Candidate, problem: Problem, evidence: Evidence) -> Verdict:
        return Verdict()


def recorded_times() -> list[float]:
    runs = [json.loads(line) for line in RECORDED.read_text().splitlines()]
    return [one["seconds"] / QUICKER for run in runs for one in run["tried"] if one["outcome"] == "measured"]


def one_run(
    kernel: str,
    store_path: Path,
    evaluator: YieldingEvaluator,
    before_turn: Callable[[Run], None],
    spending: Spending,
) -> Run:
    class Counts(QuietWatcher):
        def tried(self, run: Run, attempt: object) -> None:
            spending.add(run.attempts[-1:])

    with closing(Store(store_path)) as store:
        run = Run(kernel, Problem(kernel, "class Model: pass"), kernel, (), "ray", "H100", "2026-01-01T00:00:00Z")
        store.begin(run)
        parts = Parts(
            gates=[Passes()],
            evaluator=evaluator,
            analyze=lambda *_: (),
            structure_proposers=[Proposes()],
            tuner=None,
            memory=store,
            watcher=Counts(),
            stop=StopRules(9.0, 0.05, 99, 99),
            candidates_per_turn=4,
            tune_budget=0,
            before_turn=before_turn,
            called_off=spending.over,
        )
        return continue_run(run, candidate(kernel), parts)


def test_a_batch_keeps_32_gpus_busy_loses_nothing_and_needs_less_than_a_core(tmp_path: Path) -> None:
    draws = random.Random(0)
    times = recorded_times()
    gpus = [Gpu(random.Random(draws.random()), times) for _ in range(GPUS)]
    evaluator = YieldingEvaluator(
        RemoteEvaluator("simulated", [ScriptedSlot(gpu.judge) for gpu in gpus], WANTED, width=2)
    )
    Store(tmp_path / "s.db").close()
    spending = Spending(Budget(), max_wall_s=WALL_S)
    names = [f"kernel {number}" for number in range(KERNELS)]
    turns = Turns(2 * GPUS, spending, dict.fromkeys(names, promise(prospect_unseen(None, []))))
    ended: dict[str, Run] = {}

    def work(kernel: str) -> None:
        def before_turn(run: Run) -> None:
            turns.again(kernel, promise(prospect(run, lambda attempt, gpu: None)))

        ended[kernel] = one_run(kernel, tmp_path / "s.db", evaluator, before_turn, spending)

    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    begun, cpu = time.monotonic(), time.process_time()
    side_by_side(names, turns, work, evaluator.give_up)
    cores = (time.process_time() - cpu) / (time.monotonic() - begun)
    evaluator.close()

    shares = [gpu.share(begun, begun + WALL_S) for gpu in gpus]
    # 0.99 each where nothing else runs; a machine that has other work to do takes some from single ones
    assert statistics.fmean(shares) >= 0.9 and min(shares) >= 0.8, shares
    assert cores < 1.0
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory < 1e6  # KiB
    assert {run.stop_reason for run in ended.values()} == {"wall"} and set(ended) == set(names)
    with closing(Store(tmp_path / "s.db")) as store:
        stored = {name: store.load(name).attempts for name in names}
    assert stored == {name: run.attempts for name, run in ended.items()}
    judged = {id_ for gpu in gpus for id_ in gpu.judged}
    attempts = [attempt for run in ended.values() for attempt in run.attempts]
    assert all(attempt.evaluation is not None for attempt in attempts), "one was abandoned"
    assert judged == {attempt.candidate.id for attempt in attempts}
