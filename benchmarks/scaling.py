"""How much faster are all GPUs than one, and do they say the same? python -m benchmarks.scaling OUT.jsonl [--help]

A batch of settings of several shipped kernels is judged by what may use one GPU and 16 cores (CUDA_VISIBLE_DEVICES,
CPU affinity), and by what may use all of them, in turns that cancel drift. Worker processes are warm, but nothing is
compiled before: an evaluation is compiled, verified and timed with effort quick, none is left early, and as many wait
as there are cores. A row a turn is appended to OUT, then one that sums up all its turns like these. Turns of --order
that OUT has rows of, by this commit, are not taken again.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import resource
import statistics
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Literal

from benchmarks import rowfile
from benchmarks.landscape import draw
from benchmarks.samples import samples
from tilewright import targets
from tilewright.channel import WorkerHost
from tilewright.config import resolve
from tilewright.errors import MachineryError
from tilewright.evaluators.local import LocalEvaluator, devices
from tilewright.evaluators.ray import ray_evaluator
from tilewright.hardware import load_gpu
from tilewright.judge import commit, config_for
from tilewright.protocols import Evaluator, Gate
from tilewright.records import Evaluation, Job, Measured, Verified
from tilewright.records.runs import Effort
from tilewright.search.gating import through

KERNELS = ("1_6", "1_16", "1_17", "1_23", "1_26", "1_42", "1_48", "1_49", "1_82", "1_96", "2_12", "2_86")
CORES_A_GPU = 16
_WARM_UPS = 2
"""Jobs a GPU before the clock starts, one after another: a GPU elsewhere may get none of the first ones."""
_LIKE = ("through", "device", "effort", "gates", "evaluations", "of_gpus", "commit")
"""In what turns must be alike to be summed up."""

Row = dict[str, Any]


@dataclass(frozen=True)
class Turn:
    """One time that the batch is judged. `gpus` are UUIDs, or stand-ins for them where `device` is the CPU."""

    part: str
    gpus: tuple[str, ...]
    of_gpus: int
    cores: tuple[int, ...]
    through: Literal["local", "ray"]
    device: Literal["cuda", "cpu"]
    effort: Effort
    gates: bool
    evaluations: int


def main(arguments: argparse.Namespace) -> None:
    out: Path = arguments.out
    out.parent.mkdir(parents=True, exist_ok=True)
    planned = turns(arguments)
    like = {"benchmark": "scaling", **{name: getattr(planned[0], name) for name in _LIKE if name != "commit"}}
    done = Counter(row["part"] for row in rowfile.known(out, commit(), **like))
    for turn in planned:
        if done[turn.part]:
            done[turn.part] -= 1
            continue
        # A process of its own, which has imported nothing yet when it learns what it may use.
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as apart:
            row = apart.submit(taken, turn).result()
        rowfile.append(out, row)
        print(f"{turn.part}: {row['evaluations']} in {row['seconds']} s, {row['outcomes']}", flush=True)
    sums = together(rowfile.alike(out, commit=commit(), **like))
    rowfile.append(out, sums)
    print(json.dumps(sums), flush=True)


def turns(arguments: argparse.Namespace) -> list[Turn]:
    found, why = devices() if arguments.device == "cuda" else ((), "")
    gpus = [one.uuid for one in found] if arguments.device == "cuda" else ["stand-in"] * (arguments.gpus or 2)
    gpus = gpus[: arguments.gpus]
    if len(gpus) < 2:
        raise SystemExit(f"Needs 2 GPUs at least, {len(gpus)} are here. {why}")
    cores = sorted(os.sched_getaffinity(0))
    every = Turn(
        "all", tuple(gpus), len(gpus), tuple(cores[: len(gpus) * arguments.cores]), arguments.through,
        arguments.device, arguments.effort, arguments.gates, arguments.evaluations,
    )  # fmt: skip
    one = replace(every, part="one", gpus=every.gpus[:1], cores=every.cores[: arguments.cores])
    return [{"one": one, "all": every}[part] for part in arguments.order]


def taken(turn: Turn) -> Row:
    """What a turn finds; to be called in a process that may be bound to its cores and GPUs."""
    os.sched_setaffinity(0, turn.cores)
    if turn.device == "cuda":
        os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(turn.gpus)
    with judges(turn) as (evaluator, gates, gpu):
        jobs = batch(turn, gpu)
        for _ in range(_WARM_UPS):
            for future in [evaluator.submit(jobs[0]) for _ in turn.gpus]:
                future.result()
        start, cpu = time.monotonic(), time.process_time()
        answers = judged(jobs, evaluator, gates, outstanding=len(turn.cores))
        seconds, cpu = time.monotonic() - start, time.process_time() - cpu
    measured = [one.measurement for one in answers if isinstance(one, Measured)]
    return {
        "benchmark": "scaling",
        "part": turn.part,
        **{key: getattr(turn, key) for key in ("of_gpus", "through", "device", "effort", "gates")},
        "gpus": len(turn.gpus),
        "cores": len(turn.cores),
        "evaluations": len(jobs),
        "seconds": round(seconds, 2),
        "a_minute": round(60 * len(jobs) / seconds, 1),
        "outcomes": dict(Counter(_name(one) for one in answers)),
        "failures": [one for one in answers if isinstance(one, str)],
        "driver": {
            "cores": round(cpu / seconds, 3),
            "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        },
        "results": {job.candidate.id: [job.problem.name, *_said(one)] for job, one in zip(jobs, answers)},
        "gpu": sorted({one.device for one in measured}),
        "versions": dict(measured[0].versions) if measured else {},
        "commit": commit(),
    }


@contextmanager
def judges(turn: Turn) -> Iterator[tuple[Evaluator, Sequence[Gate], str]]:
    """The evaluator and gates that a run with these GPUs has, and the GPUs' name."""
    with ExitStack() as stack:
        if turn.device == "cpu":
            yield stack.enter_context(closing(_on_cpus(turn))), (), ""
            return
        target = targets.choose_target(resolve(config_for(KERNELS[0], "local")))
        if turn.through == "ray":
            target = targets.Target("ray", target.gpu, "to see how it scales", machines=len(turn.gpus))
        host = stack.enter_context(targets.workers(target))
        gates = targets.cheap_gates_for(target, host, load_gpu(target.gpu)) if turn.gates else ()
        yield stack.enter_context(closing(targets.evaluator_for(target, host))), gates, target.gpu


def _on_cpus(turn: Turn) -> Evaluator:
    """Stand-ins for GPUs, to try this out without one: so many hosts, or workers of Ray, that verify modules."""
    if turn.through == "ray":
        return ray_evaluator("", workers=len(turn.gpus), device="cpu")
    return LocalEvaluator(*(WorkerHost("cpu", jobs=max(1, len(turn.cores) // len(turn.gpus))) for _ in turn.gpus))


def batch(turn: Turn, gpu: str) -> list[Job]:
    """The same ones each time: a kernel's settings together, as a host keeps the references of few."""
    if turn.device == "cuda":
        each = math.ceil(turn.evaluations / len(KERNELS))
        settings = [setting for name in KERNELS for setting in draw(name, each, load_gpu(gpu))]
        pairs = [(setting.candidate, setting.problem) for setting in settings]
    else:
        honest = [one for one in samples() if one.group == "honest" and one.said.get("NEEDS") != "cuda"]
        copies = range(math.ceil(turn.evaluations / len(honest)))
        pairs = [
            (replace(one.candidate, source=f"{one.candidate.source}# {copy}\n"), one.problem)
            for one in honest
            for copy in copies
        ]
    chosen = pairs[: turn.evaluations]
    return [Job(candidate, problem, effort=turn.effort, gpu=gpu) for candidate, problem in chosen]


def judged(
    jobs: Sequence[Job], evaluator: Evaluator, gates: Sequence[Gate], outstanding: int
) -> list[Evaluation | str]:
    """An evaluation of each; of what the machinery failed at, why."""

    def one(job: Job) -> Evaluation | str:
        try:
            verdict = through(gates, job.candidate, job.problem)
            if verdict.failure:
                return verdict.failure
            answer: Future[Evaluation] = evaluator.submit(replace(job, evidence=verdict.evidence))
            return answer.result()
        except MachineryError as error:
            return str(error)[:300]

    with ThreadPoolExecutor(outstanding) as pool:
        return list(pool.map(one, jobs))


def together(rows: Sequence[Row]) -> Row:
    """The sums of turns: how much faster, and how far the ratios of the same candidates differ; beside that, how far
    they differ where the same was done twice."""
    parts = {name: [row for row in rows if row["part"] == name] for name in ("one", "all")}
    one, every = parts["one"], parts["all"]
    sums: Row = {"benchmark": "scaling, together", **{key: rows[-1][key] for key in _LIKE}, "gpu": rows[-1]["gpu"]}
    sums["seconds"] = {name: [row["seconds"] for row in its] for name, its in parts.items()}
    sums["failures"] = sum(len(row["failures"]) for row in rows)
    if one and every:
        means = [statistics.mean(row["seconds"] for row in its) for its in (one, every)]
        sums["speedup"] = round(means[0] / means[1], 3)
        sums["agreement"] = agreement(one[0]["results"], every[0]["results"])
    sums["of_the_same"] = {
        name: agreement(its[0]["results"], its[-1]["results"]) for name, its in parts.items() if len(its) > 1
    }
    return sums


def agreement(first: Mapping[str, Sequence[Any]], second: Mapping[str, Sequence[Any]]) -> Row:
    """Of candidates with a ratio in both. `apart` are those whose intervals don't meet."""
    both = [(first[name][1:], second[name][1:]) for name in first if name in second]
    ratios = [(a, b) for a, b in both if len(a) == len(b) == 3]
    differences = sorted(abs(math.log(b[0] / a[0])) for a, b in ratios)
    return {
        "compared": len(ratios),
        "other_outcome": sum(len(a) != len(b) or (len(a) == 1 and a != b) for a, b in both),
        "within_1_percent": round(sum(d <= math.log(1.01) for d in differences) / max(1, len(ratios)), 4),
        "median": round(math.expm1(statistics.median(differences)), 5) if ratios else None,
        "worst": round(math.expm1(differences[-1]), 5) if ratios else None,
        "apart": sum(a[2] < b[1] or b[2] < a[1] for a, b in ratios),
    }


def _said(answer: Evaluation | str) -> list[float | str]:
    """(ratio, low, high), or the outcome where there is no ratio."""
    if isinstance(answer, Measured):
        m = answer.measurement
        return [round(m.speedup_ratio, 5), round(m.low, 5), round(m.high, 5)]
    if isinstance(answer, Verified) and answer.cpu_ratio:
        return [round(answer.cpu_ratio, 5)] * 3
    return [_name(answer)]


def _name(answer: Evaluation | str) -> str:
    return "failed" if isinstance(answer, str) else answer.outcome


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--gpus", type=int, help="how many at most; all by default")
    parser.add_argument("--cores", type=int, default=CORES_A_GPU, help="cores a GPU")
    parser.add_argument("--evaluations", type=int, default=200)
    parser.add_argument("--through", choices=("local", "ray"), default="local")
    parser.add_argument("--effort", choices=("quick", "full"), default="quick")
    parser.add_argument("--gates", action="store_true", help="candidates go through the gates first, as in a run")
    parser.add_argument("--order", type=lambda text: text.split(","), default=["one", "all", "one"])
    parser.add_argument(
        "--device", choices=("cuda", "cpu"), default="cuda", help="cpu: tried out on modules, without a GPU"
    )
    return parser.parse_args()


if __name__ == "__main__":
    main(_arguments())
