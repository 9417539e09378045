"""A language model proposes: it plans, writes each plan's module, mends what fails, and says what was learned."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextvars import copy_context
from dataclasses import replace
from typing import TypeVar

from tilewright.errors import AwaitingAnswers, KernelFileError, ModelFailed
from tilewright.lm import Model, extract_code, rollout_of
from tilewright.proposers.llm import prompts, signatures
from tilewright.records import Attempt, Brief, Candidate, Finding, Lesson, Measured, Unscorable
from tilewright.scores import doubtful, score
from tilewright.source.knobs import find_knobs
from tilewright.wording.sections import Section, empty, sections

_REPAIRS_FROM = 50
"""Of the questions of a turn, 0 and up are the plan and its hypotheses, from here on repairs."""
_MOST_LESSONS = 3
_LONGEST_TITLE = 240

_T = TypeVar("_T")


class LlmProposer:
    """Proposer, Repairer and Reflector. Stateless: all that it knows is in the brief.

    `analyse` reads a brief before planning; its findings stand among the parent's own. A question without a usable
    answer costs its candidate, and `on_note` is told. `own` instructions take the place of the shipped ones.
    """

    name = "llm"

    def __init__(
        self,
        model: Model,
        analyse: Callable[[Brief], Sequence[Finding]] | None = None,
        hypotheses: int = 3,
        on_note: Callable[[str], None] = lambda note: None,
        own: signatures.Own | None = None,
        share_reached: prompts.ShareReached = lambda attempt, gpu: None,
    ) -> None:
        self._model, self._analyse = model, analyse
        self._hypotheses, self._on_note, self._own = hypotheses, on_note, own
        self._share_reached = share_reached

    def propose(self, brief: Brief) -> Sequence[Candidate]:
        """One candidate for each hypothesis that a plan gives.

        Raises `AwaitingAnswers` after all was asked that can be, `ModelUnavailable` where nobody answers.
        """
        wanted = min(self._hypotheses, brief.limit)
        if wanted < 1:
            return ()
        findings = prompts.ranked(brief.parent.findings, self._analysis(brief))
        planned = self._plan(brief, findings, wanted)

        def write(number: int, hypothesis: Section) -> Candidate:
            return self._module(
                signatures.rewrite(self._own),
                prompts.writing(brief, findings, f"{hypothesis.title}\n{hypothesis.body}".strip()),
                f"rewrite turn {brief.turn} hypothesis {number + 1}",
                rollout_of(brief.turn, number),
                replace(brief.parent.candidate, hypothesis=hypothesis.title[:_LONGEST_TITLE]),
            )

        return self._all(write, planned)

    def repair(self, brief: Brief, failed: Sequence[Attempt]) -> Sequence[Candidate]:
        """A mended candidate for each that failed by its own fault, where the model finds one."""

        def mend(number: int, attempt: Attempt) -> Candidate:
            return self._module(
                signatures.repair(self._own),
                prompts.mending(brief, attempt),
                f"repair turn {brief.turn} of {attempt.index}",
                rollout_of(brief.turn, _REPAIRS_FROM + number),
                attempt.candidate,
            )

        own = [one for one in failed if one.evaluation is not None and not isinstance(one.evaluation, Unscorable)]
        return self._all(mend, own)

    def reflect(self, brief: Brief, tried: Sequence[Attempt]) -> Sequence[Lesson]:
        """At most three lessons, of what was measured to be faster or slower than the parent beyond noise.

        `ratio` is the change's speed over the parent's.
        """
        changes = _notable(brief.parent, tried)
        if not changes:
            return ()
        inputs = prompts.looking_back(brief, changes, tried, self._share_reached)
        answer = self._model.ask(
            signatures.reflect(),
            inputs,
            purpose=f"reflect turn {brief.turn}",
            rollout_id=rollout_of(brief.turn),
            about=brief.parent.candidate.id,
        )
        return [
            Lesson(
                text=section.title,
                condition=section.named("When"),
                ratio=round(_over(brief.parent, changes[section.number - 1][1]), 3),
                gpu=brief.gpu,
            )
            for section in sections(answer.text("lessons"))
            if 0 < section.number <= len(changes)
        ][:_MOST_LESSONS]

    def _analysis(self, brief: Brief) -> Sequence[Finding]:
        if self._analyse is None:
            return ()
        try:
            return self._analyse(brief)
        except ModelFailed as error:
            self._on_note(f"planned without an analysis: {error}")
            return ()

    def _plan(self, brief: Brief, findings: Sequence[Finding], wanted: int) -> list[Section]:
        try:
            answer = self._model.ask(
                signatures.plan(self._own),
                prompts.planning(brief, findings, wanted),
                purpose=f"plan turn {brief.turn}",
                rollout_id=rollout_of(brief.turn),
                about=brief.parent.candidate.id,
                flaw=lambda fields: empty(str(fields["hypotheses"])),
            )
        except ModelFailed as error:
            self._on_note(f"turn {brief.turn} has no plan: {error}")
            return []
        distinct = {section.title.lower(): section for section in reversed(sections(answer.text("hypotheses")))}
        return list(reversed(distinct.values()))[:wanted]

    def _module(
        self, signature: object, inputs: Mapping[str, str], purpose: str, rollout_id: int, parent: Candidate
    ) -> Candidate:
        """A candidate that grows from `parent` and has its hypothesis."""

        def flaw(fields: Mapping[str, object]) -> str:
            return _flaw(extract_code(str(fields["module"])), parent)

        answer = self._model.ask(
            signature, inputs, purpose=purpose, rollout_id=rollout_id, about=parent.id, flaw=flaw
        )
        code = extract_code(answer.text("module"))
        assert code is not None  # that would have been a flaw
        return Candidate(
            source=code,
            form=parent.form,
            entry_point=parent.entry_point,
            parent=parent.id,
            proposer=self.name,
            hypothesis=parent.hypothesis,
            support=parent.support,
        )

    def _all(self, question: Callable[[int, _T], Candidate], about: Sequence[_T]) -> list[Candidate]:
        """The answers there are, in order; each question is asked before anything is raised."""
        if not about:
            return []
        # Who answers at once is asked in order, for prompts in files are numbered as they are asked.
        pool = ThreadPoolExecutor(max_workers=1 if self._model.answers_at_once else len(about))
        try:
            # DSPy's settings of this thread hold there, too.
            futures = [pool.submit(copy_context().run, question, number, one) for number, one in enumerate(about)]
            wait(futures)
        finally:  # who interrupts need not wait for minutes of thinking
            pool.shutdown(wait=False, cancel_futures=True)
        answers: list[Candidate] = []
        waiting: list[AwaitingAnswers] = []
        for future in futures:
            try:
                answers.append(future.result())
            except ModelFailed as error:
                self._on_note(f"one candidate fewer: {error}")
            except AwaitingAnswers as error:
                waiting.append(error)
        if waiting:
            raise _together(waiting)
        return answers


def _together(waiting: Sequence[AwaitingAnswers]) -> AwaitingAnswers:
    if len(waiting) == 1:
        return waiting[0]
    prompts = tuple(prompt for error in waiting for prompt in error.prompts)
    return AwaitingAnswers(
        f"{len(prompts)} prompts await answers: {', '.join(prompts)}. Each says where its answer belongs.", prompts
    )


def _flaw(code: str | None, parent: Candidate) -> str:
    if code is None:
        return "`module` holds no whole Python module; write it completely, in one fenced block"
    if code.strip() == parent.source.strip():
        return "`module` is the shown one, unchanged"
    try:
        find_knobs(code)
    except KernelFileError as error:  # TUNABLES that name nothing
        return str(error)
    return ""


def _notable(parent: Attempt, tried: Sequence[Attempt]) -> list[prompts.Change]:
    """Structures and the fastest of their settings: those beyond noise of the parent, the largest changes first.

    Measured ones alone: an estimate teaches nothing about a GPU.
    """
    found = []
    for structure in (attempt for attempt in tried if attempt.phase == "structure"):
        family = [a for a in tried if a.candidate.structure_id == structure.candidate.id and not doubtful(a)]
        timed = [a for a in family if isinstance(a.evaluation, Measured)]
        best = max(timed, key=lambda a: _over(parent, a), default=None)
        if best is not None and _differs(parent, best):
            found.append((structure, best))
    found.sort(key=lambda pair: -max(_over(parent, pair[1]), 1 / _over(parent, pair[1])))
    return found[:_MOST_LESSONS]


def _over(parent: Attempt, attempt: Attempt) -> float:
    before, after = score(parent.evaluation), score(attempt.evaluation)
    return after.value / before.value if before and after and before.kind == after.kind else 1.0


def _differs(parent: Attempt, attempt: Attempt) -> bool:
    before, after = score(parent.evaluation), score(attempt.evaluation)
    if before is None or after is None or before.kind != after.kind:
        return False
    return after.low > before.high or after.high < before.low
