"""What is to be seen at each address, as the store is now?"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from pathlib import Path

from tilewright.analysis.limit import share_reached
from tilewright.batching import book
from tilewright.batching.summing import row, summed
from tilewright.hardware import known_as
from tilewright.lm import spent_on
from tilewright.records import Interaction
from tilewright.report.batch.rows import Row
from tilewright.report.page import candidates
from tilewright.report.page.known import Known
from tilewright.report.page.markup import Html
from tilewright.report.page.shown import shows
from tilewright.reporting import known_of
from tilewright.scores import best
from tilewright.serving import batches, comparing, one_run, overview
from tilewright.serving.comparing import Side
from tilewright.serving.following import Entry, Followed, Following
from tilewright.serving.live import View

MOST_BATCHES = 20
MOST_RUNS = 200
"""Shown on the page of all: the outline of one takes some 20 ms to read, once."""
_REMEMBERED = 16
"""Pages that are kept until the store changes: several browsers look at the same."""


@dataclass(frozen=True)
class _OfBatch:
    """What a batch's page needs of a run."""

    row: Row
    gpu: str
    asked: tuple[Interaction, ...]


class Site:
    """The pages of the store in the folder `results`. For several threads; one page is made at a time, since a run
    may need the processors more. Raises `UsageError` for a run that isn't there, `StoreError`."""

    def __init__(self, results: Path) -> None:
        self.following = Following(results)
        self._results = results
        self._lock = threading.Lock()
        self._rows: dict[Entry, Html] = {}
        self._views: dict[tuple[str, ...], tuple[Hashable, View]] = {}
        self._of_batches: dict[Entry, _OfBatch] = {}

    def version(self) -> Hashable:
        """Equal as long as nothing has changed. Costs little, so it can be asked for often."""
        return self.following.version(), book.version(self._results)

    def overview(self) -> View:
        return self._kept((), self._overview)

    def run(self, run_id: str) -> View:
        return self._kept((run_id,), lambda: self._run(run_id))

    def comparison(self, one: str, other: str) -> View:
        return self._kept((one, other), lambda: comparing.view(self._side(one), self._side(other)))

    def batch(self, name: str) -> View:
        return self._kept((name, "batch", ""), lambda: self._batch(name))

    def sources(self, run_id: str) -> str:
        return candidates.packed(self.following.run(run_id).run)

    def best_sources(self, one: str, other: str) -> str:
        return comparing.packed(self._side(one), self._side(other))

    def _kept(self, address: tuple[str, ...], make: Callable[[], View]) -> View:
        with self._lock:
            version = self.version()
            known = self._views.pop(address, None)
            view = known[1] if known and known[0] == version else make()
            self._views[address] = (version, view)
            if len(self._views) > _REMEMBERED:
                del self._views[next(iter(self._views))]
            return view

    def _overview(self) -> View:
        entries = self.following.entries(MOST_RUNS)
        rows = {e: self._rows.get(e) or overview.row(e, self.following.outline(e.id)) for e in entries}
        self._rows = rows
        listed = batches.listed(book.newest(self._results, MOST_BATCHES))
        return overview.view(listed, list(rows.values()), str(self._results), MOST_RUNS)

    def _batch(self, name: str) -> View:
        found = book.find(self._results, name)
        entries = self.following.entries_of([place.run for place in found.places if place.run])
        known = {entry: self._of_batches.get(entry) or self._of_batch(entry) for entry in entries}
        self._of_batches = known
        rows = {entry.id: one.row for entry, one in known.items()}
        spent = spent_on(told for one in known.values() for told in one.asked)
        return batches.view(found, summed(found, rows, [one.gpu for one in known.values()], spent))

    def _of_batch(self, entry: Entry) -> _OfBatch:
        """Of its attempts the best alone is read whole, for its distance to the limit."""
        outline = self.following.outline(entry.id)
        top = best(outline)
        followed = self.following.of_attempt(entry.id, top.index if top else 0)
        with known_as(followed.gpu):
            share = share_reached(followed.run.attempts[0], outline.gpu) if top else None
        found = row(outline, entry.stop_reason or entry.state, lambda attempt, gpu: share)
        return _OfBatch(found, outline.gpu, followed.interactions)

    def _run(self, run_id: str) -> View:
        followed = self.following.run(run_id)
        return one_run.view(shows(followed.run), _known(followed), followed.state)

    def _side(self, run_id: str) -> Side:
        followed = self.following.run(run_id)
        return Side(shows(followed.run), _known(followed))


def _known(followed: Followed) -> Known:
    """As its report says it: by what its GPU was known to reach when it began."""
    with known_as(followed.gpu):
        return known_of(followed.run, followed.interactions)
