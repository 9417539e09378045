"""What compiling costs, one by one and together: python -m benchmarks.compiling OUT.jsonl [--rounds 3] [--gpu H100]

Two times eight kernels: settings of one matrix product, and kernels of the corpus that have little in common. A row
is one pass over eight: lowering, nvcc, the library for the GPU's machine and the facts, per kernel, in a new process
with an empty cache, after imports. Passes one by one and passes together take turns; CPU seconds are those of all
processes, so that what else the machine does counts less. `same` says whether both passes found the same facts.

The passes "at the gate" are what `tilewright check` does with them: eight candidates side by side, each in a locked
process of its own, without the library and without reading instructions; seconds are per candidate."""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import itertools
import json
import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from benchmarks.spending import cpu_s
from tilewright import targets
from tilewright.gates.compile import CompileGate
from tilewright.hardware import load_gpu
from tilewright.judge import commit
from tilewright.kernelfile import load_kernel
from tilewright.loading import up_to_date
from tilewright.problems import problem_for
from tilewright.records import Candidate, Evidence, Problem
from tilewright.source.knobs import with_values
from tilewright.toolchain.programs import find_nvcc

PRODUCT = "1_1"
SETTINGS = [
    {"block_M": block, "block_N": 128, "block_K": depth, "num_stages": stages, "threads": 128}
    for block, depth, stages in itertools.product((64, 128), (32, 64), (2, 3))
]
CORPUS = ("1_1", "1_2", "1_20", "1_25", "1_47", "1_54", "1_95", "2_10")
TIMEOUT_S = 600.0


def main(out: Path, rounds: int, gpu: str) -> None:
    product = load_kernel(PRODUCT)
    settings = [_with(product, values) for values in SETTINGS]
    sets = {"settings": settings, "corpus": [_with(load_kernel(name), {}) for name in CORPUS]}
    about = {"gpu": gpu, "cores": len(os.sched_getaffinity(0)), "versions": _versions(), "commit": commit()}
    # Forked, so that nothing is imported again, and each once, so that TileLang has no kernel in memory.
    pool = get_context("fork").Pool(1, initializer=_warm_up, initargs=(gpu,), maxtasksperchild=1)
    out.parent.mkdir(parents=True, exist_ok=True)
    rows: list[dict[str, Any]] = []
    with open(out, "w", encoding="utf-8") as file, pool:

        def told(row: dict[str, Any]) -> None:
            rows.append(row)
            file.write(json.dumps({**row, **about}) + "\n")
            file.flush()
            print(row, flush=True)

        for number, (name, tasks) in itertools.product(range(rounds), sets.items()):
            passes = {how: pool.apply(_timed, (tasks, gpu, how == "together")) for how in ("one by one", "together")}
            same = len({one["facts"] for one in passes.values()}) == 1
            for how, one in passes.items():
                told({"set": name, "how": how, "round": number, **one, "same": same})
        for number, (name, tasks) in itertools.product(range(rounds), sets.items()):
            told({"set": name, "how": "at the gate", "round": number, **_at_the_gate(tasks, gpu)})
    for name, how in itertools.product(sets, ("one by one", "together", "at the gate")):
        chosen = [row for row in rows if (row["set"], row["how"]) == (name, how)]
        medians = {field: round(statistics.median(row[field] for row in chosen), 2) for field in ("seconds", "cpu_s")}
        print(f"{name} {how}: {medians} a kernel")


def _with(kernel: Any, values: dict[str, Any]) -> tuple[Candidate, Problem]:
    candidate, _ = up_to_date(kernel)
    return dataclasses.replace(candidate, source=with_values(candidate.source, values)), problem_for(kernel)


def _versions() -> dict[str, str]:
    nvcc = find_nvcc()
    assert nvcc is not None, "nvcc is not installed"
    said = subprocess.run([nvcc, "--version"], capture_output=True, text=True, check=True).stdout
    return {"tilelang": version("tilelang"), "nvcc": said.rpartition(", V")[2].split()[0]}


def _warm_up(gpu: str) -> None:
    """What is done once in a process: imports, TileLang's first lowering."""
    from tilewright.toolchain.lower import lower

    for request in _requests([_with(load_kernel("1_20"), {})], gpu):
        lower(request.prim_func, load_gpu(gpu))


def _timed(tasks: Sequence[tuple[Candidate, Problem]], gpu: str, together: bool) -> dict[str, Any]:
    from tilewright.toolchain.compile import compile_kernels

    requests = list(_requests(tasks, gpu))
    with tempfile.TemporaryDirectory() as folder:
        os.environ["TILELANG_CACHE_DIR"] = folder
        start, cpu = time.monotonic(), _cpu_s()
        batches = [requests] if together else [[request] for request in requests]
        found = [one for batch in batches for one in compile_kernels(batch, load_gpu(gpu), TIMEOUT_S)]
        spent = time.monotonic() - start, _cpu_s() - cpu
    failed = [one for one in found if isinstance(one, Exception)]
    if failed:
        raise failed[0]
    return {
        "kernels": len(found),
        "seconds": round(spent[0] / len(found), 3),
        "cpu_s": round(spent[1] / len(found), 3),
        "facts": hashlib.sha256(repr(found).encode()).hexdigest()[:16],
    }


def _at_the_gate(tasks: Sequence[tuple[Candidate, Problem]], gpu: str) -> dict[str, Any]:
    target = targets.Target("offline", gpu, "a benchmark")
    with targets.workers(target) as host, ThreadPoolExecutor(len(tasks)) as pool:
        gate = CompileGate(host, load_gpu(gpu), instructions=False)
        gate.check(*_with(load_kernel("1_20"), {}), Evidence())
        start, cpu = time.monotonic(), cpu_s()
        verdicts = list(pool.map(lambda task: gate.check(*task, Evidence()), tasks))
        spent = time.monotonic() - start, cpu_s() - cpu
    failed = [str(verdict.failure) for verdict in verdicts if verdict.failure]
    assert not failed, failed
    kernels = sum(len(facts.kernels) for verdict in verdicts for facts in verdict.evidence.facts)
    return {"kernels": kernels, "seconds": round(spent[0] / len(tasks), 3), "cpu_s": round(spent[1] / len(tasks), 3)}


def _requests(tasks: Sequence[tuple[Candidate, Problem]], gpu: str) -> Iterator[Any]:
    from tilewright.toolchain.harvest import harvest

    for candidate, problem in tasks:
        yield from (
            kernel.request for kernel in harvest(candidate, problem, problem.workloads[0], load_gpu(gpu).sms).kernels
        )


def _cpu_s() -> float:
    spent = os.times()
    return spent.user + spent.system + spent.children_user + spent.children_system


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--gpu", default="H100")
    given = parser.parse_args()
    main(given.out, given.rounds, given.gpu)
