"""Which of several search policies makes kernels faster, given the same number of candidates each?

Every policy works on every kernel, as a run of its own that is stored like any other. Kernels are the sample: each
gives one ratio of best over best, and the statistics are over these pairs.
"""

from __future__ import annotations

import copy
import importlib.resources
import math
import random
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from tilewright.config import OptimizationConfig
from tilewright.errors import MachineryError
from tilewright.rag.operations import main_family
from tilewright.records import Measured, Run
from tilewright.scores import gain

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

SAME = 0.02
"""The same kernel in two processes may differ by this share of its time."""
FEWEST = 5
"""Kernels below which no interval is given: a bootstrap over fewer is too narrow to mean anything."""
_DRAWS = 10_000
_NO_TARGET = 1e9
_UNFINISHED = ("machinery", "model_unavailable", "no_machine", "awaiting_answers", "awaiting_gpu")

Optimize = Callable[[OptimizationConfig], Run]


@dataclass(frozen=True)
class Trial:
    """One policy's run on one kernel. `over_seed` is best over seed; measured, or else a ratio of estimated times."""

    kernel: str
    policy: str
    seed: int
    run: str
    family: str
    over_seed: float
    speedup_ratio: float | None
    """Of the best over the baseline, where measured."""
    evaluations: int
    seconds: float
    gpu_seconds: float
    stop_reason: str


@dataclass(frozen=True)
class LeftOut:
    """A kernel that not every policy got through, which says nothing about any."""

    kernel: str
    why: str


@dataclass(frozen=True)
class Paired:
    """A policy against another over the same kernels.

    `ratio` is the geometric mean of best over best, `interval` its 95 % bootstrap interval over kernels (None for
    fewer than `FEWEST`); `better`, `same` (within 2 %) and `worse` count kernels; `p` is that of the two-sided sign
    test over those that differ.
    """

    policy: str
    against: str
    kernels: int
    ratio: float
    interval: tuple[float, float] | None
    better: int
    same: int
    worse: int
    p: float


def representative() -> dict[str, tuple[str, str]]:
    """The fixed set over families and causes: (family, cause) by a kernel's name."""
    text = importlib.resources.files("tilewright").joinpath("data/representative.toml").read_text(encoding="utf-8")
    return {name: (row["family"], row["cause"]) for name, row in tomllib.loads(text)["kernels"].items()}


def trials(
    policies: Sequence[str], kernels: Sequence[str], seeds: int, base: OptimizationConfig, optimize: Optimize
) -> Iterator[list[Trial] | LeftOut]:
    """Kernel by kernel, each policy's runs (`seeds` of them), or why the kernel is left out.

    `base.max_evaluations` is each run's budget. Policies take turns at being first, since clocks drift. Raises
    `KeyboardInterrupt` where a run was interrupted.
    """
    for number, kernel in enumerate(kernels):
        done: list[Trial] = []
        for seed, policy in _in_turns(policies, seeds, number):
            trial = _trial(_config(base, kernel, policy, seed), optimize)
            if isinstance(trial, str):
                yield LeftOut(kernel, f"{policy}: {trial}")
                break
            done.append(trial)
        else:
            yield done


def paired(done: Sequence[Trial], policy: str, against: str) -> Paired | None:
    """Over the kernels of `done`, each with its seeds' geometric mean; None where there are none."""
    kernels = list(dict.fromkeys(trial.kernel for trial in done))
    logs = [_log_gain(done, kernel, policy) - _log_gain(done, kernel, against) for kernel in kernels]
    if not logs:
        return None
    better = sum(log > math.log1p(SAME) for log in logs)
    worse = sum(log < -math.log1p(SAME) for log in logs)
    return Paired(
        policy=policy,
        against=against,
        kernels=len(logs),
        ratio=math.exp(math.fsum(logs) / len(logs)),
        interval=_interval(logs),
        better=better,
        same=len(logs) - better - worse,
        worse=worse,
        p=_sign_test(better, worse),
    )


def _in_turns(policies: Sequence[str], seeds: int, first: int) -> Iterator[tuple[int, str]]:
    for seed in range(seeds):
        start = (first + seed) % len(policies)
        for policy in (*policies[start:], *policies[:start]):
            yield seed, policy


def _config(base: OptimizationConfig, kernel: str, policy: str, seed: int) -> OptimizationConfig:
    """The budget alone ends a run: not a target, nor turns without a gain."""
    config = copy.deepcopy(base)
    config.kernel_file, config.search, config.seed = kernel, policy, seed
    config.no_save = True
    config.target_speedup, config.near_optimal = _NO_TARGET, 0.0
    config.max_iterations = config.patience = config.max_evaluations or config.max_iterations
    return config


def _trial(config: OptimizationConfig, optimize: Optimize) -> Trial | str:
    """The trial, or why there is none."""
    try:
        run = optimize(config)
    except MachineryError as error:  # of one kernel; the others can still be compared
        return str(error)
    if run.stop_reason == "interrupted":
        raise KeyboardInterrupt
    gained = gain(run)
    if gained is None or run.stop_reason in _UNFINISHED:
        return f"{run.stop_reason}: {run.stop_detail}"
    _, holder, ratio = gained
    evaluation = holder.evaluation
    return Trial(
        kernel=str(config.kernel_file),
        policy=config.search,
        seed=config.seed,
        run=run.id,
        family=main_family(run.problem.source, run.problem.entry_point),
        over_seed=ratio,
        speedup_ratio=evaluation.measurement.speedup_ratio if isinstance(evaluation, Measured) else None,
        evaluations=len(run.attempts) - 1,
        seconds=run.seconds,
        gpu_seconds=sum(attempt.cost.gpu_seconds for attempt in run.attempts),
        stop_reason=run.stop_reason,
    )


def _log_gain(done: Sequence[Trial], kernel: str, policy: str) -> float:
    logs = [math.log(t.over_seed) for t in done if (t.kernel, t.policy) == (kernel, policy)]
    return math.fsum(logs) / len(logs)


def _interval(logs: Sequence[float]) -> tuple[float, float] | None:
    """Percentiles of the means of kernels drawn with replacement (B. Efron, 1982), the same for the same pairs."""
    if len(logs) < FEWEST:
        return None
    draw = random.Random(0)
    means = sorted(math.fsum(draw.choices(logs, k=len(logs))) / len(logs) for _ in range(_DRAWS))
    return math.exp(means[round(0.025 * _DRAWS)]), math.exp(means[round(0.975 * _DRAWS) - 1])


def _sign_test(better: int, worse: int) -> float:
    """How probable so uneven a split is where each of the two is as likely."""
    count = better + worse
    tail = sum(math.comb(count, k) for k in range(min(better, worse) + 1))
    return min(1.0, float(2 * tail / 2**count))
