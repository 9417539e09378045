"""How are the runs of a batch worked on side by side, so that a kill at any moment loses nothing finished?"""

from __future__ import annotations

import copy
import threading
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from tilewright import listing, targets, wiring
from tilewright.analysis.limit import share_reached
from tilewright.batching import book
from tilewright.batching.book import Batch, Place
from tilewright.batching.promise import promise, prospect, prospect_unseen
from tilewright.batching.spending import Spending
from tilewright.batching.summing import WAITS, row, unseen
from tilewright.batching.turns import Turns, side_by_side
from tilewright.batching.yielding import YieldingEvaluator
from tilewright.channel import Host
from tilewright.config import OptimizationConfig, Settings, resolve
from tilewright.errors import StoreBusy, TilewrightError
from tilewright.evaluators.remote import RemoteEvaluator
from tilewright.lm import PATIENT, Patience, spent_on
from tilewright.protocols import Evaluator
from tilewright.records import Attempt, Candidate, Interaction, Run
from tilewright.report.batch.rows import Row, Summary

JOBS_PER_GPU = 2
"""While one run has a candidate timed, another one has its next compiled."""


class BatchWatcher(Protocol):
    """Is told what happens in a batch, from any thread, one call at a time."""

    def began(self, name: str, rows: Sequence[Row], ended: Sequence[str], spent: Spending) -> None: ...

    def changed(self, row: Row, ended: bool) -> None: ...

    def note(self, message: str) -> None: ...

    def tell(self, message: str) -> None: ...


def work_on(
    batch: Batch,
    config: OptimizationConfig,
    watcher: BatchWatcher,
    jobs: int | None = None,
    shared: targets.SharedWorkers | None = None,
    patience: Patience = PATIENT,
) -> Summary:
    """Begin a batch, or go on with it, until its kernels have ended or its budget is spent, and sum it up.

    What is written down comes before what depends on it: the batch before its first run, a run's id before its
    first attempt. Raises `TilewrightError` for what is wrong with all kernels; what is wrong with one is in its row.
    `shared` workers are closed by whoever made them.
    """
    runs, asked = stored(batch, Path(config.results))
    config = _where_it_began(config, list(runs.values()))
    settings, target = _checked(batch, config)
    spending = Spending(
        spent_on(asked, settings.max_usd, settings.max_tokens),
        max_evaluations=settings.max_evaluations,
        max_gpu_s=settings.max_gpu_s,
        max_wall_s=settings.max_wall_s,
        earlier_s=batch.seconds,
    )
    for run in runs.values():
        spending.add(run.attempts)
    workers = _Workers(shared or targets.SharedWorkers())
    try:
        gpus = workers.gpus(target, settings.results)
        desk = _Desk(batch, runs, spending, settings.results, watcher)
        cost = targets.expected_spending(target, _most_evaluations(settings, batch))
        if cost:
            watcher.tell(cost)
        promises = desk.promises()
        workers.runs = jobs or JOBS_PER_GPU * gpus
        turns = Turns(workers.runs, spending, promises)

        def work(kernel: str) -> None:
            if spending.over() is None:
                _run(desk.place(kernel), config, desk, turns, workers, patience)

        side_by_side(promises, turns, work, workers.give_up)
        desk.write()
        seconds = workers.seconds_elsewhere()
        if seconds is not None:
            watcher.tell(targets.spending(target, seconds))
    finally:
        if shared is None:
            workers.close()
    return desk.summary(target.gpu)


def stored(batch: Batch, results: Path) -> tuple[dict[str, Run], list[Interaction]]:
    """The runs that it has begun, by their ids, and what models were asked in them."""
    if not any(place.run for place in batch.places):
        return {}, []
    with closing(wiring.open_store(results)) as store:
        known = set(store.runs())
        runs = {place.run: store.load(place.run) for place in batch.places if place.run in known}
        return runs, [told for run in runs for told in store.interactions(run)]


def _where_it_began(config: OptimizationConfig, runs: Sequence[Run]) -> OptimizationConfig:
    """Where GPUs are chosen from, those of the runs that have begun: for the others' numbers to compare."""
    if runs and config.evaluator in ("modal", "ray") and "gpu" not in config.explicit:
        config = copy.deepcopy(config)
        config.gpu = runs[0].gpu
    return config


def _checked(batch: Batch, config: OptimizationConfig) -> tuple[Settings, targets.Target]:
    """What is wrong with the options is wrong with all runs."""
    asked = copy.deepcopy(config)
    asked.kernel_file = batch.places[0].kernel
    settings = resolve(asked)
    target = targets.choose_target(settings)
    targets.check_packages(target)
    return settings, target


def _most_evaluations(settings: Settings, batch: Batch) -> int:
    """The batch's own limit is for all of its kernels."""
    most = sum(not place.ended for place in batch.places) * wiring.most_evaluations(
        replace(settings, max_evaluations=None)
    )
    return min(most, settings.max_evaluations or most)


def _run(
    place: Place,
    config: OptimizationConfig,
    desk: _Desk,
    turns: Turns,
    workers: _Workers,
    patience: Patience,
) -> None:
    def before_turn(run: Run) -> None:
        desk.show(place.kernel, run, WAITS)
        turns.again(place.kernel, promise(prospect(run, share_reached)))
        desk.show(place.kernel, run, _turn(run))

    watcher = _RunWatcher(place.kernel, desk)
    together = wiring.Together(desk.spending.model, before_turn, desk.spending.over)
    try:
        if place.run:
            wiring.resume(place.run, config, watcher, workers, patience, together)
        else:
            own = copy.deepcopy(config)
            own.kernel_file = place.kernel
            wiring.main(own, watcher, workers, patience, together)
    except StoreBusy:  # somebody else works on this batch
        raise
    except TilewrightError as error:
        desk.failed(place.kernel, str(error))


def _turn(run: Run) -> str:
    return f"turn {max(1, run.attempts[-1].turn)}" if run.attempts else "first look"


class _Workers(targets.SharedWorkers):
    """Others' workers, whose evaluators let go when the batch is stopped."""

    def __init__(self, shared: targets.SharedWorkers) -> None:
        super().__init__()
        self._shared = shared
        self._yielding: dict[int, YieldingEvaluator] = {}
        self.runs = 1
        """That go on side by side."""

    def host(self, target: targets.Target) -> Host:
        return self._shared.host(target)

    def evaluator(self, target: targets.Target, results: Path) -> Evaluator:
        with self._lock:
            evaluator = self._shared.evaluator(target, results)
            return self._yielding.setdefault(id(evaluator), YieldingEvaluator(evaluator, self.runs))

    def gpus(self, target: targets.Target, results: Path) -> int:
        """How many judge at a time. Raises what any kernel would: no account, no cluster, no such GPU."""
        evaluator = self._shared.evaluator(target, results)
        if target.evaluator == "local":
            targets.gpu_of(target, self.host(target))  # it is asked once what it reaches, before all need it
        return evaluator.machines if isinstance(evaluator, RemoteEvaluator) else max(len(target.devices), 1)

    def seconds_elsewhere(self) -> float | None:
        """None where all was judged here."""
        found = [targets.seconds_elsewhere(yielding.evaluator) for yielding in self._yielding.values()]
        counted = [seconds for seconds in found if seconds is not None]
        return sum(counted) if counted else None

    def give_up(self) -> None:
        with self._lock:
            for evaluator in self._yielding.values():
                evaluator.give_up()

    def close(self) -> None:
        self._shared.close()


class _RunWatcher:
    """Tells the desk what happens in one run."""

    def __init__(self, kernel: str, desk: _Desk) -> None:
        self._kernel, self._desk = kernel, desk

    def started(self, run: Run) -> None:
        self._desk.began(self._kernel, run)

    def trying(self, candidate: Candidate, phase: str, turn: int) -> None: ...

    def tried(self, run: Run, attempt: Attempt) -> None:
        self._desk.spending.add([attempt])
        self._desk.show(self._kernel, run, _turn(run))

    def note(self, message: str) -> None:
        self._desk.note(f"{self._kernel}: {message}")

    def stopped(self, run: Run) -> None:
        self._desk.ended(self._kernel, run)


class _Desk:
    """The batch as it stands: what the threads of its runs change, what is written down and shown."""

    def __init__(
        self, batch: Batch, runs: dict[str, Run], spending: Spending, results: Path, watcher: BatchWatcher
    ) -> None:
        self.spending = spending
        self._results, self._watcher = results, watcher
        self._lock = threading.RLock()
        places = [_as_stored(place, runs) for place in batch.places]
        self._batch = replace(batch, places=tuple(places))
        self._runs = {place.kernel: runs[place.run] for place in places if place.run}
        self._rows = {place.kernel: self._first_row(place) for place in places}
        self.write()
        watcher.began(batch.name, tuple(self._rows.values()), [p.kernel for p in places if p.ended], spending)

    def place(self, kernel: str) -> Place:
        return next(place for place in self._batch.places if place.kernel == kernel)

    def promises(self) -> dict[str, float]:
        """Of the kernels that have not ended."""
        unseen = {place.kernel: _known_ratio(place.kernel) for place in self._batch.places if not place.run}
        known = [ratio for ratio in unseen.values() if ratio is not None]
        return {
            place.kernel: promise(
                prospect(self._runs[place.kernel], share_reached)
                if place.run and self._runs[place.kernel].attempts
                else prospect_unseen(unseen.get(place.kernel), known)
            )
            for place in self._batch.places
            if not place.ended
        }

    def began(self, kernel: str, run: Run) -> None:
        with self._lock:
            self._put(replace(self.place(kernel), run=run.id))
            self.show(kernel, run, _turn(run))

    def show(self, kernel: str, run: Run, state: str) -> None:
        with self._lock:
            self._change(replace(row(run, state), kernel=kernel))

    def ended(self, kernel: str, run: Run) -> None:
        self.spending.heed(run)
        with self._lock:
            self._put(replace(self.place(kernel), stopped=run.stop_reason))
            self.show(kernel, run, run.stop_reason)

    def failed(self, kernel: str, why: str) -> None:
        with self._lock:
            self._put(replace(self.place(kernel), error=why))
            self._change(replace(self._rows[kernel], state="failed", detail=why))

    def note(self, message: str) -> None:
        with self._lock:
            self._watcher.note(message)

    def write(self) -> None:
        with self._lock:
            self._batch = replace(self._batch, seconds=self.spending.seconds)
            book.write(self._results, self._batch)

    def summary(self, gpu: str) -> Summary:
        over = None if self._batch.ended else self.spending.over()
        return Summary(
            name=self._batch.name,
            gpu=gpu,
            rows=tuple(self._rows.values()),
            seconds=self.spending.seconds,
            gpu_seconds=self.spending.gpu_s,
            evaluations=self.spending.evaluations,
            usd=self.spending.model.usd,
            tokens=self.spending.model.tokens,
            ended=self._batch.ended,
            stop_reason=over[0] if over else "",
            stop_detail=over[1] if over else "",
        )

    def _put(self, place: Place) -> None:
        self._batch = self._batch.with_place(place)
        self.write()

    def _change(self, row: Row) -> None:
        self._rows[row.kernel] = row
        self._watcher.changed(row, self.place(row.kernel).ended)

    def _first_row(self, place: Place) -> Row:
        run = self._runs.get(place.kernel)
        if run is None:
            return unseen(place)
        if place.ended:
            return replace(row(run, place.stopped), kernel=place.kernel)
        return replace(row(run, WAITS), kernel=place.kernel, detail="")


def _as_stored(place: Place, runs: dict[str, Run]) -> Place:
    """With what became of its run since it was written down. What failed is tried again."""
    if place.run not in runs:
        return Place(place.kernel)
    return replace(place, stopped=runs[place.run].stop_reason, error="")


def _known_ratio(kernel: str) -> float | None:
    try:
        return listing.read(Path(kernel)).speedup_ratio
    except OSError:  # its row will say so
        return None
