"""What becomes of a candidate? Through the gates, to the evaluator, and where it is a new best, there once more.

Gates are asked side by side. The evaluator has as many candidates at a time as it can make use of, so that one is
made ready while another is timed; each is judged by what was the best when it was sent. Attempts come in the order of
the candidates all the same.
"""

from __future__ import annotations

import contextlib
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeVar

from tilewright.errors import MachineryError, NoMachine, StoreError, TilewrightError
from tilewright.protocols import Verdict, at_once
from tilewright.records import (
    Attempt,
    Baseline,
    Candidate,
    Cost,
    Crashed,
    Evaluation,
    Evidence,
    Job,
    Measured,
    Run,
    Wrong,
    content_id,
)
from tilewright.scores import best, keep, score
from tilewright.search.gating import through
from tilewright.search.parts import Parts, Phase
from tilewright.search.underway import UnderWay

T = TypeVar("T")


@dataclass(frozen=True)
class _Gated:
    candidate: Candidate
    verdict: Future[Verdict]


@dataclass(frozen=True)
class _Sent:
    """A candidate that has its verdict, and its evaluation to come where it was sent to the evaluator."""

    candidate: Candidate
    verdict: Verdict | MachineryError
    job: Job | None = None
    evaluation: Future[Evaluation] | None = None


class Trying:
    """Of one run, which grows meanwhile: `run` says how far it is."""

    def __init__(self, parts: Parts, pool: ThreadPoolExecutor, way: UnderWay, run: Callable[[], Run]) -> None:
        self._parts, self._pool, self._way, self._run = parts, pool, way, run
        self._width = at_once(parts.evaluator)

    def each(self, candidates: Sequence[Candidate], turn: int, phase: Phase) -> Generator[Attempt, None, None]:
        """An attempt for each, in their order; whoever asks for the next has stored the one before. Closed early, it
        calls off what was begun. Raises `AwaitingGpu` and `NoMachine`."""
        for candidate in candidates:
            self._way.moves(candidate.id, "queued")
        try:
            # Where the first of them waits for a GPU, no other's gates are begun in vain.
            known = list(self._known(candidates))
            yield from self._through(known, turn, phase)
            left = [_Gated(c, self._pool.submit(self._verdict, c)) for c in candidates[len(known) :]]
            yield from self._through(left, turn, phase)
        finally:
            for candidate in candidates:
                self._way.moves(candidate.id, None)

    def _through(self, candidates: Sequence[_Gated], turn: int, phase: Phase) -> Iterator[Attempt]:
        gated, sent = deque(candidates), deque[_Sent]()
        try:
            while gated or sent:
                while gated and len(sent) < self._width and (not sent or gated[0].verdict.done()):
                    sent.append(self._send(gated.popleft(), sent))
                awaited = sent[0].evaluation
                if gated and len(sent) < self._width and awaited and not awaited.done():
                    either: list[Future[Any]] = [awaited, gated[0].verdict]
                    wait(either, return_when=FIRST_COMPLETED)
                    if not awaited.done():
                        continue
                yield self._attempt(sent.popleft(), turn, phase)
        finally:
            for left in gated:
                left.verdict.cancel()
            for begun in sent:
                if begun.evaluation:
                    begun.evaluation.cancel()

    def _verdict(self, candidate: Candidate) -> Verdict:
        """Kept as soon as it is there: the candidate may have to wait for its evaluator."""
        at = partial(self._way.moves, candidate.id)
        verdict = through(self._parts.gates, candidate, self._run().problem, at)
        at("ready")
        if self._parts.gates_version:
            self._parts.memory.keep_verdict(self._run().id, candidate.id, self._parts.gates_version, verdict)
        return verdict

    def _known(self, candidates: Iterable[Candidate]) -> Iterator[_Gated]:
        """Those at the beginning that the gates judged before the run was stopped."""
        for candidate in candidates if self._parts.gates_version else ():
            verdict = self._parts.memory.verdict(self._run().id, candidate.id, self._parts.gates_version)
            if verdict is None:
                return
            yield _Gated(candidate, _done(verdict))

    def _send(self, gated: _Gated, before: Iterable[_Sent]) -> _Sent:
        """To the evaluator, unless there is no need to, or one that does the same work is there and not back yet."""
        candidate, verdict = gated.candidate, _settled(gated.verdict)
        if isinstance(verdict, MachineryError) or verdict.failure or self._twin(candidate, verdict.evidence):
            return _Sent(candidate, verdict)
        asked = [one.job for one in before if one.job]
        if any(self._is_equal(job.candidate, job.evidence, candidate, verdict.evidence) for job in asked):
            return _Sent(candidate, verdict)
        job = self._job(candidate, verdict.evidence)
        return _Sent(candidate, verdict, job, self._submit(job))

    def _attempt(self, sent: _Sent, turn: int, phase: Phase) -> Attempt:
        clock = time.monotonic()
        candidate, verdict = sent.candidate, sent.verdict
        self._parts.watcher.trying(candidate, phase, turn)
        index = len(self._run().attempts)
        if isinstance(verdict, MachineryError):
            return Attempt(index, turn, phase, candidate, None, error=str(verdict))
        twin = None if verdict.failure or sent.evaluation else self._twin(candidate, verdict.evidence)
        evaluation: Evaluation | None = twin.evaluation if twin else verdict.failure
        error = ""
        if evaluation is None:
            job = sent.job or self._job(candidate, verdict.evidence)
            found = self._evaluated(job, sent.evaluation or self._submit(job), index, turn, phase)
            if isinstance(found, MachineryError):
                error = str(found)
            else:
                evaluation = found
        findings = tuple(self._parts.analyze(candidate, self._run().problem, verdict.evidence, evaluation))
        cost = Cost(seconds=time.monotonic() - clock, gpu_seconds=0.0 if twin else _gpu_seconds(evaluation))
        shared_with = twin.index if twin else None
        return Attempt(
            index, turn, phase, candidate, evaluation, verdict.evidence, findings, cost, error, shared_with
        )

    def _twin(self, candidate: Candidate, evidence: Evidence) -> Attempt | None:
        """An earlier attempt that surely did the same work and whose evaluation holds for this one too.

        Not the best: what is to be the new best is measured itself."""
        top = best(self._run())
        for earlier in self._run().attempts:
            fit = earlier is not top and earlier.shared_with is None and _may_be_shared(earlier.evaluation)
            if fit and self._is_equal(earlier.candidate, earlier.evidence, candidate, evidence):
                return earlier
        return None

    def _is_equal(self, earlier: Candidate, found: Evidence, candidate: Candidate, evidence: Evidence) -> bool:
        equal = self._parts.equal_work
        return equal is not None and equal(self._run().problem, earlier, found, candidate, evidence)

    def _job(self, candidate: Candidate, evidence: Evidence) -> Job:
        top = best(self._run())
        incumbent = score(top.evaluation) if top else None
        return Job(
            candidate=candidate,
            problem=self._run().problem,
            evidence=evidence,
            gpu=self._run().gpu,
            incumbent_ratio=incumbent.value if incumbent and incumbent.kind == "measured" else None,
            deadline_s=self._parts.deadline_s * len(self._run().baselines),
            policy=self._parts.policy,
            baselines=self._run().baselines,
            error_factor=self._parts.error_factor,
            backward=self._parts.backward,
        )

    def _evaluated(
        self, job: Job, first: Future[Evaluation], index: int, turn: int, phase: Phase
    ) -> Evaluation | MachineryError:
        """A new best is measured again in fresh processes."""
        evaluation = self._answer(job, first)
        provisional = Attempt(index, turn, phase, job.candidate, None)
        if not isinstance(evaluation, Measured) or phase == "seed":
            return evaluation
        provisional = replace(provisional, evaluation=evaluation)
        run = self._run()
        if not keep(replace(run, attempts=(*run.attempts, provisional)), provisional):
            return evaluation
        again = replace(job, effort="confirm", incumbent_ratio=None, baselines=self._with_seed(job.baselines))
        answer = self._submit(again)
        verdict = _settled(self._pool.submit(through, self._parts.last_gates, job.candidate, run.problem))
        failure = verdict if isinstance(verdict, MachineryError) else verdict.failure
        if failure is None:
            return self._answer(again, answer)
        answer.cancel()
        return failure

    def _with_seed(self, baselines: tuple[Baseline, ...]) -> tuple[Baseline, ...]:
        """The baselines and the kernel that the run began with, where that is right."""
        seed = self._run().attempts[0]
        named = any(baseline.name == "seed" for baseline in baselines)
        if named or not isinstance(seed.evaluation, Measured):
            return baselines
        return (*baselines, Baseline("seed", seed.candidate))

    def _submit(self, job: Job) -> Future[Evaluation]:
        """What is answered is kept at once: attempts that come before it may take longer."""
        run, memory, key = self._run(), self._parts.memory, _key(job)
        known = memory.evaluation(run.id, job.candidate.id, key)
        if known is not None:
            return _done(known)
        self._way.moves(job.candidate.id, "evaluating")
        try:
            answer = self._parts.evaluator.submit(job)
        except TilewrightError as error:  # told when it is this candidate's turn
            answer = Future()
            answer.set_exception(error)

        def store(done: Future[Evaluation]) -> None:
            if not done.cancelled() and done.exception() is None:
                with contextlib.suppress(StoreError):  # whoever waits for the answer stores it with the attempt
                    memory.keep_evaluation(run.id, job.candidate.id, key, done.result())

        if self._width > 1:
            answer.add_done_callback(store)
        return answer

    def _answer(self, job: Job, future: Future[Evaluation]) -> Evaluation | MachineryError:
        """Where the machinery failed, that of a second try."""
        answer = _settled(future)
        if isinstance(answer, MachineryError):
            self._parts.watcher.note(f"tried again after a failure of the machinery: {answer}")
            answer = _settled(self._submit(job))
        return answer


def _settled(future: Future[T]) -> T | MachineryError:
    """Its result, or why the machinery has none; no machine at all ends the run."""
    try:
        return future.result()
    except NoMachine:
        raise
    except MachineryError as error:
        return error


def _done(result: T) -> Future[T]:
    future: Future[T] = Future()
    future.set_result(result)
    return future


def _key(job: Job) -> str:
    """Of what is asked about the candidate, whatever there is to beat."""
    baselines = [(baseline.name, baseline.kernel.id if baseline.kernel else "") for baseline in job.baselines]
    return content_id(job.problem.id, job.gpu, job.effort, baselines, job.policy, job.error_factor, job.backward)


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
