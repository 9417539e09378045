"""Kills a real run with SIGKILL at random moments and resumes it: python -m benchmarks.kill_resume OUT.jsonl [KILLS]

After each kill the stored attempts must begin with those stored before; at the end no candidate was stored twice and
no worker process is left. One line per kill is written, with what was stored by then.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tilewright.store import Store

KERNEL = "level2/2_12.py"
BUDGET = 60


def main(out: Path, kills: int) -> int:
    folder = Path(tempfile.mkdtemp(prefix="tilewright-kill-"))
    moments = random.Random(20)
    known: list[str] = []
    rows = []
    for number in range(kills + 1):
        process = start(folder, first=number == 0)
        wait = moments.uniform(2.0, 14.0) if number < kills else 900.0
        clock = time.monotonic()
        try:
            process.wait(wait)
        except subprocess.TimeoutExpired:
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
        time.sleep(2.0)  # the workers notice that their parent is gone
        stored, reason = attempts(folder)
        rows.append(
            {
                "kill": number,
                "after_s": round(time.monotonic() - clock, 2),
                "exit": process.returncode,
                "stored": len(stored),
                "kept": stored[: len(known)] == known,
                "twice": len(stored) - len(set(stored)),
                "left": left_over(folder),
                "stop_reason": reason,
            }
        )
        print(rows[-1], flush=True)
        known = stored
        if process.returncode == 0:
            break
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    good = all(row["kept"] and not row["twice"] and not row["left"] for row in rows)
    return 0 if good and rows[-1]["exit"] == 0 else 1


def start(folder: Path, first: bool) -> subprocess.Popen[bytes]:
    run = ["tune", KERNEL, "--budget", str(BUDGET), "--evaluator", "offline"] if first else ["resume", "last"]
    command = [sys.executable, "-m", "tilewright", *run, "--results", str(folder), "--no-save", "--quiet"]
    (folder / "tmp").mkdir(exist_ok=True)
    return subprocess.Popen(command, env={**os.environ, "TMPDIR": str(folder / "tmp")})


def attempts(folder: Path) -> tuple[list[str], str]:
    path = folder / "tilewright.db"
    if not path.exists():
        return [], ""
    store = Store(path)
    try:
        run = store.load(store.find("last"))
    finally:
        store.close()
    return [attempt.candidate.id for attempt in run.attempts], run.stop_reason


def left_over(folder: Path) -> list[str]:
    """Processes that work in the run's temporary folder, and what lies there."""
    found = [str(path.name) for path in (folder / "tmp").iterdir()]
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            try:
                if str(folder).encode() in (process / "environ").read_bytes():
                    found.append(f"process {process.name}")
            except OSError:  # it ended just now
                continue
    return found


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 20))
