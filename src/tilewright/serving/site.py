"""What is to be seen at each address, as the store is now?"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from pathlib import Path

from tilewright.report.page import candidates
from tilewright.report.page.markup import Html
from tilewright.report.page.shown import shows
from tilewright.reporting import known_of
from tilewright.serving import comparing, one_run, overview
from tilewright.serving.comparing import Side
from tilewright.serving.following import Entry, Following
from tilewright.serving.live import View

MOST_RUNS = 200
"""Shown on the page of all: the outline of one takes some 20 ms to read, once."""
_REMEMBERED = 16
"""Pages that are kept until the store changes: several browsers look at the same."""


class Site:
    """The pages of the store in the folder `results`. For several threads; one page is made at a time, since a run
    may need the processors more. Raises `UsageError` for a run that isn't there, `StoreError`."""

    def __init__(self, results: Path) -> None:
        self.following = Following(results)
        self._folder = str(results)
        self._lock = threading.Lock()
        self._rows: dict[Entry, Html] = {}
        self._views: dict[tuple[str, ...], tuple[Hashable, View]] = {}

    def overview(self) -> View:
        return self._kept((), self._overview)

    def run(self, run_id: str) -> View:
        return self._kept((run_id,), lambda: self._run(run_id))

    def comparison(self, one: str, other: str) -> View:
        return self._kept((one, other), lambda: comparing.view(self._side(one), self._side(other)))

    def sources(self, run_id: str) -> str:
        return candidates.packed(self.following.run(run_id).run)

    def best_sources(self, one: str, other: str) -> str:
        return comparing.packed(self._side(one), self._side(other))

    def _kept(self, address: tuple[str, ...], make: Callable[[], View]) -> View:
        with self._lock:
            version = self.following.version()
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
        return overview.view(list(rows.values()), self._folder, MOST_RUNS)

    def _run(self, run_id: str) -> View:
        followed = self.following.run(run_id)
        return one_run.view(shows(followed.run), known_of(followed.run, followed.interactions), followed.state)

    def _side(self, run_id: str) -> Side:
        followed = self.following.run(run_id)
        return Side(shows(followed.run), known_of(followed.run, followed.interactions))
