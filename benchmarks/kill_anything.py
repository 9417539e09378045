"""Kills any process of a run with SIGKILL, at random moments: python -m benchmarks.kill_anything OUT.jsonl [--help]

The roles (main, host, zygote, keeper, runner) take turns in a random order; before every other kill one more
evaluation is waited for, so that runs come forward. A run whose main process was killed is
resumed, one that came to its end is followed by another. After each kill the stored attempts must begin with those
stored before it, unchanged, and hold no candidate twice; once the main process is gone, no process and no file
outside the results folder may be left. One line per kill is written as soon as it is over, and one with the sums of
the command. Started again it goes on with the kills that OUT has no row of, for this program, commit and seed; other
rows are dropped from it.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks import rowfile
from tilewright.errors import UsageError
from tilewright.judge import commit
from tilewright.records import Attempt
from tilewright.store import Store

ROOT = Path(__file__).resolve().parents[1]
ROLES = ("main", "host", "zygote", "keeper", "runner")
ZYGOTE = b"tilewright.worker.processes.zygote"
KERNEL = "level2/2_12.py"
GONE_S = 60.0
"""How long the processes of a killed one may take to notice."""
APPEARS_S = 120.0
"""How long a process of a role may take to appear."""


def main(arguments: argparse.Namespace) -> int:
    like = {"program": arguments.program, "seed": arguments.seed, "commit": commit()}
    known = [row for row in rowfile.begun(arguments.out, **like) if "role" in row]
    chance = random.Random(arguments.seed + len(known))
    roles = [arguments.roles[number % len(arguments.roles)] for number in range(arguments.kills)]
    random.Random(arguments.seed).shuffle(roles)
    left = list(enumerate(roles))[len(known) :]
    if not left:
        return 0 if all(map(is_good, known)) else 1
    until = time.monotonic() + arguments.seconds
    with tempfile.TemporaryDirectory(prefix="kill-anything-") as folder:
        subject = Subject(Path(folder), arguments.program)
        rows: list[rowfile.Row] = []
        try:
            for number, role in left:
                if time.monotonic() > until:
                    print("out of time; the same command goes on where it stopped", flush=True)
                    break
                row = one_kill(subject, role, chance, arguments.most_s, comes_forward=number % 2 == 1)
                rows.append({"kill": number, **row, **like})
                rowfile.append(arguments.out, rows[-1])
                print(json.dumps(rows[-1]), flush=True)
            subject.finish()
        finally:
            subject.end()
        sums = {**like, "kills": Counter(row["role"] for row in rows), **subject.sums(), **where()}
    print(json.dumps(sums), flush=True)
    rowfile.append(arguments.out, sums)
    return 0 if all(is_good(row) for row in (*known, *rows)) and not sums["faults"] else 1


def one_kill(
    subject: Subject, role: str, chance: random.Random, most_s: float, comes_forward: bool
) -> dict[str, Any]:
    subject.go_on()
    if comes_forward:
        subject.await_progress()
    moment_s = chance.uniform(0.0, most_s)
    time.sleep(moment_s)
    victim = chance.choice(subject.processes_of(role))
    subject.look()
    theirs = below(victim)
    with suppress(ProcessLookupError):  # it has just ended
        os.kill(victim, signal.SIGKILL)
    clock = time.monotonic()
    if role == "zygote":  # keepers outlive it, until what they keep has ended
        theirs = []
    left = [f"process {pid}" for pid in remaining(theirs)]
    if role == "main":
        subject.process.wait()
        left += subject.left_over()
    gone_s = time.monotonic() - clock
    kept, twice = subject.look()
    return {
        "role": role,
        "moment_s": round(moment_s, 2),
        "stored": len(subject.stored),
        "kept": kept,
        "twice": twice,
        "gone_s": round(gone_s, 2),
        "left": left,
    }


def where() -> dict[str, str]:
    versions = {name: version(name) for name in ("torch", "tilelang")}
    return {"system": platform.platform(), "python": platform.python_version(), **versions, "commit": commit()}


def is_good(row: dict[str, Any]) -> bool:
    return bool(row["kept"]) and not row["twice"] and not row["left"]


@dataclass
class Subject:
    """Runs of one program, one after another, each in a results folder of its own; one temporary folder."""

    folder: Path
    program: str
    number: int = 0
    process: subprocess.Popen[bytes] = field(init=False)
    started: bool = False
    stored: tuple[Attempt, ...] = ()
    faults: list[str] = field(default_factory=list)
    past: list[Attempt] = field(default_factory=list)
    resumed: int = 0

    def __post_init__(self) -> None:
        self.temporary.mkdir()
        self._shared = set(shared_memory())

    @property
    def results(self) -> Path:
        return self.folder / f"results{self.number}"

    @property
    def temporary(self) -> Path:
        return self.folder / "tmp"

    def go_on(self) -> None:
        """Start it, resume it, or begin the next run where this one has ended."""
        if self.started and self.process.poll() is None:
            return
        if self.started and self.process.returncode == 2:  # the next start would end like this one
            sys.exit(f"--program {self.program} can't run here")
        if self.started and self.process.returncode >= 0:
            self._ended()
        self.resumed += bool(self.stored)
        modules = os.pathsep.join([str(ROOT / "src"), *filter(None, [os.environ.get("PYTHONPATH")])])
        self.process = subprocess.Popen(
            self._command(),
            env={**os.environ, "TMPDIR": str(self.temporary), "PYTHONPATH": modules},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
        self.started = True

    def processes_of(self, role: str) -> list[int]:
        """At least one; waits for it, and begins runs anew until there is."""
        end = time.monotonic() + APPEARS_S
        while time.monotonic() < end:
            self.go_on()
            found = [pid for pid, its in roles_of(self.process.pid) if its == role]
            if found:
                return found
            time.sleep(0.02)
        raise RuntimeError(f"no {role} appeared within {APPEARS_S:.0f} s")

    def await_progress(self) -> None:
        """Until an evaluation has been stored after now."""
        before, end = len(self.past) + len(self.stored), time.monotonic() + APPEARS_S
        while len(self.past) + len(self.stored_now() or ()) <= before and time.monotonic() < end:
            self.go_on()
            time.sleep(0.05)

    def look(self) -> tuple[bool, int]:
        """Whether all that was stored when last looked is there unchanged, and how many candidates are twice."""
        now = self.stored_now() or ()
        kept = now[: len(self.stored)] == self.stored
        ids = [attempt.candidate.id for attempt in now]
        self.stored = now
        return kept, len(ids) - len(set(ids))

    def stored_now(self) -> tuple[Attempt, ...] | None:
        """The stored attempts; None where there is no run yet."""
        path = self.results / "tilewright.db"
        if not path.exists():
            return None
        store = Store(path)
        try:
            return store.load(store.find("last")).attempts
        except UsageError:
            return None
        finally:
            store.close()

    def left_over(self) -> list[str]:
        """What is there, `GONE_S` after the main process ended, that should not be."""
        end = time.monotonic() + GONE_S
        while (found := [*self._files(), *self._processes()]) and time.monotonic() < end:
            time.sleep(0.05)
        return found

    def finish(self) -> None:
        """Let the run in hand come to its end."""
        self.go_on()
        self.process.wait()
        self._ended()

    def end(self) -> None:
        """Whatever became of it."""
        if self.started:
            self.process.kill()
            self.process.wait()

    def sums(self) -> dict[str, Any]:
        outcomes = Counter(a.evaluation.outcome if a.evaluation else "abandoned" for a in self.past)
        return {
            "runs": self.number,
            "resumed": self.resumed,
            "outcomes": outcomes,
            "abandoned": [a.error for a in self.past if a.error],
            "faults": self.faults,
        }

    def _ended(self) -> None:
        """The run in hand came to its end by itself."""
        kept, twice = self.look()
        self.faults += [f"run {self.number}: lost or repeated an evaluation"] * (not kept or twice > 0)
        self.faults += [f"run {self.number}: exit status {self.process.returncode}"] * bool(self.process.returncode)
        self.faults += [f"run {self.number}: left {what}" for what in self.left_over()]
        self.past += self.stored
        self.number, self.stored = self.number + 1, ()

    def _command(self) -> list[str]:
        if self.program == "modules":
            sample = ROOT / "tests" / "samples" / "killable_run.py"
            files = [str(self.results / name) for name in ("tilewright.db", "log")]
            return [sys.executable, str(sample), *files, "cpu"]
        run = ["resume", "last"]
        if self.stored_now() is None:
            evaluator = "local" if self.program == "gpu" else "offline"
            run = ["tune", KERNEL, "--budget", "40", "--evaluator", evaluator]
        return [sys.executable, "-m", "tilewright", *run, "--results", str(self.results), "--no-save", "--quiet"]

    def _files(self) -> list[str]:
        """Locks of GPUs stay: they are empty, and other runs may wait for them."""
        names = {path.name for path in self.temporary.iterdir() if not path.name.startswith("tilewright-gpu-")}
        return sorted(names) + sorted(set(shared_memory()) - self._shared)

    def _processes(self) -> list[str]:
        """Those that were started with our temporary folder in their environment."""
        marker, found = os.fsencode(self.temporary), []
        for entry in Path("/proc").iterdir():
            with suppress(OSError):  # it ended just now
                if entry.name.isdigit() and marker in (entry / "environ").read_bytes():
                    found.append(f"process {entry.name}")
        return found


def roles_of(main: int) -> Iterator[tuple[int, str]]:
    """The processes of a run with what each of them is, by where it stands in the tree. Compilers are left out."""
    parents = parent_of_each()
    yield main, "main"
    for host in (pid for pid, parent in parents.items() if parent == main and runs(pid, b"tilewright.worker")):
        yield host, "host"
        for zygote in (pid for pid, parent in parents.items() if parent == host and runs(pid, ZYGOTE)):
            yield zygote, "zygote"
            for keeper in (pid for pid, parent in parents.items() if parent == zygote):
                yield keeper, "keeper"
                for runner in (pid for pid, parent in parents.items() if parent == keeper):
                    yield runner, "runner"


def below(pid: int) -> list[int]:
    parents = parent_of_each()
    found = [child for child, parent in parents.items() if parent == pid]
    for child in found:
        found += [grandchild for grandchild, parent in parents.items() if parent == child]
    return found


def remaining(pids: list[int]) -> list[int]:
    """Those that still run `GONE_S` from now."""
    end = time.monotonic() + GONE_S
    while (there := [pid for pid in pids if pid in parent_of_each()]) and time.monotonic() < end:
        time.sleep(0.05)
    return there


def parent_of_each() -> dict[int, int]:
    """Of all processes but those that have ended and wait to be reaped."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                state, parent = (entry / "stat").read_text(errors="replace").rpartition(")")[2].split()[:2]
                if state != "Z":
                    parents[int(entry.name)] = int(parent)
    return parents


def runs(pid: int, module: bytes) -> bool:
    with suppress(OSError):
        return module in Path("/proc", str(pid), "cmdline").read_bytes().split(b"\0")
    return False


def shared_memory() -> list[str]:
    folder = Path("/dev/shm")
    return [str(path) for path in folder.iterdir()] if folder.is_dir() else []


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--roles", type=lambda text: text.split(","), default=ROLES, help="which ones to kill")
    parser.add_argument("--seed", type=int, default=20)
    parser.add_argument("--most-s", type=float, default=6.0, help="a kill follows the last one after at most this")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="kill none after so many seconds")
    parser.add_argument(
        "--program",
        choices=("tune", "gpu", "modules"),
        default="modules",
        help=f"modules: small PyTorch modules, verified on the CPU; tune: {KERNEL} offline; gpu: the same, measured",
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main(_arguments()))
