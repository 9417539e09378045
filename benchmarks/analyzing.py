"""What `tilewright analyze` costs without a GPU: python -m benchmarks.analyzing OUT.jsonl [KERNEL...] [--gpu H100]

A row a kernel, each analysed once by processes that are warm: PyTorch and TileLang are imported, no kernel has been
compiled. `gathering_s` is the worker's part (the module on tensors without data, TileLang, nvcc, nvdisasm), the rest
of `seconds` is rules, time model and the way there and back. CPU seconds are those of all processes together, so that
what else the machine does counts less. `--command` starts `tilewright analyze` anew for each, imports included."""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.spending import cpu_s
from tilewright import targets
from tilewright.config import resolve
from tilewright.judge import analyzed, case_of, commit, config_for, judging
from tilewright.kernelfile import corpus_root, load_kernel

WARM_UP = "1_20"


def main(out: Path, names: Sequence[str], gpu: str, command: bool) -> None:
    paths = sorted(corpus_root().glob("level*/*.py")) if not names else [load_kernel(name).path for name in names]
    about = {
        "how": "command" if command else "warm",
        "gpu": gpu,
        "commit": commit(),
        "cores": len(os.sched_getaffinity(0)),
    }
    out.parent.mkdir(parents=True, exist_ok=True)
    rows = []
    with open(out, "a", encoding="utf-8") as file:
        for row in _as_commands(paths, gpu) if command else _warm(paths, gpu):
            rows.append(row)
            file.write(json.dumps({**row, **about}) + "\n")
            file.flush()
            print(row, flush=True)
    for field in ("seconds", "cpu_s"):
        spent = sorted(row[field] for row in rows)
        print(f"{field}: median {statistics.median(spent):.2f}, p90 {spent[int(0.9 * (len(spent) - 1))]:.2f}")


def _warm(paths: Sequence[Path], gpu: str) -> Iterator[dict[str, Any]]:
    target = targets.choose_target(resolve(config_for(WARM_UP, "offline", gpu)))
    with judging(target) as judge:
        analyzed(case_of(WARM_UP), judge, target)
        for path in paths:
            if path.stem == WARM_UP:
                continue  # it is in the cache by now
            case = case_of(str(path))
            start, cpu = time.monotonic(), cpu_s() + time.process_time()
            found = analyzed(case, judge, target)
            yield {
                "kernel": path.stem,
                "outcome": found.evaluation.outcome if found.evaluation else "analysed",
                "seconds": round(time.monotonic() - start, 3),
                "cpu_s": round(cpu_s() + time.process_time() - cpu, 3),
                "gathering_s": round(sum(facts.seconds for facts in found.evidence.facts), 3),
                "device_functions": sum(len(facts.kernels) for facts in found.evidence.facts),
                "findings": len(found.findings),
            }


def _as_commands(paths: Sequence[Path], gpu: str) -> Iterator[dict[str, Any]]:
    for path in paths:
        start, cpu = time.monotonic(), _ended_cpu_s()
        command = [
            sys.executable,
            "-m",
            "tilewright",
            "analyze",
            str(path),
            "--evaluator",
            "offline",
            "--gpu",
            gpu,
            "--json",
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        found = json.loads(done.stdout)
        yield {
            "kernel": path.stem,
            "seconds": round(time.monotonic() - start, 3),
            "cpu_s": round(_ended_cpu_s() - cpu, 3),
            "analysis_s": round(found["seconds"], 3),
            "findings": len(found["findings"]),
        }


def _ended_cpu_s() -> float:
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent.ru_utime + spent.ru_stime


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("kernels", nargs="*")
    parser.add_argument("--gpu", default="H100")
    parser.add_argument("--command", action="store_true")
    given = parser.parse_args()
    main(given.out, given.kernels, given.gpu, given.command)
