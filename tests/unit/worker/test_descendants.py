"""What is seen of the processes that come from one, and when they are too many or hold too much."""

import subprocess
import sys
from collections.abc import Iterator

import pytest

from tilewright.worker.isolation import descendants
from tilewright.worker.isolation.descendants import MOST_PROCESSES, Watch, living

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
GENEROUS = 1 << 50


@pytest.fixture
def started() -> Iterator[list[subprocess.Popen[bytes]]]:
    processes: list[subprocess.Popen[bytes]] = []
    yield processes
    for process in processes:
        process.kill()
        process.communicate()


def sleepers(count: int) -> subprocess.Popen[bytes]:
    """One process, and so many that it started, which are gone when it is."""
    script = (
        "import os, signal\n"
        "ends, held = os.pipe()\n"
        f"for _ in range({count}):\n"
        "    if os.fork() == 0:\n"
        "        os.close(held)\n"
        "        os.read(ends, 1)\n"
        "        os._exit(0)\n"
        "print('ready', flush=True)\n"
        "signal.pause()\n"
    )
    process = subprocess.Popen([sys.executable, "-S", "-c", script], stdout=subprocess.PIPE)
    assert process.stdout is not None and process.stdout.readline() == b"ready\n"
    return process


def test_more_processes_than_are_allowed_are_noticed_at_once(started: list[subprocess.Popen[bytes]]) -> None:
    watch = Watch(GENEROUS)
    started.append(sleepers(MOST_PROCESSES))
    assert watch.excess() == f"started more than {MOST_PROCESSES} processes"


def test_a_few_are_counted_with_their_children(started: list[subprocess.Popen[bytes]]) -> None:
    before = len(living())
    watch = Watch(GENEROUS)
    started.append(sleepers(3))
    assert watch.excess() == "" and len(living()) - before == 4


def test_memory_that_a_process_holds_is_noticed(started: list[subprocess.Popen[bytes]]) -> None:
    watch = Watch(memory_bytes=1 << 20)
    started.append(sleepers(1))
    assert "GB of memory" in watch.excess()


def test_of_many_only_the_machine_is_asked(
    started: list[subprocess.Popen[bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of them shares its pages with the others: what they hold together says nothing."""
    monkeypatch.setattr(descendants, "_proportional", lambda pid: pytest.fail("asked"))
    watch = Watch(memory_bytes=1 << 20)
    started.append(sleepers(80))
    assert watch.excess() == ""
    monkeypatch.setattr(descendants, "_share_available", lambda: 0.01)
    assert "GB of memory" in watch.excess()
