"""Where do the processes that a candidate is timed against come from, and which of them are kept for the next?

The reference in eager PyTorch is always among them: what it computes is what timed outputs are compared with. It gets
the parameters of the candidate's last draw. The others are only timed.
"""

from __future__ import annotations

import contextlib
import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence

from tilewright.records import Baseline, Candidate, Problem
from tilewright.worker.exchange.wire import Header
from tilewright.worker.processes.nursery import Deadline, Nursery, Runner
from tilewright.worker.verifying.verifier import Trial

EAGER = Baseline("eager")
COMPILED = {"compile": "default", "max-autotune": "max-autotune"}
"""Baselines that are the reference under `torch.compile`, and its modes."""
_KEPT = 4
_LIFE_S = 86400.0
_COMPILING_S = 900.0
"""max-autotune times every variant of every product of the reference, once a host."""

Named = list[tuple[str, Runner]]


class Baselines:
    """Of one host; its runners are ended with the nursery."""

    def __init__(self, nursery: Nursery, device: str) -> None:
        self._nursery = nursery
        self._device = device
        self._kept: OrderedDict[str, Runner] = OrderedDict()
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def running(self, trial: Trial, wanted: Sequence[Baseline], fresh: bool) -> Iterator[Named]:
        """Eager PyTorch first, then the others in the order wanted. `fresh` ones are new and not kept."""
        named: Named = []
        with contextlib.ExitStack() as stack:
            for baseline in (EAGER, *(b for b in wanted if b != EAGER)):
                named.append((baseline.name, stack.enter_context(self._one(trial, baseline, fresh))))
            yield named

    def let_go(self) -> None:
        """End the kept ones: they hold memory."""
        with self._lock:
            kept = list(self._kept.values())
            self._kept.clear()
        for runner in kept:
            runner.close()

    @contextlib.contextmanager
    def _one(self, trial: Trial, baseline: Baseline, fresh: bool) -> Iterator[Runner]:
        reference = trial.reference
        kernel = baseline.kernel.id if baseline.kernel else ""
        key = f"{reference.problem.id} {reference.workload} {trial.backward} {baseline.name} {kernel}"
        with self._lock:
            runner = None if fresh else self._kept.pop(key, None)
        try:
            if runner is None:
                runner = self._made(trial, baseline)
            if baseline == EAGER:
                trial.hand_parameters(runner)
            yield runner
        finally:
            if runner is not None:
                self._done_with(runner, key, fresh)

    def _made(self, trial: Trial, baseline: Baseline) -> Runner:
        reference, deadline = trial.reference, trial.deadline
        name = f"reference-{reference.problem.id}-{baseline.name.replace(':', '-').replace('/', '-')}"
        # Our own code, or the user's: it is trusted with the time that compiling takes.
        whose = "the reference" if baseline == EAGER else f"the baseline {baseline.name}"
        runner = self._nursery.runner(name, Deadline(_LIFE_S), whose=whose)
        try:
            overrides = [] if baseline.kernel else [[key, value] for key, value in reference.workload.overrides]
            source = baseline.kernel or _as_candidate(reference.problem)
            runner.ask({**loading(source, reference.problem, self._device), "overrides": overrides}, deadline)
            mode = COMPILED.get(baseline.name)
            request = trial.construction()
            runner.ask({**request, "compile": mode} if mode else request, deadline)
            if mode:
                deadline.extend(_COMPILING_S)
            return runner
        except BaseException:
            runner.close()
            raise

    def _done_with(self, runner: Runner, key: str, fresh: bool) -> None:
        if fresh or not runner.usable:
            runner.close()
            return
        with self._lock:
            surplus = [self._kept.pop(key, None)]
            self._kept[key] = runner
            if len(self._kept) > _KEPT:
                surplus.append(self._kept.popitem(last=False)[1])
        for one in surplus:
            if one is not None:
                one.close()


def loading(candidate: Candidate, problem: Problem, device: str, interpret_s: float = 0.0) -> Header:
    return {
        "op": "load",
        "source": candidate.source,
        "support": [[file.path, file.text] for file in candidate.support],
        "form": candidate.form,
        "entry_point": candidate.entry_point,
        "precision": problem.precision,
        "device": device,
        "interpret": interpret_s,
        "threads": 1,
        "overrides": [],
    }


def _as_candidate(problem: Problem) -> Candidate:
    return Candidate(problem.source, problem.form, problem.entry_point, support=problem.support)
