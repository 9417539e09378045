"""What does a language model say holds a kernel back, given what the rules found and what the hardware allows?"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, cast, get_args

from tilewright.analysis.analyzer import PerformanceAnalyzer
from tilewright.analysis.runfacts import with_runs
from tilewright.analysis.saving import finding, gpu_of
from tilewright.analysis.standing import standings
from tilewright.lm import Model, load_dspy, messages_for, rollout_of
from tilewright.records import Attempt, Brief, Candidate, Category, Evaluation, Evidence, Finding, Message, Problem
from tilewright.wording import kernels
from tilewright.wording.instructions import instructions
from tilewright.wording.sections import Section, empty, sections
from tilewright.wording.task import task

_MOST_FINDINGS = 4
NOT_ASKED = Finding("llm", "algorithmic", "low", "(what the model says in its analysis stands here)", "")
"""Stands in for its findings where it isn't asked."""
_LOOK_AT_ALL = "nothing in particular"
_INPUTS = {
    "task": "the reference and its sizes",
    "kernel": "the kernel, its times, and what compiling it showed",
    "limit": "how far it is from what the hardware allows, and where its time goes",
    "known": "what rules found already",
    "focus": "what to look at especially",
}


class LlmRule:
    """A rule that asks a model, once for each candidate. `focus` is what the user wants it to look at, `own`
    instructions are used in place of the shipped ones ("analyse").

    Raises what `Model.ask` raises. Its findings are claims: what they say could be saved was not computed.
    """

    name = "llm"

    def __init__(self, model: Model, focus: str = "", own: Mapping[str, str] | None = None) -> None:
        self._model, self._focus, self._own = model, focus, own

    def find(self, candidate: Candidate, problem: Problem, evidence: Evidence) -> Sequence[Finding]:
        known = PerformanceAnalyzer().analyze(candidate, problem, evidence)
        return self._ask(candidate, problem, evidence, None, known, "analyse", 0)

    def of_brief(self, brief: Brief) -> Sequence[Finding]:
        """What it says of a brief's parent; nothing where there is no kernel yet."""
        parent = brief.parent
        if parent.candidate.source == brief.problem.source:
            return ()
        purpose, rollout = f"analyse turn {brief.turn}", rollout_of(brief.turn)
        evidence = with_runs(parent.evidence, parent.evaluation)
        return self._ask(
            parent.candidate, brief.problem, evidence, parent.evaluation, parent.findings, purpose, rollout
        )

    def _ask(
        self,
        candidate: Candidate,
        problem: Problem,
        evidence: Evidence,
        evaluation: Evaluation | None,
        known: Sequence[Finding],
        purpose: str,
        rollout_id: int,
    ) -> Sequence[Finding]:
        inputs = _inputs(candidate, problem, evidence, evaluation, known, self._focus)
        answer = self._model.ask(
            signature(self._own),
            inputs,
            purpose=purpose,
            rollout_id=rollout_id,
            flaw=lambda fields: empty(str(fields["findings"])),
        )
        said = sections(answer.text("findings"))[:_MOST_FINDINGS]
        return [_finding(section, candidate.source) for section in said if section.title]


def messages_of(brief: Brief, focus: str = "", own: Mapping[str, str] | None = None) -> tuple[Message, ...]:
    """What would be asked about a brief's parent, to the letter."""
    parent = brief.parent
    evidence = with_runs(parent.evidence, parent.evaluation)
    inputs = _inputs(parent.candidate, brief.problem, evidence, parent.evaluation, parent.findings, focus)
    return messages_for(signature(own), inputs)


def signature(own: Mapping[str, str] | None = None) -> Any:
    """Facts, limit and known findings -> findings."""
    dspy = load_dspy()
    fields = {name: (str, dspy.InputField(desc=text)) for name, text in _INPUTS.items()}
    fields["findings"] = (str, dspy.OutputField(desc="numbered, in the form that is asked for"))
    return dspy.Signature(fields, instructions("analyse", own))


def _inputs(
    candidate: Candidate,
    problem: Problem,
    evidence: Evidence,
    evaluation: Evaluation | None,
    known: Sequence[Finding],
    focus: str,
) -> dict[str, str]:
    gpu = gpu_of(evidence.facts[0]) if evidence.facts else None
    rows = standings(evidence, problem, gpu) if gpu else ()
    return {
        "task": task(problem, gpu.name if gpu else "an unknown GPU"),
        "kernel": kernels.kernel(Attempt(0, 0, "seed", candidate, evaluation, evidence)),
        "limit": "\n".join(kernels.standing(one) for one in rows) or "not known",
        "known": kernels.findings(known, candidate.source),
        "focus": focus.strip() or _LOOK_AT_ALL,
    }


def _finding(section: Section, source: str) -> Finding:
    numbers = section.named("Evidence")
    return finding(
        LlmRule.name,
        _category(section.named("Category")),
        _share(section.named("Saves")),
        section.title,
        section.named("Do"),
        [("shown", numbers)] if numbers else [],
        _line(section.named("Line"), source),
    )


def _category(text: str) -> Category:
    known = [name for name in get_args(Category) if name in text.lower()]
    return cast(Category, known[0]) if known else "algorithmic"


def _share(text: str) -> float:
    """The first percentage, the lower of two ("30 to 40%"); 0 where there is none."""
    found = re.search(r"(\d+(?:\.\d+)?)\s*(?:(?:-|–|to)\s*\d+(?:\.\d+)?\s*)?%", text)
    return float(found[1]) / 100 if found else 0.0


def _line(text: str, source: str) -> int | None:
    """The number of the line that was copied; None where the source has none like it."""
    wanted = text.strip().strip("`").strip()
    lines = [line.strip() for line in source.splitlines()]
    return lines.index(wanted) + 1 if wanted and wanted in lines else None
