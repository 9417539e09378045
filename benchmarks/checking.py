"""What `tilewright check` costs on a CPU: python -m benchmarks.checking OUT.jsonl [KERNEL...] [--as-is] [--budget 60]

Kernels go one after another through the gates, at a reduced batch unless `--as-is` is given; PyTorch and TileLang are
imported before the clock starts. A gate's seconds are those that it was waited for: execution begins while the
compiler is at work. CPU seconds are those of all processes together, so that what else the machine does
counts less; memory is the most that they held at a time, shared pages counted once. The last row is the product of
two 2048 by 2048 half-precision matrices, executed in one process.
"""

from __future__ import annotations

import argparse
import ast
import dataclasses
import json
import statistics
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from benchmarks.spending import cpu_s, peak_memory
from tilewright import targets
from tilewright.config import resolve
from tilewright.judge import commit, config_for
from tilewright.kernelfile import corpus_root, load_kernel
from tilewright.loading import up_to_date
from tilewright.problems import problem_for
from tilewright.protocols import Gate
from tilewright.records import Evidence, Problem, Workload

SMALL = {"batch_size": 2, "batch": 2, "M": 128}
"""Constants of references that make the batch, and what they are reduced to."""
WARM_UP = "1_20"


def main(out: Path, names: Sequence[str], as_is: bool, budget_s: float) -> None:
    paths = sorted(corpus_root().glob("level*/*.py")) if not names else [load_kernel(name).path for name in names]
    target = targets.choose_target(resolve(config_for(WARM_UP, "offline")))
    out.parent.mkdir(parents=True, exist_ok=True)
    rows = []
    with open(out, "w", encoding="utf-8") as file, targets.workers(target) as host:
        gates = targets.gates_for(target, host, budget_s, instructions=False)
        _row(gates, load_kernel(WARM_UP).path, as_is=False)
        for row in _all(gates, paths, as_is):
            rows.append(row)
            file.write(json.dumps({**row, "as_is": as_is, "commit": commit()}) + "\n")
            file.flush()
            print(row, flush=True)
    for field in ("seconds", "cpu_s"):
        spent = sorted(row[field] for row in rows[:-1])
        print(f"{field}: median {statistics.median(spent):.2f}, p90 {spent[int(0.9 * (len(spent) - 1))]:.2f}")
    print(f"memory: {max(row['peak_mb'] for row in rows[:-1])} MB")


def _all(gates: Sequence[Gate], paths: Sequence[Path], as_is: bool) -> Iterator[dict[str, Any]]:
    for path in paths:
        yield _row(gates, path, as_is)
    yield _product()


def _row(gates: Sequence[Gate], path: Path, as_is: bool) -> dict[str, Any]:
    kernel = load_kernel(str(path))
    problem = problem_for(kernel)
    problem = problem if as_is else _reduced(problem)
    candidate, _ = up_to_date(kernel)
    evidence, spent, outcome = Evidence(), dict[str, float](), "passed"
    start, cpu = time.monotonic(), cpu_s()
    with peak_memory() as peak:
        for gate in gates:
            clock = time.monotonic()
            verdict = gate.check(candidate, problem, evidence)
            evidence = verdict.evidence
            spent[gate.name] = round(time.monotonic() - clock, 3)
            if verdict.failure is not None:
                outcome = verdict.failure.outcome
                break
    execution = evidence.execution
    skipped = [*evidence.not_checked, *(execution.not_checked if execution else ())]
    return {
        "kernel": path.stem,
        "outcome": "not_checked" if skipped and outcome == "passed" else outcome,
        "why": skipped[0] if skipped else "",
        "seconds": round(time.monotonic() - start, 3),
        "cpu_s": round(cpu_s() - cpu, 3),
        "gates": spent,
        "blocks": execution.blocks if execution else 0,
        "peak_mb": peak[0] >> 20,
    }


def _reduced(problem: Problem) -> Problem:
    """The first workload with a small batch, where the reference has a constant for it."""
    constants = {
        node.targets[0].id: node.value.value
        for node in ast.parse(problem.source).body
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and isinstance(node.value, ast.Constant)
    }
    small = [(name, size) for name, size in SMALL.items() if _larger(constants.get(name), size)][:1]
    first = problem.workloads[0]
    kept = [item for item in first.overrides if item[0] not in dict(small)]
    return dataclasses.replace(
        problem, workloads=(Workload(first.name, first.weight, (*kept, *small), first.inputs),)
    )


def _larger(constant: object, size: int) -> bool:
    return isinstance(constant, int) and constant > size


def _product() -> dict[str, Any]:
    """In a process of its own, since torch is not imported here; the best of three, for at first memory is new."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        tries = [pool.submit(_multiply).result() for _ in range(3)]
    seconds, spent = min(tries)
    return {"kernel": "product of 2048 x 2048 in fp16", "seconds": round(seconds, 3), "cpu_s": round(spent, 3)}


def _multiply() -> tuple[float, float]:
    import torch

    from benchmarks.checked_product import product
    from tilewright.interpreter import run

    kernel = product(2048)
    a, b = torch.randn(2048, 2048).half(), torch.randn(2048, 2048).half()
    c = torch.full((2048, 2048), torch.nan, dtype=torch.half)
    start, cpu = time.monotonic(), time.process_time()
    run(kernel, a, b, c)
    return time.monotonic() - start, time.process_time() - cpu


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("kernels", nargs="*")
    parser.add_argument("--as-is", action="store_true", help="at full size, as `tilewright check` does")
    parser.add_argument("--budget", type=float, default=60.0)
    given = parser.parse_args()
    main(given.out, given.kernels, given.as_is, given.budget)
