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
from tilewright.worker.timing.crews import Named, at_once, elsewhere
from tilewright.worker.verifying.verifier import Trial

EAGER = Baseline("eager")
COMPILED = {"compile": "default", "max-autotune": "max-autotune"}
"""Baselines that are the reference under `torch.compile`, and its modes."""
_KEPT = 32
"""Processes of all kinds: what a few problems need, of which several candidates are judged at a time."""
_LIFE_S = 86400.0
_COMPILING_S = 900.0
"""max-autotune times every variant of every product of the reference, once a host."""


class Baselines:
    """Of one host; its runners are ended with the nursery."""

    def __init__(self, nursery: Nursery, device: str) -> None:
        self._nursery = nursery
        self._device = device
        self._kept: OrderedDict[str, list[Runner]] = OrderedDict()
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def running(self, trial: Trial, wanted: Sequence[Baseline], fresh: bool, count: int) -> Iterator[list[Named]]:
        """Eager PyTorch first, then the others in the order wanted, each in so many processes, or in one where it is
        compiled. `fresh` ones are new and not kept."""
        named: list[Named] = []
        with contextlib.ExitStack() as stack:
            for baseline in (EAGER, *(b for b in wanted if b != EAGER)):
                needed = 1 if baseline.name in COMPILED else count
                named.append((baseline.name, stack.enter_context(self._crew(trial, baseline, fresh, needed))))
            yield named

    def let_go(self) -> None:
        """End the kept ones: they hold memory."""
        with self._lock:
            kept = [runner for crew in self._kept.values() for runner in crew]
            self._kept.clear()
        at_once(lambda runner: runner.close(), kept)

    @contextlib.contextmanager
    def _crew(self, trial: Trial, baseline: Baseline, fresh: bool, count: int) -> Iterator[list[Runner]]:
        reference = trial.reference
        kernel = baseline.kernel.id if baseline.kernel else ""
        key = f"{reference.problem.id} {reference.workload} {trial.backward} {baseline.name} {kernel}"
        crew = [] if fresh else self._taken(key, count)
        whole = False
        try:
            if len(crew) < count:
                new = [self._begun(trial, baseline) for _ in range(count - len(crew))]
                crew += new
                at_once(lambda runner: self._ready(runner, trial, baseline), new)
            if baseline == EAGER:
                for runner in crew:
                    trial.hand_parameters(runner)
            whole = True
            yield crew
        finally:
            self._done_with(crew, key, keep=whole and not fresh)

    def _taken(self, key: str, count: int) -> list[Runner]:
        """So many of those kept, or as many as there are."""
        with self._lock:
            kept = self._kept.pop(key, [])
            crew, left = kept[:count], kept[count:]
            if left:
                self._kept[key] = left
            return crew

    def _begun(self, trial: Trial, baseline: Baseline) -> Runner:
        # A kernel was compiled under its id, perhaps as a candidate.
        kernel = baseline.kernel
        name = kernel.id if kernel else f"reference-{trial.reference.problem.id}-{baseline.name}"
        # Our own code, or the user's: it is trusted with the time that compiling takes.
        whose = "the reference" if baseline == EAGER else f"the baseline {baseline.name}"
        return self._nursery.runner(name, Deadline(_LIFE_S), whose=whose)

    def _ready(self, runner: Runner, trial: Trial, baseline: Baseline) -> None:
        reference, deadline = trial.reference, trial.deadline
        overrides = [] if baseline.kernel else [[key, value] for key, value in reference.workload.overrides]
        source = baseline.kernel or _as_candidate(reference.problem)
        runner.ask({**loading(source, reference.problem, self._device), "overrides": overrides}, deadline)
        mode = COMPILED.get(baseline.name)
        request = trial.construction(elsewhere())
        runner.ask({**request, "compile": mode} if mode else request, deadline)
        if mode:
            deadline.extend(_COMPILING_S)

    def _done_with(self, crew: list[Runner], key: str, keep: bool) -> None:
        kept = [runner for runner in crew if runner.usable] if keep else []
        surplus = [runner for runner in crew if runner not in kept]
        with self._lock:
            if kept:
                self._kept[key] = [*self._kept.pop(key, []), *kept]  # and is the one that was used last
            while sum(map(len, self._kept.values())) > _KEPT:
                oldest = next(iter(self._kept))
                surplus.append(self._kept[oldest].pop(0))
                if not self._kept[oldest]:
                    del self._kept[oldest]
        at_once(lambda runner: runner.close(), surplus)


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
