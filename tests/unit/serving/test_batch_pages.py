"""The page of a batch while it goes on: what its runs have come to, each time it is looked at."""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("starlette")
TESTS = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS / "report"))
from searched import searched_run  # noqa: E402
from served import stored  # noqa: E402

from tilewright.batching.book import Batch, Place, write  # noqa: E402
from tilewright.errors import UsageError  # noqa: E402
from tilewright.serving.site import Site  # noqa: E402
from tilewright.store import FILE, Store  # noqa: E402

RUN = searched_run(12)
PLACES = (Place("level1/1_1.py", RUN.id), Place("level1/1_2.py"), Place("level1/1_3.py", error="no reference"))


def text(markup: str) -> str:
    return re.sub(r"<.*?>", " ", markup)


def test_a_batch_is_shown_as_far_as_it_has_come(tmp_path: Path) -> None:
    stored(tmp_path, replace(RUN, attempts=RUN.attempts[:2]), ended=False)
    write(tmp_path, Batch("friday", "0", (), "2026-11-22T09:30:00Z", PLACES, 60.0))
    site = Site(tmp_path)
    first = site.batch("friday").parts
    assert "1.33x" in text(first["headline"]) and "1 of 3 kernels are worked on now" in first["why"]
    assert f'href="/runs/{RUN.id}"' in first["kernels"] and "no reference" in first["kernels"]
    assert ">27%<" in first["kernels"]  # of the limit
    before = site.version()
    store = Store(tmp_path / FILE)
    for attempt in RUN.attempts[2:]:
        store.append(RUN.id, attempt)
    store.finish(RUN)
    store.close()
    second = site.batch("friday").parts
    assert site.version() != before and list(second) == list(first)
    assert "1.87x" in text(second["headline"]) and "--resume friday" in second["why"]
    assert "3 kernels" in second["used"] and "11 candidates" in second["used"]


def test_batches_are_listed_above_the_runs(tmp_path: Path) -> None:
    site = Site(tmp_path)
    assert site.overview().parts["batches"] == ""
    write(tmp_path, Batch("friday", "0", (), "2026-11-22T09:30:00Z", PLACES, 60.0))
    assert "friday (1 of 3 kernels ended)" in " ".join(text(site.overview().parts["batches"]).split())
    assert "2 waits" in site.batch("friday").parts["used"]
    with pytest.raises(UsageError, match="no batch"):
        site.batch("monday")
