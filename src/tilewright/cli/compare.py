"""tilewright compare --policies A,B --kernels KERNEL,..."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from tilewright.cli.options import config_from, run_options
from tilewright.cli.showing import line, watcher_for
from tilewright.errors import UsageError

if TYPE_CHECKING:
    from tilewright.comparing import LeftOut, Paired, Trial
    from tilewright.config import OptimizationConfig
    from tilewright.targets import Target

REPRESENTATIVE = "representative"
_OF_ONE_RUN = (
    "kernel_file", "list_slow", "generate", "optimize", "out", "no_save", "repair", "reference", "inputs", "workload",
)  # fmt: skip
_SET_BY_THE_COMPARISON = (
    "model", "search", "seed", "max_evaluations", "target_speedup", "near_optimal", "max_iterations", "patience",
    "min_improvement", "threshold",
)  # fmt: skip


@click.command("compare")
@click.option("--policies", required=True, help="With commas, such as greedy,beam:3; the first is what others beat.")
@click.option(
    "--kernels",
    default=REPRESENTATIVE,
    show_default=True,
    help="With commas; or representative: a fixed set over families of operations and causes of slowness.",
)
@click.option("--seeds", type=click.IntRange(1), default=1, show_default=True, help="Runs of each on each kernel.")
@click.option(
    "--budget", type=click.IntRange(1), default=40, show_default=True, help="Candidates evaluated in each run."
)
@click.option("--model", default="none", show_default=True, help="Language model, as of tilewright optimize.")
@run_options(leave_out=(*_OF_ONE_RUN, *_SET_BY_THE_COMPARISON))
@click.option("--json", "as_json", is_flag=True, help="Print everything as one JSON object.")
def command(policies: str, kernels: str, seeds: int, budget: int, model: str, as_json: bool, **values: Any) -> None:
    """Compare search policies: each makes every kernel faster with the same number of candidates.

    The statistics are paired by kernel. Every run is stored.
    """
    from tilewright.comparing import LeftOut, paired, representative, trials
    from tilewright.kernelfile import load_kernel
    from tilewright.search.policies import policy_named
    from tilewright.targets import SharedWorkers
    from tilewright.wiring import main

    names = [policy_named(name.strip()).name for name in policies.split(",")]
    if len(set(names)) != len(names) or len(names) < 2:
        raise UsageError(f"--policies {policies}: give two or more, each once, such as greedy,beam:3")
    named = representative() if kernels == REPRESENTATIVE else map(str.strip, kernels.split(","))
    chosen = list(dict.fromkeys(named))
    for kernel in chosen:
        load_kernel(kernel)
    config = config_from(values)
    config.max_evaluations, config.model = budget, model
    config.kernel_file = chosen[0]
    target = _target(config)
    done: list[Trial] = []
    left_out: list[LeftOut] = []
    watcher = watcher_for(quiet=config.quiet, verbose=config.verbose)
    with closing(SharedWorkers()) as shared:
        for answer in trials(names, chosen, seeds, config, lambda one: main(one, watcher, shared).run):
            if isinstance(answer, LeftOut):
                left_out.append(answer)
            else:
                done += answer
    pairs = [found for name in names[1:] if (found := paired(done, name, names[0]))]
    if as_json:
        record = {
            "policies": names,
            "gpu": target.gpu,
            "evaluator": target.evaluator,
            "budget": budget,
            "seeds": seeds,
            "trials": [asdict(trial) for trial in done],
            "comparisons": [asdict(pair) for pair in pairs],
            "left_out": [asdict(one) for one in left_out],
        }
        line(json.dumps(record))
        return
    for text in (*_table(done, names), *map(_words, pairs)):
        line(text)
    for one in left_out:
        line(f"left out: {one.kernel}: {one.why}")


def _target(config: OptimizationConfig) -> Target:
    """Estimates are compared only where somebody asked for that."""
    from tilewright.config import resolve
    from tilewright.targets import choose_target

    target = choose_target(resolve(config))
    if target.evaluator == "offline" and config.evaluator != "offline":
        raise UsageError(
            f"Policies are compared by what they make faster on a GPU. There is none: {target.reason}. Compare on a "
            "machine with one, with --evaluator modal or ray, or by estimates alone with --evaluator offline."
        )
    return target


def _table(done: Sequence[Trial], policies: Sequence[str]) -> list[str]:
    """Best over seed; the median over seeds where there are several."""
    from statistics import median

    rows = [["kernel", "family", *policies]]
    for kernel in dict.fromkeys(trial.kernel for trial in done):
        own = [trial for trial in done if trial.kernel == kernel]
        gains = [median(trial.over_seed for trial in own if trial.policy == policy) for policy in policies]
        marked = "" if all(trial.speedup_ratio is not None for trial in own) else "est. "
        rows.append([kernel, own[0].family, *(f"{marked}{gain:.3f}x" for gain in gains)])
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows]


def _words(pair: Paired) -> str:
    interval = f" [{pair.interval[0]:.3f}, {pair.interval[1]:.3f}]" if pair.interval else " (too few for an interval)"
    return (
        f"{pair.policy} over {pair.against} on {pair.kernels} kernels: {pair.ratio:.3f}x{interval}; better on "
        f"{pair.better}, same on {pair.same}, worse on {pair.worse} (sign test: p = {pair.p:.2g})"
    )
