"""Does acting on the first finding make a kernel faster? python -m benchmarks.acted OUT.jsonl [KERNEL...]

Each kernel of `blind/acted` (all, or those named, such as 1_14) is timed against the one of `blind/kernels` that it
was made from, in pairs within one evaluation. A row each is appended to OUT; one with a row of this commit there is
not timed again. Needs a GPU.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from concurrent.futures import as_completed
from contextlib import closing
from pathlib import Path
from typing import Any

from benchmarks import rowfile
from benchmarks.evaluator import compiled
from tilewright import targets
from tilewright.config import resolve
from tilewright.errors import MachineryError
from tilewright.judge import commit, config_for
from tilewright.kernelfile import load_kernel
from tilewright.problems import problem_for
from tilewright.records import Baseline, Evaluation, Job, Measured
from tilewright.report import words

BLIND = Path(__file__).resolve().parent / "blind"
WORTH_IT = 1.1
"""The least speedup that counts as one."""


def jobs(names: Sequence[str], gpu: str) -> dict[str, Job]:
    """By kernel, the changed one as the candidate and the one before as the only baseline."""
    return {name: _job(name, gpu) for name in names or sorted(path.stem for path in (BLIND / "acted").glob("*.py"))}


def row(name: str, evaluation: Evaluation) -> dict[str, Any]:
    """`faster` is what the whole interval says, `worth_it` what the ratio does."""
    about = {"benchmark": "acted", "kernel": name, "outcome": evaluation.outcome, "commit": commit()}
    if not isinstance(evaluation, Measured):
        return {**about, "worth_it": False, "message": words.outcome(evaluation)[:300]}
    m = evaluation.measurement
    return {
        **about,
        "ratio": m.speedup_ratio,
        "low": m.low,
        "high": m.high,
        "faster": m.low > 1,
        "worth_it": m.speedup_ratio >= WORTH_IT,
        "latency_ratio": m.latency_ratio,
        "acted_ms": m.timings[0].candidate_ms,
        "before_ms": m.timings[0].baseline_ms,
        "pairs": m.timings[0].pairs,
        "trust": m.trust,
        "trust_notes": m.trust_notes,
        "gpu": m.device,
        "versions": dict(m.versions),
        "conditions": dict(m.conditions),
        "seeds": m.seeds,
    }


def main(out: Path, names: Sequence[str]) -> None:
    target = targets.choose_target(resolve(config_for("2_10", "local")))
    out.parent.mkdir(parents=True, exist_ok=True)
    asked = jobs(names, target.gpu)
    rows = [one for one in rowfile.known(out, commit(), benchmark="acted") if one["kernel"] in asked]
    done = {one["kernel"] for one in rows}
    left = {name: job for name, job in asked.items() if name not in done}
    with targets.workers(target) as host, closing(targets.evaluator_for(target, host)) as evaluator:
        compiled(targets.gates_for(target, host), [(job.candidate, job.problem) for job in left.values()])
        futures = {evaluator.submit(job): name for name, job in left.items()}
        for future in as_completed(futures):
            try:
                found = row(futures[future], future.result())
            except MachineryError as error:  # no row: the next call tries again
                print(f"{futures[future]}: not timed: {error}", flush=True)
                continue
            rowfile.append(out, found)
            rows.append(found)
            print(found["kernel"], found["outcome"], found.get("ratio", found.get("message")), flush=True)
    print(f"{sum(one['worth_it'] for one in rows)} of {len(asked)} gained {WORTH_IT}x or more")


def _job(name: str, gpu: str) -> Job:
    (reference,) = (BLIND / "problems").glob(f"{name}_*.py")
    before, acted = (load_kernel(str(BLIND / folder / f"{name}.py")) for folder in ("kernels", "acted"))
    problem = problem_for(acted, reference=str(reference))
    return Job(acted.candidate, problem, gpu=gpu, baselines=(Baseline("before", before.candidate),))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
