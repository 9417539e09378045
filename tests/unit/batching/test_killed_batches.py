"""A batch that is killed or stopped goes on, with another evaluator too, and repeats nothing that was finished."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from contextlib import closing
from itertools import cycle
from pathlib import Path

import pytest

from runs.scripted_runs import KERNEL, REFERENCE
from tilewright.batching import book
from tilewright.store import FILE, Store

ROOT = Path(__file__).resolve().parents[3]
SCRIPT = ROOT / "tests" / "samples" / "killable_batch.py"
KERNELS = 3
pytestmark = pytest.mark.skipif(os.name != "posix", reason="sends signals")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "reference.py").write_text(REFERENCE)
    for number in range(KERNELS):
        (tmp_path / f"kernel_{number}.py").write_text(f"{KERNEL}\n# {number}\n")
    (tmp_path / "kernel_broken.py").write_text("def broken(:\n")
    return tmp_path


def start(folder: Path, evaluator: str) -> subprocess.Popen[str]:
    paths = os.pathsep.join([str(ROOT / "src"), str(ROOT / "tests" / "unit")])
    command = [sys.executable, str(SCRIPT), str(folder), evaluator]
    environment = {**os.environ, "PYTHONPATH": paths}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, encoding="utf-8")


def logged(folder: Path) -> list[str]:
    log = folder / "log"
    return log.read_text().splitlines() if log.exists() else []


def wait_for_more(folder: Path, process: subprocess.Popen[str], count: int) -> None:
    before = len(logged(folder))
    while process.poll() is None and len(logged(folder)) < before + count:
        time.sleep(0.005)


def finished(folder: Path) -> dict[str, list[str]]:
    """Of each run that has begun, the candidates with an outcome."""
    with closing(Store(folder / "results" / FILE)) as store:
        runs = [store.load(name) for name in store.runs()]
    return {run.id: [attempt.candidate.id for attempt in run.attempts] for run in runs if run.attempts}


def states(process: subprocess.Popen[str]) -> dict[str, str]:
    out, _ = process.communicate(timeout=60)
    return {Path(kernel).stem: state for kernel, state in json.loads(out).items()}


def test_a_batch_killed_again_and_again_goes_on_with_another_evaluator(folder: Path) -> None:
    moments = random.Random(3)
    for evaluator in cycle(["modal", "ray"]):
        before, lines = (finished(folder) if logged(folder) else {}), len(logged(folder))
        process = start(folder, evaluator)
        wait_for_more(folder, process, moments.randint(5, 9))
        time.sleep(moments.uniform(0, 0.03))
        if process.poll() is not None:
            break
        process.send_signal(signal.SIGKILL)
        process.communicate()
        kept = finished(folder)
        assert all(kept[run][: len(ids)] == ids for run, ids in before.items())
        again = {line.split()[1] for line in logged(folder)[lines:]}
        assert not again & {id_ for ids in before.values() for id_ in ids}
    assert states(process) == {
        **{f"kernel_{number}": "iterations" for number in range(KERNELS)},
        "kernel_broken": "failed",
    }
    assert len(finished(folder)) == KERNELS
    assert {line.split()[0] for line in logged(folder)} == {"modal", "ray"}
    assert book.find(folder / "results", "last").ended


def test_ctrl_c_ends_a_batch_soon_and_it_goes_on(folder: Path) -> None:
    process = start(folder, "modal")
    wait_for_more(folder, process, 4)
    process.send_signal(signal.SIGINT)
    stopped = states(process)
    assert process.returncode == 0 and "interrupted" in stopped.values()
    before, lines = finished(folder), len(logged(folder))
    assert set(states(start(folder, "modal")).values()) == {"iterations", "failed"}
    assert not {line.split()[1] for line in logged(folder)[lines:]} & {id_ for ids in before.values() for id_ in ids}
    assert len(finished(folder)) == KERNELS
