"""Does a crash disturb what comes after it? python -m benchmarks.crashes OUT.jsonl [--help]

For each kind of crash a plain kernel is measured, then a candidate that crashes, then the plain kernel again: how
long until that one's process is there (since the start of the candidate that crashes, or since its deadline where
nothing else ended it), and what its time and speedup are against those before the crash. The kind "none" is the same
without a crash: what two measurements in a row differ by. The kinds take turns in a random order, all in one
evaluator. A row each is appended to OUT, then one for each kind that sums up all of its rows there. What OUT has rows
of, by this commit, is not done again.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import rowfile
from benchmarks.kill_anything import parent_of_each
from tilewright import targets
from tilewright.channel import WorkerHost
from tilewright.config import resolve
from tilewright.errors import MachineryError
from tilewright.evaluators.local import LocalEvaluator
from tilewright.judge import commit, config_for
from tilewright.kernelfile import load_kernel
from tilewright.loading import up_to_date
from tilewright.problems import problem_for
from tilewright.protocols import Evaluator
from tilewright.records import Candidate, Evaluation, Job, Measured, Problem, TimedOut
from tilewright.report import words
from tilewright.scores import mean_interval
from tilewright.worker.timing.intervals import median_interval

HERE = Path(__file__).resolve().parent
SAMPLES = HERE.parent / "tests" / "samples" / "evil"
NOTHING = "none"
KERNEL = "1_38_large"
"""5 ms, and PyTorch 0.3 ms (H200): long enough that one launch or another doesn't show."""
_LOOK_S = 0.005
_APPEARS_S = 120.0

Row = dict[str, Any]
Interval = tuple[float, float, float]


@dataclass(frozen=True)
class Kind:
    """A way to crash. `deadline_s` is what a candidate gets that ends by it alone."""

    path: Path
    deadline_s: float = 60.0
    needs_cuda: bool = False


KINDS = {
    "segfault": Kind(SAMPLES / "evil_segfault.py"),
    "early exit": Kind(SAMPLES / "evil_exits_at_import.py"),
    "host hang": Kind(SAMPLES / "evil_hang.py", 5.0),
    "device hang": Kind(HERE / "crashing" / "device_hang.py", 5.0, needs_cuda=True),
    "host memory": Kind(HERE / "crashing" / "host_memory.py", 120.0),
    "GPU memory": Kind(HERE / "crashing" / "gpu_memory.py", needs_cuda=True),
    "fork bomb": Kind(HERE / "crashing" / "fork_bomb.py", 20.0),
    "output flood": Kind(HERE / "crashing" / "output_flood.py", 5.0),
    "corrupted context": Kind(HERE / "crashing" / "corrupted_context.py", needs_cuda=True),
}


@dataclass(frozen=True)
class Bench:
    evaluator: Evaluator
    plain: Job
    gpu: str


def main(arguments: argparse.Namespace) -> None:
    out: Path = arguments.out
    out.parent.mkdir(parents=True, exist_ok=True)
    kinds = [NOTHING, *arguments.kinds]
    with ExitStack() as stack:
        bench = _bench(arguments.device, arguments.kernel, stack)
        like = {"benchmark": "crashes", "device": bench.gpu, "kernel": bench.plain.problem.name}
        done = Counter(row["kind"] for row in rowfile.known(out, commit(), **like))
        measured(bench)  # compiled, and the processes are there
        for number in range(arguments.rounds):
            random.Random(number).shuffle(kinds)
            for kind in kinds:
                if done[kind] > number:
                    continue
                row = one_crash(bench, kind)
                rowfile.append(out, row)
                print(json.dumps({name: row[name] for name in row if name not in ("before", "after")}), flush=True)
    same = rowfile.alike(out, commit=commit(), **like)
    for kind in dict.fromkeys(one["kind"] for one in same):
        sums = together([one for one in same if one["kind"] == kind])
        rowfile.append(out, sums)
        print(json.dumps(sums), flush=True)


def one_crash(bench: Bench, kind: str) -> Row:
    """The plain kernel, the crash, the plain kernel."""
    row: Row = {"benchmark": "crashes", "kind": kind, "kernel": bench.plain.problem.name, "device": bench.gpu}
    before, _ = measured(bench)
    noticed_s = 0.0
    if kind != NOTHING:
        job = _crashing(KINDS[kind], bench.gpu)
        start = time.monotonic()
        evaluation, said = _judged(bench.evaluator.submit(job))
        took_s = time.monotonic() - start
        noticed_s = max(0.0, took_s - job.deadline_s) if isinstance(evaluation, TimedOut) else took_s
        row |= {**said, "deadline_s": job.deadline_s, "crash_s": round(took_s, 2)}
    after, appeared_s = measured(bench)
    row["noticed_s"] = round(noticed_s, 3)
    row["next_began_s"] = round(noticed_s + appeared_s, 3)
    row["next_took_longer_s"] = round(after["seconds"] - before["seconds"], 2)
    if "pairs" in before and "pairs" in after:
        row["time_ratio"] = quotient(_time(after), _time(before))
        row["speedup_ratio"] = quotient(after["speedup"], before["speedup"])
    return {**row, "before": before, "after": after, "commit": commit()}


def measured(bench: Bench) -> tuple[Row, float]:
    """What the plain kernel gives, and the seconds until a process of it is there."""
    known, start = _descendants(), time.monotonic()
    future = bench.evaluator.submit(bench.plain)
    appeared_s = _appears(known, future) - start
    evaluation, said = _judged(future)
    row: Row = {**said, "seconds": round(time.monotonic() - start, 2)}
    if isinstance(evaluation, Measured):
        m = evaluation.measurement
        row |= {
            "speedup": [m.speedup_ratio, m.low, m.high],
            "pairs": [[round(candidate, 5), round(baseline, 5)] for candidate, baseline in m.timings[0].pairs],
            "trust": m.trust,
            "conditions": dict(m.conditions),
            "gpu": m.device,
            "versions": dict(m.versions),
        }
    return row, appeared_s


def quotient(one: Sequence[float], other: Sequence[float]) -> Interval:
    """Of two independent (value, low, high): the widths of the logarithms add in quadrature."""
    ratio = one[0] / other[0]
    below = math.hypot(math.log(one[0] / one[1]), math.log(other[2] / other[0]))
    above = math.hypot(math.log(one[2] / one[0]), math.log(other[0] / other[1]))
    return round(ratio, 5), round(ratio * math.exp(-below), 5), round(ratio * math.exp(above), 5)


def together(rows: Sequence[Row]) -> Row:
    """The sums of one kind: the slowest next one, and the mean ratios to what was measured before the crash."""
    sums: Row = {"benchmark": "crashes, together", "kind": rows[0]["kind"], "rows": len(rows)}
    sums["outcomes"] = sorted({row["outcome"] for row in rows if "outcome" in row})
    for name in ("next_began_s", "next_took_longer_s"):
        sums[name] = max(row[name] for row in rows)
    for name in ("time_ratio", "speedup_ratio"):
        taken = [row[name] for row in rows if name in row]
        if taken:
            sums[name] = [round(value, 5) for value in mean_interval([(1.0, *one) for one in taken])]
            sums[f"{name}_worst"] = max((one[0] for one in taken), key=lambda ratio: abs(math.log(ratio)))
    return {**sums, **{key: rows[-1][key] for key in ("kernel", "device", "commit")}}


def _judged(future: Future[Evaluation]) -> tuple[Evaluation | None, Row]:
    """None where the machinery failed."""
    evaluation, error = None, ""
    try:
        evaluation = future.result()
    except MachineryError as failure:
        error = str(failure)
    outcome = evaluation.outcome if evaluation else "abandoned"
    return evaluation, {"outcome": outcome, "text": words.outcome(evaluation, error)[:300]}


def _time(said: Row) -> Interval:
    """The plain kernel's, in ms."""
    return median_interval([candidate for candidate, _ in said["pairs"]])


def _bench(device: str, kernel: str, stack: ExitStack) -> Bench:
    if device == "cpu":
        evaluator = stack.enter_context(closing(LocalEvaluator(WorkerHost("cpu", jobs=2))))
        problem = _softmax()
        plain = Candidate(problem.source, entry_point="Model")
        return Bench(evaluator, Job(plain, problem, effort="quick"), "")
    target = targets.choose_target(resolve(config_for(kernel, "local")))
    host = stack.enter_context(targets.workers(target))
    evaluator = stack.enter_context(closing(LocalEvaluator(host)))  # on one GPU, or it would not be the next
    file = load_kernel(kernel)
    candidate, _ = up_to_date(file)
    return Bench(evaluator, Job(candidate, problem_for(file), gpu=target.gpu), target.gpu)


def _crashing(kind: Kind, gpu: str) -> Job:
    return Job(
        Candidate(kind.path.read_text(encoding="utf-8")),
        _softmax(),
        effort="quick",
        gpu=gpu,
        deadline_s=kind.deadline_s,
    )


def _softmax() -> Problem:
    """All candidates that crash take one input; what they would have to do with it doesn't matter."""
    source = (SAMPLES / "references" / "softmax.py").read_text(encoding="utf-8")
    return Problem("softmax", source, precision="fp32")


def _appears(known: set[int], future: Future[Evaluation]) -> float:
    """When a new process was there."""
    end = time.monotonic() + _APPEARS_S
    while not _descendants() - known and not future.done() and time.monotonic() < end:
        time.sleep(_LOOK_S)
    return time.monotonic()


def _descendants() -> set[int]:
    """The processes that came from this one."""
    parents = parent_of_each()
    found: set[int] = set()
    new = {os.getpid()}
    while new:
        new = {pid for pid, parent in parents.items() if parent in new}
        found |= new
    return found


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--rounds", type=int, default=2, help="how often each kind has its turn")
    parser.add_argument("--kinds", type=lambda text: text.split(","), help=f"of: {', '.join(KINDS)}")
    parser.add_argument("--kernel", default=KERNEL, help="the plain one")
    parser.add_argument(
        "--device", choices=("cuda", "cpu"), default="cuda", help="cpu: tried out on modules, no times are compared"
    )
    arguments = parser.parse_args()
    if arguments.kinds is None:
        arguments.kinds = [name for name, kind in KINDS.items() if arguments.device == "cuda" or not kind.needs_cuda]
    return arguments


if __name__ == "__main__":
    main(_arguments())
