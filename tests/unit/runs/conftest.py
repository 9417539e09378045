"""One set of worker processes for all runs of these tests: starting it takes seconds."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from scripted_runs import KEY, Workplace

from tilewright.targets import SharedWorkers


@pytest.fixture(scope="session")
def key() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TILEWRIGHT_API_KEY", KEY)
        yield


@pytest.fixture(scope="session")
def shared(key: None) -> Iterator[SharedWorkers]:
    """Started with a key in the environment."""
    workers = SharedWorkers()
    yield workers
    workers.close()


@pytest.fixture
def workplace(tmp_path: Path, shared: SharedWorkers) -> Workplace:
    return Workplace(tmp_path, shared)
