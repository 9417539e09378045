"""Puts the parts of a run together: with `targets` and `proposing`, the only files that name concrete classes."""

from __future__ import annotations

import secrets
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from pathlib import Path

from tilewright.analysis.analyzer import PerformanceAnalyzer
from tilewright.analysis.limit import fields_of, share_reached
from tilewright.baselines import baselines_for
from tilewright.channel import Host
from tilewright.config import OptimizationConfig, Settings, changes, from_pairs, resolve, to_pairs
from tilewright.errors import StoreError, UsageError
from tilewright.gates.kernels import OwnKernelGate
from tilewright.gates.version import version_of
from tilewright.hardware import (
    Gpu,
    cores,
    known_as,
)
from tilewright.informing import Informer
from tilewright.kernelfile import KernelFile
from tilewright.lm import PATIENT, Budget, Patience, spent_on
from tilewright.loading import load_task, up_to_date
from tilewright.proposing import knob_search, model_for, retriever_for, structure_proposers
from tilewright.protocols import Watcher
from tilewright.records import Attempt, Candidate, Effort, Lesson, Run, Told
from tilewright.report.history import HistoryFile
from tilewright.report.output import save_best, save_first
from tilewright.reporting import write_report
from tilewright.search.loop import continue_run
from tilewright.search.parts import Parts
from tilewright.search.reflecting import take_in
from tilewright.search.stopping import StopRules
from tilewright.search.underway import Onlooker
from tilewright.source.equality import equal_work
from tilewright.store import FILE, Store
from tilewright.targets import (
    SEMANTIC_BUDGET_S,
    SharedWorkers,
    Target,
    choose_target,
    expected_spending,
    gates_for,
    gpu_of,
    last_gates_for,
    seconds_elsewhere,
    spending,
)
from tilewright.wording.task import terms

_JUDGED_BY = "evaluator "
"""How the note begins that says who judges a run."""


@dataclass(frozen=True)
class Together:
    """What a run of a batch heeds: whose turn it is, and what all of them may spend.

    `budget` counts what the runs of the batch have spent already. The other two are those of `search.loop.Parts`.
    """

    budget: Budget
    before_turn: Callable[[Run], None]
    called_off: Callable[[], tuple[str, str] | None]


@dataclass(frozen=True)
class Outcome:
    """A finished run, the file it left, if any, and what the model used; its known price, and tokens. `gpu` is what
    the run knows of its own."""

    run: Run
    saved: Path | None
    usd: float = 0.0
    tokens: int = 0
    gpu: Gpu | None = None
    lessons_awaited: int = 0
    """Questions about what it taught that nobody has answered yet."""


def main(
    config: OptimizationConfig,
    watcher: Watcher | None = None,
    shared: SharedWorkers | None = None,
    patience: Patience = PATIENT,
    together: Together | None = None,
) -> Outcome:
    """Optimise one kernel as `config` says. Raises `TilewrightError` with what to do.

    `shared` are worker processes that outlive the run; `patience` is what a model's server gets that doesn't answer;
    `together` makes it a run of a batch.
    """
    settings = resolve(config)
    kernel, problem = load_task(settings)
    target = choose_target(settings)
    store = open_store(settings.results)
    try:
        seed, notes = up_to_date(kernel)
        run = Run(
            id=time.strftime("%m%d") + secrets.token_hex(3),
            problem=problem,
            kernel_path=str(kernel.path),
            settings=to_pairs(config),
            evaluator=target.evaluator,
            gpu=target.gpu,
            started=_now(),
            line_offset=kernel.line_offset,
            notes=(*_judged_by(target, settings), *settings.notes, *notes),
            baselines=baselines_for(settings.baselines, problem, seed, settings.include),
        )
        store.begin(run)
        return _work(run, seed, kernel, settings, target, store, watcher, shared, patience, together)
    finally:
        store.close()


def resume(
    name: str,
    config: OptimizationConfig,
    watcher: Watcher | None = None,
    shared: SharedWorkers | None = None,
    patience: Patience = PATIENT,
    together: Together | None = None,
) -> Outcome:
    """Go on with a stored run. Options set in `config` replace the run's own, now and whenever it goes on again."""
    store = open_store(Path(config.results))
    try:
        run = store.load(store.find(name))
        settings = resolve(from_pairs(run.settings, config))
        if settings.evaluator in ("modal", "ray") and not settings.gpu_is_explicit:
            settings = replace(settings, gpu=run.gpu)
        kernel, _ = load_task(settings)
        target = choose_target(settings)
        if target.evaluator == "offline" and run.evaluator == "local" and settings.models:
            target = Target("absent", run.gpu, "no GPU is here; the model is asked, what it writes waits for one")
        elif not _compares(run, target):
            raise UsageError(
                f"run {run.id} was judged by the {run.evaluator} evaluator for {run.gpu}; here it would be "
                f"{target.evaluator} for {target.gpu} ({target.reason}). Their numbers don't compare: continue it "
                "where it began."
            )
        store.take(run.id)
        if changed := changes(run.settings, config):
            store.change(run.id, _now(), changed.said, changed.pairs)
            run = store.load(run.id)
        run = store.try_again(run)
        others = tuple(note for note in run.notes if not note.startswith(_JUDGED_BY))
        run = replace(run, notes=(*_judged_by(target, settings), *others))
        seed = run.attempts[0].candidate if run.attempts else up_to_date(kernel)[0]
        return _work(run, seed, kernel, settings, target, store, watcher, shared, patience, together)
    finally:
        store.close()


def take_lessons(
    name: str, config: OptimizationConfig, watcher: Watcher | None = None, patience: Patience = PATIENT
) -> int:
    """Take in what was answered since about a run that has ended, which stays as it ended: no kernel is judged.

    How many questions still await their answers.
    """
    with closing(open_store(Path(config.results))) as store:
        run = store.load(store.find(name))
        settings = resolve(from_pairs(run.settings, config))
        watchers = _Watchers([watcher] if watcher else [])
        with (
            known_as(store.gpu(run.id)),
            model_for(settings, store, watchers, patience, run.kernel_path, run.id) as model,
        ):
            proposers = structure_proposers(settings, model, watchers)
            take_in(run, _candidates_per_turn(settings), settings.search, proposers, store, watchers.note)
        return len(store.awaited_lessons(run.id))


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def _candidates_per_turn(settings: Settings) -> int:
    return max(settings.candidates, settings.hypotheses)


def most_evaluations(settings: Settings) -> int:
    """Candidates that a run may have judged beside its seed: rewrites, what a model writes and mends, settings."""
    written = settings.hypotheses * (1 + settings.repairs) if settings.models else 0
    settings_tried = 0 if settings.generate and not settings.optimize else settings.tune_budget
    a_turn = settings.candidates + written + settings_tried
    return min(settings.max_iterations * a_turn, settings.max_evaluations or sys.maxsize)


def _judged_by(target: Target, settings: Settings) -> tuple[str, ...]:
    """Notes that hold for this process alone."""
    cost = expected_spending(target, most_evaluations(settings))
    notes = [f"{_JUDGED_BY}{cost}"] if cost else []
    return (f"{_JUDGED_BY}{target.evaluator}: {target.reason}", *notes, *ignored(target, settings.baselines))


def ignored(target: Target, baselines: Sequence[str], effort: Effort = "full") -> tuple[str, ...]:
    """A note on what was asked for that only measurements have, where there will be none."""
    asked = [f"--baselines {','.join(baselines)}"] if tuple(baselines) != ("eager",) else []
    asked += [f"--effort {effort}"] if effort != "full" else []
    if target.evaluator != "offline" or not asked:
        return ()
    why = "baselines and effort need a GPU, estimates have neither"
    return (f"{_JUDGED_BY}{target.evaluator} ignores {' and '.join(asked)}: {why}",)


def _compares(run: Run, target: Target) -> bool:
    """Measured on the same GPU, wherever that is, or estimated for the same."""
    measure = ("local", "modal", "ray")
    same_way = target.evaluator == run.evaluator or (run.evaluator in measure and target.evaluator in measure)
    return same_way and target.gpu == run.gpu


def open_store(results: Path) -> Store:
    return Store(results / FILE)


def stored_lessons(results: Path) -> list[Lesson]:
    """The newest first; none where nothing was stored yet."""
    if not (results / FILE).exists():
        return []
    with closing(open_store(results)) as store:
        return [lesson for _, _, lesson in store.lessons()]


def analyzer() -> PerformanceAnalyzer:
    return PerformanceAnalyzer()


def _work(
    run: Run,
    seed: Candidate,
    kernel: KernelFile,
    settings: Settings,
    target: Target,
    store: Store,
    watcher: Watcher | None,
    shared: SharedWorkers | None,
    patience: Patience,
    together: Together | None,
) -> Outcome:
    history = HistoryFile(settings.results / "multiturn_logs", fields_of)
    watchers = _Watchers([history, *([watcher] if watcher else [])])
    with ExitStack() as held:
        kept = shared or held.enter_context(closing(SharedWorkers()))
        budget = together.budget if together else None
        model = held.enter_context(model_for(settings, store, watchers, patience, run.kernel_path, run.id, budget))
        host = kept.host(target)
        gpu = _gpu_of_run(run.id, target, host, store)
        held.enter_context(known_as(gpu))
        gates = [*gates_for(target, host, gpu=gpu), *([OwnKernelGate()] if settings.generate else [])]
        informer = None
        if model:
            retriever = retriever_for(settings, gpu, run.id)
            # What this run taught stands among what it tried.
            informer = Informer(
                gpu,
                retriever,
                settings.rag_k,
                lambda: [one[2] for one in store.lessons(but=run.id)],
                terms(settings.policy, settings.backward, settings.error_factor),
            )
        evaluator = kept.evaluator(target, settings.results)
        seconds = seconds_elsewhere(evaluator)
        parts = Parts(
            gates=gates,
            gates_version=version_of(gates, gpu, SEMANTIC_BUDGET_S),
            last_gates=last_gates_for(target, host),
            evaluator=evaluator,
            analyze=analyzer().analyze,
            structure_proposers=structure_proposers(settings, model, watchers),
            inform=informer or (lambda brief: Told()),
            repairs=settings.repairs,
            tuner=knob_search(settings, gpu, model, watchers),
            memory=store,
            watcher=watchers,
            stop=_stop_rules(settings),
            candidates_per_turn=_candidates_per_turn(settings),
            tune_budget=settings.tune_budget,
            search=settings.search,
            workers=max(2, cores()),
            policy=settings.policy,
            error_factor=settings.error_factor,
            backward=settings.backward,
            repair=settings.repair,
            from_nothing=settings.generate,
            equal_work=equal_work,
            before_turn=together.before_turn if together else lambda run: None,
            called_off=together.called_off if together else lambda: None,
            under_way=watcher.under_way if isinstance(watcher, Onlooker) else lambda stages: None,
        )
        watchers.started(run)
        ended = continue_run(run, seed, parts)
        if seconds is not None:
            watchers.note(spending(target, (seconds_elsewhere(evaluator) or 0.0) - seconds))
    save = save_first if settings.generate else save_best
    saved = save(ended, kernel, settings.results / "kernels") if settings.save else None
    asked = store.interactions(run.id)
    spent = spent_on(asked)
    try:
        with known_as(gpu):
            watchers.note(f"report: {write_report(ended, asked, settings.results)}")
    except StoreError as error:  # the run is over and stored
        watchers.note(f"no report: {error}")
    return Outcome(ended, saved, spent.usd, spent.tokens, gpu, len(store.awaited_lessons(run.id)))


def _gpu_of_run(run_id: str, target: Target, host: Host, store: Store) -> Gpu:
    """As it was known when the run began. What a model is told must not depend on where a run goes on: a prompt that
    reads differently there is another prompt, whose answer is missing."""
    if (known := store.gpu(run_id)) is None:
        known = gpu_of(target, host)
        store.keep_gpu(run_id, known)
    return known


def _stop_rules(settings: Settings) -> StopRules:
    return StopRules(
        target_speedup=settings.target_speedup,
        exhaustible=not (settings.models and settings.hypotheses),
        first_correct=settings.generate and not settings.optimize,
        min_improvement=settings.min_improvement,
        patience=settings.patience,
        max_turns=settings.max_iterations,
        max_evaluations=settings.max_evaluations,
        max_wall_s=settings.max_wall_s,
        max_gpu_s=settings.max_gpu_s,
        near_optimal=settings.near_optimal,
        share_reached=share_reached,
    )


class _Watchers:
    """Several watchers as one."""

    def __init__(self, watchers: Sequence[Watcher]) -> None:
        self._watchers = watchers

    def started(self, run: Run) -> None:
        for watcher in self._watchers:
            watcher.started(run)

    def trying(self, candidate: Candidate, phase: str, turn: int) -> None:
        for watcher in self._watchers:
            watcher.trying(candidate, phase, turn)

    def tried(self, run: Run, attempt: Attempt) -> None:
        for watcher in self._watchers:
            watcher.tried(run, attempt)

    def note(self, message: str) -> None:
        for watcher in self._watchers:
            watcher.note(message)

    def stopped(self, run: Run) -> None:
        for watcher in self._watchers:
            watcher.stopped(run)
