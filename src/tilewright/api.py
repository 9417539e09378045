"""How does a Python program use tilewright? `optimize`, `evaluate`, `analyze`, and `load_run` for what was stored.

They take what the commands of the same names take and return the records that those print. All raise
`TilewrightError` with what to do; what is wrong with a kernel is no error but an answer.
"""

from __future__ import annotations

import copy
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tilewright import judge, scores
from tilewright.config import OptimizationConfig
from tilewright.protocols import Watcher
from tilewright.records import Analysis, Attempt, Effort, Judged, Precision
from tilewright.report import notebook
from tilewright.store import existing_store
from tilewright.wiring import Outcome, main, open_store, resume


@dataclass(frozen=True)
class Result(Outcome):
    """A run and the file it left. A notebook shows it as a plot."""

    @property
    def best(self) -> Attempt | None:
        """The best attempt, which may be the kernel it began with; None where nothing was right."""
        return scores.best(self.run)

    def _repr_html_(self) -> str:
        return notebook.html(self.run)


def optimize(
    kernel: str | Path | None = None,
    config: OptimizationConfig | None = None,
    *,
    watcher: Watcher | None = None,
    **options: object,
) -> Result:
    """Make a kernel faster, turn by turn: `optimize("level2/2_10.py", model="none", tune_budget=8)`.

    `options` are fields of `OptimizationConfig`, which are the options of `tilewright optimize`; they come on top of
    `config`. `watcher` is told what happens as it happens.
    """
    chosen = _with_options(config, options)
    if kernel is not None:
        chosen.kernel_file = str(kernel)
    return _result(main(chosen, watcher))


def go_on(
    name: str = "last",
    config: OptimizationConfig | None = None,
    *,
    watcher: Watcher | None = None,
    **options: object,
) -> Result:
    """Go on with a stored run: an id, a unique prefix, a kernel path or `last`. `options` replace its own."""
    return _result(resume(name, _with_options(config, options), watcher))


def load_run(name: str = "last", results: str | Path = "results") -> Result:
    """A stored run: an id, a unique prefix, a kernel path or `last`. Which file it left isn't known any more."""
    with closing(existing_store(Path(results))) as store:
        return Result(store.load(store.find(name)), None)


def evaluate(
    kernel: str | Path,
    *,
    source: str | None = None,
    reference: str | None = None,
    problems: str | Path | None = None,
    inputs: str | None = None,
    precision: Precision = "fp16",
    workload: tuple[str, ...] = (),
    device: Literal["cuda", "cpu"] | None = None,
    gpu: str | None = None,
    evaluator: str = "auto",
    policy: Literal["report", "own-kernels"] = "report",
    effort: Effort = "full",
    baselines: str = "eager",
    error_factor: float = 16.0,
    backward: bool = False,
    results: str | Path = "results",
) -> Judged:
    """Verify and time one kernel, or `source` in its place: another kernel for the same problem.

    The answer is stored under `results`; its `id` is what `tilewright recheck` takes. Where there is no GPU its
    `evaluation` is an `Estimated`, or with `device="cpu"` a `Verified`: never a speedup.
    """
    case = judge.case_of(
        str(kernel),
        reference=reference,
        problems=_path(problems),
        inputs=inputs,
        precision=precision,
        workload=workload,
        source=source,
    )
    job = judge.job_for(
        case,
        effort=effort,
        policy=policy,
        baselines=baselines,
        error_factor=error_factor,
        backward=backward,
    )
    target = judge.target_for(judge.config_for(str(kernel), evaluator, gpu), device)
    with judge.judging(target) as judging, closing(open_store(Path(results))) as store:
        judged = judging.judge(job, str(case.kernel.path))
        store.keep(judge.without_evidence(judged))
    return judged


def analyze(
    kernel: str | Path,
    *,
    reference: str | None = None,
    problems: str | Path | None = None,
    inputs: str | None = None,
    precision: Precision = "fp16",
    workload: tuple[str, ...] = (),
    gpu: str | None = None,
    evaluator: str = "auto",
    counters: bool = False,
) -> Analysis:
    """What holds a kernel back, how far it is from the limit, and where its time goes.

    `counters` asks for hardware counters too, which are read outside of the sandbox.
    """
    [answer] = judge.analyze(
        [str(kernel)],
        gpu=gpu,
        evaluator=evaluator,
        counters=counters,
        reference=reference,
        problems=_path(problems),
        inputs=inputs,
        precision=precision,
        workload=workload,
    )
    return answer


def _with_options(config: OptimizationConfig | None, options: dict[str, object]) -> OptimizationConfig:
    chosen = copy.deepcopy(config) if config else OptimizationConfig()  # with what was set in it explicitly
    for name, value in options.items():
        setattr(chosen, name, value)
    return chosen


def _result(outcome: Outcome) -> Result:
    return Result(outcome.run, outcome.saved, outcome.usd, outcome.tokens, outcome.gpu)


def _path(given: str | Path | None) -> Path | None:
    return None if given is None else Path(given)
