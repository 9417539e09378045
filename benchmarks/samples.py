"""Deceitful and honest samples through the gates and the verifier on a GPU: python -m benchmarks.samples OUT.jsonl

Started again it goes on with those that OUT has no row for; rows of other commits are dropped from it.
Each goes to the verifier whatever the static gate says of it. A false win is a deceitful sample that no static rule
rejects, that was measured as faster than its reference, and of which nothing speaks against the number.
"""

from __future__ import annotations

import ast
import re
import sys
import time
from collections.abc import Iterator
from concurrent.futures import as_completed
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import rowfile
from tilewright import targets
from tilewright.config import resolve
from tilewright.errors import MachineryError
from tilewright.gates.static import StaticGate
from tilewright.judge import commit, config_for
from tilewright.records import Candidate, Evaluation, Evidence, Job, Measured, Problem
from tilewright.report import words

FOLDER = Path(__file__).resolve().parents[1] / "tests" / "samples"
GAIN = 1.05
"""A low end above this is a win; how far a small kernel differs from itself lies below."""
_DEADLINE_S = {"evil": 10.0, "honest": 120.0}


@dataclass(frozen=True)
class Sample:
    group: str
    name: str
    candidate: Candidate
    problem: Problem
    said: dict[str, str]


def samples() -> Iterator[Sample]:
    for group in ("honest", "evil"):
        for path in sorted((FOLDER / group).glob(f"{group}_*.py")):
            source = path.read_text(encoding="utf-8")
            docstring = ast.get_docstring(ast.parse(source)) or ""
            said = dict(re.findall(r"^([A-Z ]+): (.+)$", docstring, re.MULTILINE))
            reference = (FOLDER / group / "references" / said["REFERENCE"]).read_text(encoding="utf-8")
            precision: Any = said.get("PRECISION", "fp32")
            problem = Problem(said["REFERENCE"].removesuffix(".py"), reference, precision=precision)
            yield Sample(group, path.stem, Candidate(source), problem, said)


def main(out: Path) -> None:
    target = targets.choose_target(resolve(config_for("2_10", "local")))
    start = time.monotonic()
    done = {row["sample"] for row in rowfile.begun(out, commit())}
    with targets.workers(target) as host, closing(targets.evaluator_for(target, host)) as evaluator:
        left = [sample for sample in samples() if sample.name not in done]
        waiting = {evaluator.submit(_job(sample, target.gpu)): sample for sample in left}
        for future in as_completed(waiting):
            sample = waiting[future]
            try:
                row = _row(sample, future.result())
            except MachineryError as error:  # no row: the next call tries again
                print(f"{sample.name}: not judged: {error}", flush=True)
                continue
            rowfile.append(out, row)
            if row["false_win"] or (sample.group == "honest" and row["outcome"] != "measured"):
                print(f"{sample.name}: {row['text']}", flush=True)
        print(f"{len(waiting)} samples in {time.monotonic() - start:.0f} s", flush=True)


def _job(sample: Sample, gpu: str) -> Job:
    return Job(sample.candidate, sample.problem, gpu=gpu, deadline_s=_DEADLINE_S[sample.group])


def _row(sample: Sample, evaluation: Evaluation) -> dict[str, Any]:
    static = StaticGate().check(sample.candidate, sample.problem, Evidence()).failure
    row: dict[str, Any] = {
        "group": sample.group,
        "sample": sample.name,
        "class": sample.said.get("CLASS", ""),
        "caught_by": sample.said.get("CAUGHT BY", ""),
        "static": static.outcome if static else "",
        "outcome": evaluation.outcome,
        "text": words.outcome(evaluation)[:300],
        "false_win": False,
        "commit": commit(),
    }
    if isinstance(evaluation, Measured):
        m = evaluation.measurement
        row |= {
            "ratio": m.speedup_ratio,
            "low": m.low,
            "high": m.high,
            "trust": m.trust,
            "pairs": len(m.timings[0].pairs),
            "candidate_ms": m.timings[0].candidate_ms,
            "checked_calls": m.checked_calls,
            "error_ratio": m.error_ratio,
            "gpu": m.device,
            "versions": dict(m.versions),
        }
        row["false_win"] = sample.group == "evil" and not static and m.low > GAIN and m.trust != "C"
    return row


if __name__ == "__main__":
    main(Path(sys.argv[1]))
