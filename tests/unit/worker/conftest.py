"""One host for all tests of the worker: starting it takes seconds."""

from collections.abc import Iterator

import pytest

from tilewright.channel import WorkerHost


@pytest.fixture(scope="session")
def cpu_host() -> Iterator[WorkerHost]:
    with WorkerHost("cpu", jobs=2) as host:
        yield host
