"""Optimises kernels one after another and stores seed and best with their raw pairs.

python -m benchmarks.optimize_corpus OUT.jsonl KERNEL...      options of `tilewright optimize` follow after --

A row each as its run ends; a kernel with a row of this commit and these options in OUT is left out.
"""

from __future__ import annotations

import json
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

from benchmarks import rowfile
from tilewright import jsonform, targets
from tilewright.config import OptimizationConfig
from tilewright.errors import TilewrightError
from tilewright.judge import commit
from tilewright.kernelfile import find_kernel
from tilewright.records import Attempt
from tilewright.scores import best
from tilewright.wiring import main as optimize


def main(out: Path, kernels: list[str], options: dict[str, Any]) -> None:
    out.parent.mkdir(parents=True, exist_ok=True)
    done = {row["kernel"] for row in rowfile.known(out, commit(), options=options)}
    left = [name for name in kernels if find_kernel(name).name not in done]
    with closing(targets.SharedWorkers()) as shared:
        _optimized(out, left, options, shared)


def _optimized(out: Path, kernels: list[str], options: dict[str, Any], shared: targets.SharedWorkers) -> None:
    for name in kernels:
        config = OptimizationConfig()
        config.kernel_file, config.model = name, "none"
        for option, value in options.items():
            setattr(config, option, value)
        try:
            run = optimize(config, shared=shared).run
        except TilewrightError as error:
            print(f"{name}: {error}", flush=True)
            continue
        holder = best(run) or run.attempts[0]
        record = {
            "kernel": Path(run.kernel_path).name,
            "problem": run.problem.name,
            "commit": commit(),
            "options": options,
            "gpu": run.gpu,
            "attempts": len(run.attempts),
            "stop_reason": run.stop_reason,
            "seconds": round(run.seconds, 1),
            "seed": _part(run.attempts[0]),
            "best": {**_part(holder), "hypothesis": holder.candidate.hypothesis, "source": holder.candidate.source},
            "tried": [_summary(attempt) for attempt in run.attempts],
        }
        rowfile.append(out, record)
        print(f"{name}: {run.stop_reason}, {len(run.attempts)} attempts, {run.seconds:.0f} s", flush=True)


def _part(attempt: Attempt) -> dict[str, Any]:
    return {"candidate": attempt.candidate.id, "evaluation": jsonform.to_plain(attempt.evaluation)}


def _summary(attempt: Attempt) -> dict[str, Any]:
    plain: Any = jsonform.to_plain(attempt.evaluation) if attempt.evaluation else {"outcome": "abandoned"}
    measurement = plain.get("measurement", {})
    return {
        "phase": attempt.phase,
        "turn": attempt.turn,
        "hypothesis": attempt.candidate.hypothesis,
        "outcome": plain["outcome"],
        "speedup_ratio": measurement.get("speedup_ratio"),
        "seconds": round(attempt.cost.seconds, 2),
        "error": attempt.error,
    }


if __name__ == "__main__":
    arguments = sys.argv[1:]
    split = arguments.index("--") if "--" in arguments else len(arguments)
    given = dict(pair.split("=", 1) for pair in arguments[split + 1 :])
    main(Path(arguments[0]), arguments[1:split], {name: json.loads(value) for name, value in given.items()})
