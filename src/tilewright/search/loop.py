"""One run: turns of structure changes and knob search, each attempt durable before the next thing happens.

The run's state is its list of attempts and nothing else, so a run that was killed goes on from the store.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal, Protocol

from tilewright.errors import AwaitingAnswers, AwaitingGpu, BudgetSpent, MachineryError, ModelUnavailable, NoMachine
from tilewright.protocols import Evaluator, Gate, Proposer, Repairer, Verdict, Watcher
from tilewright.records import (
    Attempt,
    Baseline,
    Brief,
    Candidate,
    CompileFailed,
    Cost,
    Crashed,
    Evaluation,
    Evidence,
    Finding,
    Job,
    Measured,
    Problem,
    Reason,
    Rejected,
    Run,
    TimedOut,
    Told,
    Wrong,
)
from tilewright.scores import best, keep, score
from tilewright.search.briefs import before_knobs, by_brief, place_of, turn_briefs
from tilewright.search.gating import through
from tilewright.search.policies import Policy
from tilewright.search.policies.greedy import Greedy
from tilewright.search.reflecting import Notebook, reflect, take_in
from tilewright.search.stopping import StopRules
from tilewright.search.underway import Stages, UnderWay

Phase = Literal["seed", "structure", "knobs"]
NO_KERNEL = Rejected("generate", (Reason("no-kernel", "there is no TileLang kernel yet", None, "Write one."),))
Failed = (Rejected, CompileFailed, Wrong, Crashed, TimedOut)
"""What a candidate can be repaired of."""
Analyze = Callable[[Candidate, Problem, Evidence, "Evaluation | None"], Sequence[Finding]]
EqualWork = Callable[[Problem, Candidate, Evidence, Candidate, Evidence], bool]
"""Whether two candidates surely do the same work on the GPU, given what compiling each found out."""
TUNED_AT_ONCE = 4
"""Settings asked for at a time: more fill the compiler's cores, fewer learn sooner. Of 20 made-up landscapes the
search reached within 10 % of the best after 40 settings in all with 1 or 4 at a time, in 15 with 8."""


class Memory(Notebook, Protocol):
    """What the loop needs of the store."""

    def append(self, run_id: str, attempt: Attempt) -> None: ...
    def remember(self, run_id: str, place: str, candidates: Sequence[Candidate]) -> None: ...
    def remembered(self, run_id: str, place: str) -> tuple[Candidate, ...] | None: ...
    def tell(self, run_id: str, place: str, told: Told) -> None: ...
    def keep_verdict(self, run_id: str, candidate_id: str, gates: str, verdict: Verdict) -> None: ...
    def verdict(self, run_id: str, candidate_id: str, gates: str) -> Verdict | None: ...
    def finish(self, run: Run) -> None: ...


@dataclass(frozen=True)
class Parts:
    """The parts a run is made of; `wiring` chooses them."""

    gates: Sequence[Gate]
    evaluator: Evaluator
    analyze: Analyze
    structure_proposers: Sequence[Proposer]
    tuner: Proposer | None
    memory: Memory
    watcher: Watcher
    stop: StopRules
    candidates_per_turn: int
    tune_budget: int
    search: Policy = Greedy()
    workers: int = 2
    deadline_s: float = 180.0
    gates_version: str = ""
    """What `gates` said is used again by a run that goes on while this is the same; "" asks them anew."""
    last_gates: Sequence[Gate] = ()
    """Before a new best is measured again."""
    policy: Literal["report", "own-kernels"] = "report"
    error_factor: float = 16.0
    backward: bool = False
    repair: bool = False
    from_nothing: bool = False
    """Whether the seed is the reference and no kernel: it is not judged, and what is right is a gain."""
    repairs: int = 2
    """How often a proposer that can may mend what failed of a turn's structures."""
    inform: Callable[[Brief], Told] = lambda brief: Told()
    """What is known beyond the run: examples, guidelines, lessons, the distance to the limit."""
    equal_work: EqualWork | None = None
    """Work is shared only by what this says; None measures every candidate."""
    before_turn: Callable[[Run], None] = lambda run: None
    """May let other runs go first; the time that it takes isn't the run's."""
    called_off: Callable[[], tuple[str, str] | None] = lambda: None
    """A reason to stop that isn't the run's own."""
    under_way: Callable[[Stages], None] = lambda stages: None
    """Is told how many candidates are where, from several threads."""


def continue_run(run: Run, seed: Candidate, parts: Parts) -> Run:
    """Start or go on with `run` until a stop rule holds; returns it with its reason recorded."""
    started = time.monotonic() - run.seconds
    with ThreadPoolExecutor(max_workers=parts.workers) as pool:
        work = _Work(run, parts, pool, started)
        try:
            reason = work.go(seed)
        except KeyboardInterrupt:
            parts.watcher.note("interrupted; what is being compiled or checked comes to its end first")
            reason = ("interrupted", f"resume with: tilewright resume {run.id}")
            pool.shutdown(wait=False, cancel_futures=True)
        except AwaitingAnswers as waiting:
            reason = ("awaiting_answers", f"{waiting} Go on with: tilewright resume {run.id}")
        except AwaitingGpu as waiting:
            reason = ("awaiting_gpu", f"{waiting} Go on where one is: tilewright resume {run.id}")
        except BudgetSpent as spent:
            reason = ("budget", str(spent))
        except ModelUnavailable as error:
            reason = ("model_unavailable", f"{error} Go on with: tilewright resume {run.id}")
        except NoMachine as error:
            reason = ("no_machine", f"{str(error).rstrip('.')}. Go on with: tilewright resume {run.id}")
    ended = replace(work.run, stop_reason=reason[0], stop_detail=reason[1], seconds=time.monotonic() - work.started)
    parts.memory.finish(ended)
    parts.watcher.stopped(ended)
    return ended


class _Work:
    """The run in hand and what it needs; `go` is its one verb."""

    def __init__(self, run: Run, parts: Parts, pool: ThreadPoolExecutor, started: float) -> None:
        self.run, self.parts, self.pool, self.started = run, parts, pool, started
        self.way = UnderWay(parts.under_way)

    def go(self, seed: Candidate) -> tuple[str, str]:
        take_in(self.run, self.parts.candidates_per_turn, self.parts.search, *self._learning())
        if not self.run.attempts:
            if self.parts.from_nothing:
                self._add(Attempt(0, 0, "seed", seed, NO_KERNEL))
            else:
                self._try_all([seed], turn=0, phase="seed")
        failed = self._seed_failure()
        if failed:
            return failed
        turn = max(1, self.run.attempts[-1].turn)
        while True:
            self._let_others_go_first()
            stop = self._stopping() or self._turn(turn) or self.parts.stop.after_turn(self.run, turn)
            if stop:
                return stop
            turn += 1

    def _let_others_go_first(self) -> None:
        clock = time.monotonic()
        self.parts.before_turn(self.run)
        self.started += time.monotonic() - clock

    def _seed_failure(self) -> tuple[str, str] | None:
        first = self.run.attempts[0]
        if score(first.evaluation) is not None:
            return None
        if self.parts.from_nothing or (isinstance(first.evaluation, Wrong) and self.parts.repair):
            return None
        if isinstance(first.evaluation, Wrong):
            return "seed_wrong", first.evaluation.mismatch.message
        if first.evaluation is None:
            return "machinery", f"{first.error.rstrip('.')}. Go on with: tilewright resume {self.run.id}"
        return "seed_failed", first.evaluation.outcome

    def _turn(self, turn: int) -> tuple[str, str] | None:
        """One round of structure changes, then the knob search on the best of them."""
        grown = turn_briefs(self.run, turn, self.parts.candidates_per_turn, self.parts.search)
        briefs = [self._told(brief, number) for number, brief in enumerate(grown)]
        proposals: list[Candidate] = []
        waiting: AwaitingAnswers | None = None
        for number, brief in enumerate(briefs):
            for proposer in self.parts.structure_proposers:
                try:
                    place = f"{place_of(turn, number)} structure {proposer.name}"
                    proposals += self._ask(proposer, brief, place)
                except AwaitingAnswers as error:
                    waiting = error
        try:
            stop = self._try_all(proposals, turn, "structure")
        except AwaitingGpu as error:
            if waiting is None:
                raise
            raise AwaitingAnswers(f"{waiting} {error}", waiting.prompts) from error
        if waiting and not stop:  # what the others proposed is known by then
            raise waiting
        stop = stop or self._mend(briefs, turn) or self._search_knobs(turn)
        reflect(self.run, turn, briefs, *self._learning())
        return stop

    def _mend(self, briefs: Sequence[Brief], turn: int) -> tuple[str, str] | None:
        """Have what failed repaired by those who proposed it, as often as is allowed."""
        for number, brief in enumerate(briefs):
            for proposer in self.parts.structure_proposers:
                if not isinstance(proposer, Repairer):
                    continue
                for repair in range(self.parts.repairs):
                    failed = _failed(self._of(turn, briefs)[number], proposer.name, repair)
                    if not failed:
                        break
                    place = f"{place_of(turn, number)} repair {repair} {proposer.name}"
                    mended = self._remembering(place, partial(proposer.repair, brief, failed))
                    stop = self._try_all(mended, turn, "structure")
                    if stop:
                        return stop
        return None

    def _learning(self) -> tuple[Sequence[Proposer], Memory, Callable[[str], None]]:
        """Who reflects, where that is kept, and who is told of what isn't learned."""
        return self.parts.structure_proposers, self.parts.memory, self.parts.watcher.note

    def _of(self, turn: int, briefs: Sequence[Brief]) -> list[list[Attempt]]:
        return by_brief([attempt for attempt in self.run.attempts if attempt.turn == turn], briefs)

    def _search_knobs(self, turn: int) -> tuple[str, str] | None:
        if self.parts.tuner is None:
            return None
        search, budget = self.parts.search, self.parts.tune_budget
        bases = search.structures(before_knobs(self.run, turn), turn)
        equal = int(budget * search.shared) // len(bases) if len(bases) > 1 else budget
        for number, base in enumerate(bases):
            stop = self._tune(self.parts.tuner, base, turn, number, equal)
            if stop:
                return stop
        leader = search.select(before_knobs(self.run, turn, but=equal))[0].candidate.structure_id
        left = budget - equal * (len(bases) - 1)
        return self._tune(self.parts.tuner, leader, turn, len(bases), left)

    def _tune(self, tuner: Proposer, structure: str, turn: int, number: int, budget: int) -> tuple[str, str] | None:
        step = 0
        while True:
            family = [a for a in self.run.attempts if a.candidate.structure_id == structure]
            spent = sum(a.turn == turn and a.phase == "knobs" for a in family)
            if spent >= budget or not family:
                return None
            parent = best(replace(self.run, attempts=tuple(family))) or family[0]
            place = f"turn {turn} knobs {number} step {step}"
            limit = min(budget - spent, TUNED_AT_ONCE, max(2, self.parts.workers))
            brief = Brief(self.run.problem, parent, self.run.attempts, turn, "knobs", self.run.gpu, limit)
            proposals = self._ask(tuner, brief, place)
            fresh = self._unknown(proposals)
            if not proposals:
                return None
            stop = self._try_all(fresh, turn, "knobs")
            if stop:
                return stop
            step += 1

    def _told(self, brief: Brief, number: int) -> Brief:
        place = place_of(brief.turn, number)
        told = self.parts.memory.told(self.run.id, place)
        if told is None:
            told = self.parts.inform(brief)
            self.parts.memory.tell(self.run.id, place, told)
        return brief.with_told(told)

    def _ask(self, proposer: Proposer, brief: Brief, place: str) -> Sequence[Candidate]:
        return self._remembering(place, lambda: tuple(proposer.propose(brief))[: brief.limit])

    def _remembering(self, place: str, ask: Callable[[], Sequence[Candidate]]) -> Sequence[Candidate]:
        answer = self.parts.memory.remembered(self.run.id, place)
        if answer is None:
            self.way.moves(place, "proposing")
            try:
                answer = tuple(ask())
            finally:
                self.way.moves(place, None)
            self.parts.memory.remember(self.run.id, place, answer)
        return answer

    def _unknown(self, candidates: Iterable[Candidate]) -> list[Candidate]:
        seen = {attempt.candidate.id for attempt in self.run.attempts}
        fresh = []
        for candidate in candidates:
            if candidate.id not in seen:
                seen.add(candidate.id)
                fresh.append(candidate)
        return fresh

    def _stopping(self) -> tuple[str, str] | None:
        return self.parts.stop.within_turn(self.run, time.monotonic() - self.started) or self.parts.called_off()

    # One candidate's way: gates side by side, then the evaluator one after another.

    def _try_all(self, candidates: Iterable[Candidate], turn: int, phase: Phase) -> tuple[str, str] | None:
        fresh = self._unknown(candidates)
        for number, (candidate, verdict) in enumerate(self._gated(fresh)):
            clock = time.monotonic()
            self.parts.watcher.trying(candidate, phase, turn)
            try:
                self._add(self._attempt(candidate, verdict, turn, phase, clock))
            except AwaitingGpu as error:
                raise AwaitingGpu(_waiting(len(fresh) - number, self.run.gpu)) from error
            stop = None if phase == "seed" else self._stopping()
            if stop:
                return stop
        return self._stopping()

    def _add(self, attempt: Attempt) -> None:
        self.way.moves(attempt.candidate.id, None)
        self.parts.memory.append(self.run.id, attempt)
        self.run = replace(self.run, attempts=(*self.run.attempts, attempt))
        self.parts.watcher.tried(self.run, attempt)

    def _gated(self, candidates: Sequence[Candidate]) -> Iterator[tuple[Candidate, Verdict | MachineryError]]:
        left = list(candidates)
        for candidate in left:
            self.way.moves(candidate.id, "queued")
        # Where the first of them waits for a GPU, no other's gates are begun in vain.
        while left and (known := self._known_verdict(left[0])):
            yield left.pop(0), known
        waiting: list[tuple[Candidate, Future[Verdict]]] = [
            (candidate, self.pool.submit(self._verdict, candidate)) for candidate in left
        ]
        try:
            for candidate, future in waiting:
                try:
                    yield candidate, future.result()
                except NoMachine:
                    raise
                except MachineryError as error:
                    yield candidate, error
        finally:
            for candidate, future in waiting:
                future.cancel()
                self.way.moves(candidate.id, None)

    def _verdict(self, candidate: Candidate) -> Verdict:
        """Kept as soon as it is there: the candidate may have to wait for its evaluator."""
        verdict = self._known_verdict(candidate)
        if verdict is None:
            at = partial(self.way.moves, candidate.id)
            verdict = through(self.parts.gates, candidate, self.run.problem, at)
            at("ready")
            if self.parts.gates_version:
                self.parts.memory.keep_verdict(self.run.id, candidate.id, self.parts.gates_version, verdict)
        return verdict

    def _known_verdict(self, candidate: Candidate) -> Verdict | None:
        version = self.parts.gates_version
        return self.parts.memory.verdict(self.run.id, candidate.id, version) if version else None

    def _attempt(
        self, candidate: Candidate, verdict: Verdict | MachineryError, turn: int, phase: Phase, clock: float
    ) -> Attempt:
        index = len(self.run.attempts)
        if isinstance(verdict, MachineryError):
            return Attempt(index, turn, phase, candidate, None, error=str(verdict))
        twin = None if verdict.failure else self._twin(candidate, verdict.evidence)
        evaluation: Evaluation | None = twin.evaluation if twin else verdict.failure
        error = ""
        if evaluation is None:
            try:
                evaluation = self._evaluate(candidate, verdict.evidence, index, turn, phase)
            except NoMachine:
                raise
            except MachineryError as failure:
                error = str(failure)
        findings = tuple(self.parts.analyze(candidate, self.run.problem, verdict.evidence, evaluation))
        cost = Cost(seconds=time.monotonic() - clock, gpu_seconds=0.0 if twin else _gpu_seconds(evaluation))
        shared_with = twin.index if twin else None
        return Attempt(
            index, turn, phase, candidate, evaluation, verdict.evidence, findings, cost, error, shared_with
        )

    def _twin(self, candidate: Candidate, evidence: Evidence) -> Attempt | None:
        """An earlier attempt that surely did the same work and whose evaluation holds for this one too.

        Not the best: what is to be the new best is measured itself."""
        equal, top = self.parts.equal_work, best(self.run)
        if equal is None:
            return None
        for earlier in self.run.attempts:
            fit = earlier is not top and earlier.shared_with is None and _may_be_shared(earlier.evaluation)
            if fit and equal(self.run.problem, earlier.candidate, earlier.evidence, candidate, evidence):
                return earlier
        return None

    def _evaluate(self, candidate: Candidate, evidence: Evidence, index: int, turn: int, phase: Phase) -> Evaluation:
        """Evaluate once more where the machinery failed; measure a new best again in fresh processes."""
        top = best(self.run)
        incumbent = score(top.evaluation) if top else None
        job = Job(
            candidate=candidate,
            problem=self.run.problem,
            evidence=evidence,
            gpu=self.run.gpu,
            incumbent_ratio=incumbent.value if incumbent and incumbent.kind == "measured" else None,
            deadline_s=self.parts.deadline_s * len(self.run.baselines),
            policy=self.parts.policy,
            baselines=self.run.baselines,
            error_factor=self.parts.error_factor,
            backward=self.parts.backward,
        )
        evaluation = self._submit(job)
        provisional = Attempt(index, turn, phase, candidate, evaluation)
        run = replace(self.run, attempts=(*self.run.attempts, provisional))
        if isinstance(evaluation, Measured) and phase != "seed" and keep(run, provisional):
            verdict = through(self.parts.last_gates, candidate, self.run.problem)
            if verdict.failure is not None:
                return verdict.failure
            baselines = self._with_seed(job.baselines)
            return self._submit(replace(job, effort="confirm", incumbent_ratio=None, baselines=baselines))
        return evaluation

    def _with_seed(self, baselines: tuple[Baseline, ...]) -> tuple[Baseline, ...]:
        """The baselines and the kernel that the run began with, where that is right."""
        seed = self.run.attempts[0]
        named = any(baseline.name == "seed" for baseline in baselines)
        if named or not isinstance(seed.evaluation, Measured):
            return baselines
        return (*baselines, Baseline("seed", seed.candidate))

    def _submit(self, job: Job) -> Evaluation:
        self.way.moves(job.candidate.id, "evaluating")
        try:
            return self.parts.evaluator.submit(job).result()
        except NoMachine:
            raise
        except MachineryError as error:
            self.parts.watcher.note(f"tried again after a failure of the machinery: {error}")
            return self.parts.evaluator.submit(job).result()


def _waiting(candidates: int, gpu: str) -> str:
    wait = "1 candidate waits" if candidates == 1 else f"{candidates} candidates wait"
    return f"{wait} to be measured on a GPU ({gpu})."


def _failed(tried: Sequence[Attempt], proposer: str, repairs: int) -> list[Attempt]:
    """Of a proposer's structures among a turn's attempts those that failed after so many repairs."""
    mended: dict[str, int] = {}
    found = []
    for attempt in tried:
        candidate = attempt.candidate
        if (attempt.phase, candidate.proposer) == ("structure", proposer):
            mended[candidate.id] = mended.get(candidate.parent or "", -1) + 1
            if mended[candidate.id] == repairs and isinstance(attempt.evaluation, Failed):
                found.append(attempt)
    return found


def _may_be_shared(evaluation: Evaluation | None) -> bool:
    """What a GPU said of a candidate; of a time only where nothing speaks against it."""
    if isinstance(evaluation, Measured):
        return evaluation.measurement.trust != "C"
    return isinstance(evaluation, (Wrong, Crashed))


def _gpu_seconds(evaluation: Evaluation | None) -> float:
    """As the evaluator counted them; one that doesn't count tells of the timed pairs at least."""
    if not isinstance(evaluation, Measured):
        return 0.0
    held = dict(evaluation.measurement.conditions).get("gpu_s")
    if held is not None:
        return held
    pairs = [pair for timing in evaluation.measurement.timings for pair in timing.pairs]
    return sum(candidate + baseline for candidate, baseline in pairs) / 1000
