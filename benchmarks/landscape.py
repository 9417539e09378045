"""How long do settings take that nobody chose? Uniform draws from the feasible settings of shipped kernels.

python -m benchmarks.landscape [OUT.jsonl] [--each N] [--seconds S] [--kernels K,K,...]

Every setting goes through the gates and the evaluator that a run on this machine would use, with effort quick and
nothing left early. One row a setting, as soon as it is known; what OUT holds already is not done again. `tilewright
calibrate --from OUT.jsonl` fits the time model to it.
"""

from __future__ import annotations

import argparse
import math
import random
import statistics
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import closing
from dataclasses import dataclass
from itertools import chain, zip_longest
from pathlib import Path
from typing import Any

from benchmarks import rowfile
from tilewright import jsonform, targets
from tilewright.config import resolve
from tilewright.errors import MachineryError
from tilewright.hardware import Gpu, cores
from tilewright.judge import commit, config_for
from tilewright.kernelfile import load_kernel
from tilewright.loading import up_to_date
from tilewright.problems import problem_for
from tilewright.protocols import Evaluator, Gate
from tilewright.records import Candidate, Evaluation, Job, KnobValue, Measured, Problem
from tilewright.report import words
from tilewright.search.gating import through
from tilewright.source.feasibility import infeasible
from tilewright.source.knobs import find_knobs, with_values

OUTPUT = Path(__file__).resolve().parent / "results" / "landscape.jsonl"
KERNELS = (
    "1_1", "1_2", "1_7", "2_12", "2_76",  # matrix products
    "1_23", "2_99",  # softmax, and behind a product
    "1_40", "2_61",  # norms
    "1_25", "1_26", "1_88",  # element by element
    "1_48", "1_49", "1_94", "1_96",  # reductions
    "1_82", "2_10", "1_42",  # convolutions, pooling
)  # fmt: skip
EACH = 28
SECONDS = 330.0
_DRAWS = 4000
"""Tries to find settings not drawn yet; a kernel with few knobs runs out of them."""


@dataclass(frozen=True)
class Setting:
    kernel: str
    values: dict[str, KnobValue]
    candidate: Candidate
    problem: Problem


def main(out: Path, kernels: Sequence[str], each: int, seconds: float) -> None:
    started = time.monotonic()
    target = targets.choose_target(resolve(config_for(kernels[0], "local")))
    out.parent.mkdir(parents=True, exist_ok=True)
    version = commit()
    with targets.workers(target) as host, closing(targets.evaluator_for(target, host)) as evaluator:
        gpu, gates = targets.gpu_of(target, host), targets.gates_for(target, host)
        known = _done(out, gpu.name)
        # One of each kernel in turn: where time runs out, every kernel has lost as many.
        drawn = [draw(name, each, gpu) for name in kernels]
        in_turn = [setting for setting in chain(*zip_longest(*drawn)) if setting is not None]
        wanted = [s for s in in_turn if (s.kernel, s.candidate.id) not in known]
        print(f"{len(wanted)} of {len(in_turn)} settings to measure on {gpu.name}", flush=True)
        for count, row in enumerate(_rows(wanted, gates, evaluator, gpu, started + seconds), 1):
            rowfile.append(out, {**row, "commit": version})
            if count % 20 == 0:
                print(f"{count} after {time.monotonic() - started:.0f} s", flush=True)


def draw(kernel: str, count: int, gpu: Gpu) -> list[Setting]:
    """So many different feasible settings of a shipped kernel, the same ones each time; all where there are fewer."""
    file = load_kernel(kernel)
    candidate, _ = up_to_date(file)
    problem = problem_for(file)
    knobs = find_knobs(candidate.source)
    chooser = random.Random(kernel)
    found: dict[str, Setting] = {}
    for _ in range(_DRAWS):
        values = {knob.name: chooser.choice(knob.choices) for knob in knobs}
        if infeasible(candidate.source, values, gpu) is None:
            source = with_values(candidate.source, values)
            found.setdefault(source, Setting(kernel, values, Candidate(source), problem))
        if len(found) == count:
            break
    return list(found.values())


def _rows(
    settings: Sequence[Setting], gates: Sequence[Gate], evaluator: Evaluator, gpu: Gpu, until: float
) -> Iterator[dict[str, Any]]:
    """As they come. The machinery's failures leave no row, so that the next call tries again."""
    out_of_time = threading.Event()

    def measured(setting: Setting) -> dict[str, Any] | None:
        if out_of_time.is_set() or time.monotonic() > until:
            out_of_time.set()
            return None
        verdict = through(gates, setting.candidate, setting.problem)
        evaluation: Evaluation | None = verdict.failure
        if evaluation is None:
            job = Job(setting.candidate, setting.problem, verdict.evidence, effort="quick", gpu=gpu.name)
            evaluation = evaluator.submit(job).result()
        facts = [jsonform.to_plain(one) for one in verdict.evidence.facts]
        return _row(setting, facts, evaluation, gpu)

    # Twice as many as processors: half of them wait for the GPU.
    with ThreadPoolExecutor(2 * cores()) as pool:
        for future in as_completed([pool.submit(measured, setting) for setting in settings]):
            try:
                row = future.result()
            except MachineryError as error:
                print(f"not measured: {error}", flush=True)
                continue
            if row is not None:
                yield row
    if out_of_time.is_set():
        print("out of time; the same command goes on where it stopped", flush=True)


def _row(setting: Setting, facts: list[Any], evaluation: Evaluation, gpu: Gpu) -> dict[str, Any]:
    row: dict[str, Any] = {
        "kernel": setting.kernel,
        "problem": setting.problem.name,
        "precision": setting.problem.precision,
        "candidate": setting.candidate.id,
        "knobs": setting.values,
        "facts": facts,
        "outcome": evaluation.outcome,
        "gpu": gpu.name,
    }
    if not isinstance(evaluation, Measured):
        return {**row, "message": words.outcome(evaluation)[:300]}
    m = evaluation.measurement
    timing = m.timings[0]
    times = [candidate for candidate, _ in timing.pairs]
    quarters = statistics.quantiles(times, n=4) if len(times) > 1 else [math.nan] * 3
    return {
        **row,
        "candidate_ms": statistics.median(times),
        "quartiles_ms": [quarters[0], quarters[2]] if len(times) > 1 else None,
        "pairs": len(times),
        "baseline": m.baseline,
        "baseline_ms": timing.baseline_ms,
        "trust": m.trust,
        "conditions": dict(m.conditions),
        "device": m.device,
        "versions": dict(m.versions),
    }


def _done(out: Path, gpu: str) -> set[tuple[str, str]]:
    """What is there for this GPU."""
    return {(row["kernel"], row["candidate"]) for row in rowfile.stored(out) if row["gpu"] == gpu}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", nargs="?", type=Path, default=OUTPUT)
    parser.add_argument("--each", type=int, default=EACH, help="settings of each kernel")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="start none after so many seconds")
    parser.add_argument("--kernels", default=",".join(KERNELS))
    given = parser.parse_args()
    main(given.out, given.kernels.split(","), given.each, given.seconds)
