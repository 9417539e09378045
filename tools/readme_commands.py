"""Runs every command that a README shows: lines that begin with `$ ` in its console blocks, in order."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path


def commands(text: str) -> list[str]:
    """The shown commands; a trailing backslash goes on in the next line."""
    found: list[str] = []
    for block in re.findall(r"^```console\n(.*?)^```", text, re.S | re.M):
        joined = block.replace("\\\n", " ")
        found += [line[2:].strip() for line in joined.splitlines() if line.startswith("$ ")]
    return found


def main(readme: Path) -> int:
    root = readme.resolve().parent
    venv = root / ".venv" / "bin"
    environment = {**os.environ, "PATH": f"{venv}:{os.environ['PATH']}"}
    shown = commands(readme.read_text(encoding="utf-8"))
    for command in shown:
        print(f"$ {command}", flush=True)
        clock = time.monotonic()
        done = subprocess.run(["bash", "-c", command], cwd=root, env=environment, stdin=subprocess.DEVNULL)
        print(f"-- exit {done.returncode}, {time.monotonic() - clock:.1f} s", flush=True)
        if done.returncode:
            return 1
    print(f"{len(shown)} README commands ran")
    return 0 if shown else 1


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
