"""Which machine elsewhere gets which job, and what becomes of a job whose machine is lost?

What Modal and Ray have in common. A candidate's outcome is final wherever it came about. What the machinery lost is
asked once more, on another machine where there is one, and alone: a candidate that takes its machine down takes no
other with it twice.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from importlib import metadata
from typing import Literal, Protocol

from tilewright import jsonform
from tilewright.errors import NoMachine, WorkerError
from tilewright.evaluators.station import Batch, Machine, Reply, Wanted, unfit
from tilewright.hardware import load_gpu
from tilewright.records import Evaluation, Job

STARTING_S = 900.0
"""Longer than a station needs to start its processes, and to notice that one of them hangs (`channel`)."""
_MEASURED_AT_MOST = 3
"""How often a job may be measured: a confirmation is three measurements."""
_MUST_AGREE = ("torch", "cuda", "tilelang")


class Lost(WorkerError):
    """A machine, or the way to it, is gone. What it was asked may be asked of another."""


class Slot(Protocol):
    """One GPU elsewhere that one can have, with a `Station` on it.

    `open` may take long; it raises `WorkerError` where the slot can't be had. `ask`, of which several may run, raises
    `Lost` for what another attempt may answer, `WorkerError` for what none can, `NoMachine` where that holds for all
    jobs. A slot that lost its machine is
    opened again, for another one, when no `ask` runs any more. `close` may come at any time, also twice, and ends
    both.
    """

    def open(self) -> None: ...

    def ask(self, batch: str, patience_s: float) -> str: ...

    def close(self) -> None: ...


def wanted(gpu: str) -> Wanted:
    """A machine with this GPU (none: any machine) and the TileLang for which candidates are compiled here."""
    names = load_gpu(gpu).device_names if gpu else ()
    try:
        return Wanted(names, (("tilelang", metadata.version("tilelang")),))
    except metadata.PackageNotFoundError:
        return Wanted(names)


@dataclass(eq=False)
class _Pending:
    """A job without an evaluation yet."""

    job: Job
    future: Future[Evaluation]
    losses: int = 0
    lost_at: Slot | None = None


@dataclass(eq=False)
class _Lane:
    """A slot, how many batches are there, and the job that it empties itself for."""

    slot: Slot
    state: Literal["cold", "opening", "open", "refused"] = "cold"
    running: int = 0
    reserved: _Pending | None = None


class RemoteEvaluator:
    """Hands jobs to `slots`, of which no more are opened than there are jobs for.

    A slot has `width` batches at a time; up to `batch` jobs go together where they outnumber what the slots take.
    `close` ends what is open with `WorkerError`, and calls `leave` when no slot is used any more.
    """

    def __init__(
        self,
        name: str,
        slots: Sequence[Slot],
        wanted: Wanted,
        *,
        width: int = 1,
        batch: int = 1,
        leave: Callable[[], None] = lambda: None,
    ) -> None:
        self.name = name
        self.machines = len(slots)
        """At most."""
        self.seconds = 0.0
        """How long machines were busy with what they answered, summed over batches."""
        self._wanted = wanted
        self._width = width
        self._batch = batch
        self._leave = leave
        self._lock = threading.Lock()
        self._closed = False
        self._waiting: list[_Pending] = []
        self._lanes = [_Lane(slot) for slot in slots]
        self._failure = WorkerError(f"the {name} evaluator has no machine")
        """Why the last slot that could not be had could not."""
        self._pool = ThreadPoolExecutor(len(slots) * width, thread_name_prefix=f"tilewright-{name}")

    @property
    def at_once(self) -> int:
        """A batch for each machine, and as many of them as it works on at a time."""
        return self.machines * self._width * self._batch

    def submit(self, job: Job) -> Future[Evaluation]:
        """A job that no machine has begun yet can be cancelled by its future."""
        future: Future[Evaluation] = Future()
        with self._lock:
            if self._closed:
                raise WorkerError(f"the {self.name} evaluator was closed")
            self._waiting.append(_Pending(job, future))
        self._hand_out()
        return future

    def close(self) -> None:
        with self._lock:
            if self._closed:
                return
            self._closed = True
            slots = [lane.slot for lane in self._lanes]
        for slot in slots:
            slot.close()
        self._pool.shutdown()
        never = [*self._waiting, *(lane.reserved for lane in self._lanes if lane.reserved)]
        self._waiting, self._lanes = [], []
        _fail(never, WorkerError(f"the {self.name} evaluator was closed"))
        self._leave()

    def _hand_out(self) -> None:
        """Give waiting jobs to open slots, and open others where that leaves jobs to be done."""
        hopeless: list[_Pending] = []
        with self._lock:
            if self._closed:
                return
            self._reserve()
            for lane in self._open_lanes():
                if lane.reserved and not lane.running:
                    self._start(lane, [lane.reserved])
            while (roomy := self._roomy_lanes()) and (jobs := self._take(roomy)):
                self._start(roomy[0], jobs)
            to_do = len(self._waiting) + sum(lane.running for lane in self._lanes)
            held = sum(lane.state in ("opening", "open") for lane in self._lanes)
            cold = [lane for lane in self._lanes if lane.state == "cold" and not lane.running]
            for lane in cold[: max(0, to_do - held)]:
                lane.state = "opening"
                self._pool.submit(self._open, lane)
            if all(lane.state == "refused" for lane in self._lanes):
                hopeless, self._waiting = self._waiting, []
                for lane in self._lanes:  # for whoever tries again
                    lane.state = "cold"
        _fail(hopeless, NoMachine(str(self._failure)))

    def _reserve(self) -> None:
        """Each job that was lost gets a slot for itself, another one than before where there is one."""
        for one in [one for one in self._waiting if one.losses]:
            lanes = self._open_lanes()
            free = [lane for lane in lanes if not lane.reserved and (lane.slot is not one.lost_at or len(lanes) == 1)]
            if free:
                min(free, key=lambda lane: lane.running).reserved = one
                self._waiting.remove(one)

    def _open_lanes(self) -> list[_Lane]:
        return [lane for lane in self._lanes if lane.state == "open"]

    def _roomy_lanes(self) -> list[_Lane]:
        """Those that take another batch, the emptiest first."""
        roomy = [lane for lane in self._open_lanes() if not lane.reserved and lane.running < self._width]
        return sorted(roomy, key=lambda lane: lane.running)

    def _take(self, lanes: Sequence[_Lane]) -> list[_Pending]:
        """The share of one of these lanes."""
        fresh = [one for one in self._waiting if not one.losses]
        room = sum(self._width - lane.running for lane in lanes)
        taken: list[_Pending] = []
        for one in fresh:
            if len(taken) == min(self._batch, -(-len(fresh) // room)):
                break
            self._waiting.remove(one)
            if _is_wanted(one):
                taken.append(one)
        return taken

    def _start(self, lane: _Lane, jobs: list[_Pending]) -> None:
        lane.running += 1
        self._pool.submit(self._work, lane, jobs)

    def _open(self, lane: _Lane) -> None:
        try:
            lane.slot.open()
            state: Literal["open", "refused"] = "open"
        except Exception as error:  # the border to another's library: whoever waits must learn of it
            self._failure = _as_worker_error(error)
            state = "refused"
        with self._lock:
            lane.state = state
        self._hand_out()

    def _work(self, lane: _Lane, taken: list[_Pending]) -> None:
        fate = self._ask(lane.slot, taken)
        with self._lock:
            lane.running -= 1
            if lane.reserved in taken:
                lane.reserved = None
            if fate != "open" and lane.state == "open":
                lane.state = fate
                self._lanes.remove(lane)
                self._lanes.append(lane)  # the last choice
                if lane.reserved:
                    self._waiting.insert(0, lane.reserved)
                    lane.reserved = None
        self._hand_out()

    def _ask(self, slot: Slot, taken: list[_Pending]) -> Literal["open", "cold", "refused"]:
        """Turn jobs into evaluations, or see to it that somebody else does; what becomes of the slot."""
        jobs = tuple(one.job for one in taken)
        try:
            reply = jsonform.loads(Reply, slot.ask(jsonform.dumps(Batch(jobs, self._wanted)), patience_s(jobs)))
            why = reply.unfit or self._disagrees(reply.machine)
            if why:
                self._failure = WorkerError(f"{self.name}: a machine can't be used: {why}")
                self._again(slot, taken)
                return "refused"
            self._settle(slot, taken, reply)
        except Lost as error:
            self._again(slot, taken, error)
            return "cold"
        except Exception as error:  # the border to another's library: whoever waits must learn of it
            _fail(taken, _as_worker_error(error))
        return "open"

    def _disagrees(self, machine: Machine | None) -> str:
        """The first machine's versions are wanted of all that come after it."""
        if machine is None:
            return "it does not say what it is"
        with self._lock:
            why = unfit(self._wanted, machine)
            if not why:
                agreed = tuple((name, version) for name, version in machine.versions if name in _MUST_AGREE)
                self._wanted = replace(self._wanted, versions=agreed or self._wanted.versions)
            return why

    def _settle(self, slot: Slot, taken: list[_Pending], reply: Reply) -> None:
        if len(reply.results) != len(taken):
            raise WorkerError(f"{len(reply.results)} results for {len(taken)} jobs")
        with self._lock:
            self.seconds += reply.seconds
        for one, result in zip(taken, reply.results):
            if result.evaluation is not None:
                one.future.set_result(result.evaluation)
            else:
                self._again(slot, [one], WorkerError(result.failure))

    def _again(self, slot: Slot, lost: list[_Pending], error: WorkerError | None = None) -> None:
        """Ask once more for what was lost with `error`; without one it was never begun."""
        for one in lost:
            one.losses += error is not None
            one.lost_at = slot
        error = error or WorkerError(f"the {self.name} evaluator was closed")
        with self._lock:
            final = [one for one in lost if one.losses > 1 or self._closed]
            self._waiting[:0] = [one for one in lost if one not in final]
        _fail(final, error)


def patience_s(jobs: Sequence[Job]) -> float:
    """How long a station may work on jobs, each by its own deadline, before it is taken for lost."""
    return STARTING_S + sum(job.deadline_s * len(job.problem.workloads) * _MEASURED_AT_MOST for job in jobs)


def _as_worker_error(error: Exception) -> WorkerError:
    return error if isinstance(error, WorkerError) else WorkerError(f"{type(error).__name__}: {error}")


def _fail(jobs: Sequence[_Pending], error: WorkerError) -> None:
    for one in jobs:
        if _is_wanted(one):
            one.future.set_exception(error)


def _is_wanted(one: _Pending) -> bool:
    """Whether nobody has cancelled it, which nobody can from now on."""
    return one.future.running() or one.future.set_running_or_notify_cancel()
