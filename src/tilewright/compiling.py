"""Which turns of recorded runs are played again to find better instructions, and how good is what comes of one?"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, nullcontext
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from tilewright import targets, wiring
from tilewright.analysis import llm_rule
from tilewright.config import OptimizationConfig, Settings, from_pairs, resolve
from tilewright.errors import AwaitingAnswers, ModelUnavailable, UsageError
from tilewright.hardware import Gpu, known_as
from tilewright.lm import PATIENT, Model, Patience
from tilewright.proposers.llm import LlmProposer, signatures
from tilewright.proposers.llm.compiling import Played, compiled
from tilewright.proposing import model_for
from tilewright.protocols import Watcher
from tilewright.records import Attempt, Brief, Candidate, Job, Run, Verified, Wrong
from tilewright.scores import doubtful, score
from tilewright.search.briefs import place_of, turn_brief
from tilewright.search.gating import through
from tilewright.search.loop import Failed
from tilewright.store import Store
from tilewright.wording.outcomes import failure, outcome

RIGHT = 0.2
"""The score of a kernel that is right, before its speed counts: 0.6 at the speed of the one it grew from."""
WRONG = 0.1
"""Of one that compiles and computes something else."""
_DEADLINE_S = 180.0


@dataclass(frozen=True)
class Case:
    """A turn of a recorded run as it began, how its candidates are judged, and what the run knew of the GPU."""

    brief: Brief
    job: Job
    gpu: Gpu | None


@dataclass(frozen=True)
class Better:
    """Instructions by signature, none where no better ones were found; mean scores of the turns before and after.

    `stopped` says what ended it early.
    """

    instructions: Mapping[str, str]
    before: float
    after: float
    runs: tuple[str, ...]
    turns: int
    tokens: int
    usd: float
    stopped: str


def compile_prompts(
    runs: Sequence[str],
    config: OptimizationConfig,
    most_turns: int,
    most_plays: int,
    watcher: Watcher,
    shared: targets.SharedWorkers | None = None,
    patience: Patience = PATIENT,
) -> Better:
    """Better instructions for the model of `config`, from turns of `runs` (all that the store holds, where none).

    Raises `UsageError` where no turn can be played here, and whatever ended the search, unless that was a model that
    can't be asked any more and something better had been found by then.
    """
    with closing(wiring.open_store(Path(config.results))) as store:
        recorded = [store.load(store.find(name)) for name in runs or store.runs()]
        config.kernel_file = recorded[0].kernel_path if recorded else "none"  # options want one
        settings = resolve(config)
        target = targets.choose_target(settings)
        fitting = [run for run in recorded if (run.evaluator, run.gpu) == (target.evaluator, target.gpu)]
        cases = sorted(_cases(fitting, store), key=lambda case: case.brief.turn)[:most_turns]
        if not settings.models or not cases:
            raise UsageError(_useless(settings, recorded, target))
        with (
            nullcontext(shared) if shared else closing(targets.SharedWorkers()) as kept,
            model_for(settings, store, watcher, patience, "compile_prompts") as model,
        ):
            assert model is not None  # there are models
            bench = _Bench(kept, target, settings, model)
            asked = {
                "analyse": llm_rule.signature(settings.instructions),
                "plan": signatures.plan(settings.instructions),
                "rewrite": signatures.rewrite(settings.instructions),
                "repair": signatures.repair(settings.instructions),
            }
            found = compiled(asked, lambda own, number: bench.play(cases[number], own), len(cases), most_plays, model)
    if isinstance(found.stopped, AwaitingAnswers):
        waiting = ", ".join(found.stopped.prompts)
        raise AwaitingAnswers(
            f"{waiting} awaits its answer, which belongs beside it. When it is there, give the same command again.",
            found.stopped.prompts,
        )
    if found.stopped and (not isinstance(found.stopped, ModelUnavailable) or found.after <= found.before):
        raise found.stopped
    changed = {name: text for name, text in found.instructions.items() if text != asked[name].instructions}
    return Better(
        instructions={**settings.instructions, **changed} if changed else {},
        before=found.before,
        after=found.after,
        runs=tuple(run.id for run in fitting),
        turns=len(cases),
        tokens=model.budget.tokens,
        usd=model.budget.usd,
        stopped=str(found.stopped or ""),
    )


def write_program(found: Better, model: str, path: Path) -> None:
    """For `--program`: the instructions, and how they were found."""
    made = {name: value for name, value in asdict(found).items() if name != "instructions"}
    text = json.dumps({"instructions": dict(found.instructions), "made": {"model": model, **made}}, indent=1)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{path} can't be written: {error.strerror}") from error


class _Bench:
    """Plays turns: asks the model, and has gates and evaluator judge what it wrote."""

    def __init__(self, kept: targets.SharedWorkers, target: targets.Target, settings: Settings, model: Model) -> None:
        self._gates = targets.gates_for(target, kept.host(target))
        self._evaluator = kept.evaluator(target, settings.results)
        self._model = model

    def play(self, case: Case, own: Mapping[str, str]) -> Played:
        """Analysis, one hypothesis, its module, one repair where that fails."""
        with known_as(case.gpu):
            return self._play(case, own)

    def _play(self, case: Case, own: Mapping[str, str]) -> Played:
        said: list[str] = []
        reading = llm_rule.LlmRule(self._model, own=own)
        proposer = LlmProposer(self._model, reading.of_brief, 1, said.append, own)
        tried = [self._judged(case, candidate) for candidate in proposer.propose(case.brief)]
        if not tried:
            why = "There was no usable answer. " + " ".join(said)
            return Played(0.0, {"plan": why, "rewrite": why})
        first = tried[0]
        failed = [first] if isinstance(first.evaluation, Failed) else []
        tried += [self._judged(case, candidate) for candidate in proposer.repair(case.brief, failed)]
        end = _told(case.brief, tried[-1])
        feedback = {"analyse": end, "plan": end, "rewrite": _told(case.brief, first), "repair": end}
        if not failed:
            del feedback["repair"]
        return Played(_score(case.brief, tried[-1]), feedback)

    def _judged(self, case: Case, candidate: Candidate) -> Attempt:
        verdict = through(self._gates, candidate, case.brief.problem)
        job = replace(case.job, candidate=candidate, evidence=verdict.evidence)
        evaluation = verdict.failure or self._evaluator.submit(job).result()
        number = len(case.brief.history)
        return Attempt(number, case.brief.turn, "structure", candidate, evaluation, verdict.evidence)


def _cases(runs: Sequence[Run], store: Store) -> Iterator[Case]:
    """The turns that a model was told of, and that began with a kernel that had a time."""
    for run in runs:
        options = from_pairs(run.settings, OptimizationConfig())
        for turn in range(1, run.attempts[-1].turn + 1 if run.attempts else 1):
            told = store.told(run.id, place_of(turn))
            brief = turn_brief(run, turn, limit=1)
            if told is not None and score(brief.parent.evaluation) is not None:
                yield Case(brief.with_told(told), _job(run, brief, options), store.gpu(run.id))


def _job(run: Run, brief: Brief, options: OptimizationConfig) -> Job:
    return Job(
        candidate=brief.parent.candidate,
        problem=run.problem,
        gpu=run.gpu,
        deadline_s=_DEADLINE_S * len(run.baselines),
        policy=options.policy,  # type: ignore[arg-type]
        baselines=run.baselines,
        error_factor=options.error_factor,
        backward=options.backward,
    )


def _score(brief: Brief, attempt: Attempt) -> float:
    """0 to 1; half of what is left above `RIGHT` at the speed of the kernel that the turn began with."""
    ratio = _over_parent(brief, attempt)
    if ratio is not None:
        return RIGHT + (1 - RIGHT) * ratio / (1 + ratio)
    if isinstance(attempt.evaluation, Wrong):
        return WRONG
    return RIGHT if isinstance(attempt.evaluation, Verified) or doubtful(attempt) else 0.0


def _told(brief: Brief, attempt: Attempt) -> str:
    ratio = _over_parent(brief, attempt)
    if ratio is not None:
        return f"It is right, and has {ratio:.2f}x of the speed of the kernel it grew from ({outcome(attempt)})."
    return failure(attempt) if isinstance(attempt.evaluation, Failed) else f"Its result: {outcome(attempt)}."


def _over_parent(brief: Brief, attempt: Attempt) -> float | None:
    """None where one of them has no time that counts."""
    before, after = score(brief.parent.evaluation), score(attempt.evaluation)
    if before is None or after is None or before.kind != after.kind or doubtful(attempt):
        return None
    return after.value / before.value


def _useless(settings: Settings, recorded: Sequence[Run], target: targets.Target) -> str:
    if not settings.models:
        return "Instructions are made better for a model: give --model."
    if not recorded:
        return f"{settings.results} holds no run yet. Start one with a model: tilewright optimize KERNEL --model ..."
    return (
        f"None of {len(recorded)} runs has a turn that can be played here: one that a language model was told of, "
        f"judged by the {target.evaluator} evaluator for {target.gpu} like here ({target.reason})."
    )
