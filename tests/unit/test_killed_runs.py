"""Whatever of a run is killed, at any moment: it goes on, nothing finished is lost or repeated, nothing is left."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

from tilewright.store import Store

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = ROOT / "tests" / "samples"
SOURCE = ROOT / "src"
KILLS = 20


def test_a_run_killed_twenty_times_loses_nothing_and_repeats_at_most_what_was_in_flight(tmp_path: Path) -> None:
    store, log = tmp_path / "s.db", tmp_path / "log"
    moments = random.Random(7)
    kept: list[str] = []
    kills = 0
    for _ in range(200):
        process = start(store, log)
        try:
            process.wait(moments.uniform(0.0, 0.06) + wait_for_work(log) if kills < KILLS else 30)
            break
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
            kills += 1
        stored = (
            [attempt.candidate.hypothesis for attempt in Store(store).load("r1").attempts] if has_run(store) else []
        )
        assert stored[: len(kept)] == kept
        kept = stored
    run = Store(store).load("r1")
    names = [attempt.candidate.hypothesis for attempt in run.attempts]
    assert run.stop_reason == "iterations"
    assert names == ["0", *(str(turn * 10 + i) for turn in range(1, 7) for i in range(4))]
    evaluated = Counter(line.split()[1] for line in log.read_text().splitlines() if line.startswith("begin"))
    assert set(evaluated) == set(names)
    assert sum(evaluated.values()) - len(names) <= kills, "more was repeated than was in flight"
    assert kills >= 5


def test_a_killed_process_of_any_role_costs_no_finished_evaluation_and_leaves_nothing(tmp_path: Path) -> None:
    out = tmp_path / "kills.jsonl"
    command = [sys.executable, "-m", "benchmarks.kill_anything", str(out), "--kills", "8", "--most-s", "1"]
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(SOURCE)}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    *kills, sums = [json.loads(line) for line in out.read_text().splitlines()]
    assert {row["role"] for row in kills} == {"main", "host", "zygote", "keeper", "runner"}
    assert all(row["kept"] and not row["left"] for row in kills)
    assert sums["runs"] >= 1 and not sums["faults"]


def start(store: Path, log: Path) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "PYTHONPATH": str(SOURCE)}
    command = [sys.executable, str(SAMPLES / "killable_run.py"), str(store), str(log)]
    return subprocess.Popen(command, env=environment)


def wait_for_work(log: Path) -> float:
    """Until the process has begun something new: kills in its start-up would only make the test long."""
    before = log.stat().st_size if log.exists() else 0
    clock = time.monotonic()
    while time.monotonic() - clock < 5:
        if log.exists() and log.stat().st_size > before:
            return 0.0
        time.sleep(0.002)
    return 0.0


def has_run(path: Path) -> bool:
    store = Store(path)
    try:
        return bool(store.find("last"))
    except Exception:  # no run was stored before the first kill
        return False
    finally:
        store.close()
