"""A store with a run that has just begun."""

from pathlib import Path

import pytest

from samples import run
from tilewright.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    made = Store(tmp_path / "s.db")
    made.begin(run())
    return made
