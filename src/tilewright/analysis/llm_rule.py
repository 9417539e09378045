"""What does a language model say holds a kernel back, given what the rules found and what the hardware allows?"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, cast, get_args

from tilewright.analysis.analyzer import PerformanceAnalyzer
from tilewright.analysis.runfacts import with_runs
from tilewright.analysis.saving import finding, gpu_of
from tilewright.analysis.standing import standings
from tilewright.lm import Model, load_dspy, messages_for, rollout_of
from tilewright.records import Attempt, Brief, Candidate, Category, Evidence, Finding, Message, Problem, Standing
from tilewright.wording import history, kernels
from tilewright.wording.instructions import instructions
from tilewright.wording.sections import Section, empty, sections
from tilewright.wording.task import task

_MOST_FINDINGS = 4
NOT_ASKED = Finding("llm", "algorithmic", "low", "(what the model says in its analysis stands here)", "")
"""Stands in for its findings where it isn't asked."""
_FINDING = r"(?P<known>known\s+)?(?:finding\s+)?#?(?P<number>\d+)\b(?!\s*%)"
_TRIED = 4_000
"""Characters: whoever reads a kernel needs what was refuted, not each change."""
_LOOK_AT_ALL = "nothing in particular"
_INPUTS = {
    "task": "the reference and its sizes",
    "kernel": "the kernel, its times, and what compiling it showed",
    "limit": "how far it is from what the hardware allows, and where its time goes",
    "known": "what rules found already",
    "knobs": "which values of its knobs were tried",
    "tried": "which changes were tried, and how they ended",
    "focus": "what to look at especially",
}


class LlmRule:
    """A rule that asks a model, once for each candidate. `focus` is what the user wants it to look at, `own`
    instructions are used in place of the shipped ones ("analyse").

    Raises what `Model.ask` raises. Its findings are claims: what they say could be saved was not computed; no more is
    taken over than lies above the problem's limit.
    """

    name = "llm"

    def __init__(self, model: Model, focus: str = "", own: Mapping[str, str] | None = None) -> None:
        self._model, self._focus, self._own = model, focus, own

    def find(self, candidate: Candidate, problem: Problem, evidence: Evidence) -> Sequence[Finding]:
        known = PerformanceAnalyzer().analyze(candidate, problem, evidence)
        alone = Attempt(0, 0, "seed", candidate, None, evidence, tuple(known))
        return self._ask(Brief(problem, alone, (alone,), 0, "structure", "", 0), "analyse", 0)

    def of_brief(self, brief: Brief) -> Sequence[Finding]:
        """What it says of a brief's parent; nothing where there is no kernel yet."""
        if brief.parent.candidate.source == brief.problem.source:
            return ()
        return self._ask(brief, f"analyse turn {brief.turn}", rollout_of(brief.turn))

    def _ask(self, brief: Brief, purpose: str, rollout_id: int) -> Sequence[Finding]:
        answer = self._model.ask(
            signature(self._own),
            _inputs(brief, self._focus),
            purpose=purpose,
            rollout_id=rollout_id,
            about=brief.parent.candidate.id,
            flaw=lambda fields: empty(str(fields["findings"])),
        )
        said = [section for section in sections(answer.text("findings"))[:_MOST_FINDINGS] if section.title]
        return _findings(said, brief.parent.findings, brief.parent.candidate.source, _room(_standings(brief)))


def messages_of(brief: Brief, focus: str = "", own: Mapping[str, str] | None = None) -> tuple[Message, ...]:
    """What would be asked about a brief's parent, to the letter."""
    return messages_for(signature(own), _inputs(brief, focus))


def signature(own: Mapping[str, str] | None = None) -> Any:
    """Facts, limit and known findings -> findings."""
    dspy = load_dspy()
    fields = {name: (str, dspy.InputField(desc=text)) for name, text in _INPUTS.items()}
    fields["findings"] = (str, dspy.OutputField(desc="numbered, in the form that is asked for"))
    return dspy.Signature(fields, instructions("analyse", own))


def _inputs(brief: Brief, focus: str) -> dict[str, str]:
    parent = brief.parent
    evidence = with_runs(parent.evidence, parent.evaluation)
    gpu = gpu_of(evidence.facts[0]) if evidence.facts else None
    return {
        "task": task(brief.problem, gpu.name if gpu else "an unknown GPU"),
        "kernel": kernels.kernel(replace(parent, evidence=evidence)),
        "limit": "\n".join(kernels.standing(one) for one in _standings(brief)) or "not known",
        "known": kernels.findings(parent.findings, parent.candidate.source),
        "knobs": history.knobs(brief),
        "tried": history.tried(brief, _TRIED),
        "focus": focus.strip() or _LOOK_AT_ALL,
    }


def _standings(brief: Brief) -> Sequence[Standing]:
    evidence = with_runs(brief.parent.evidence, brief.parent.evaluation)
    gpu = gpu_of(evidence.facts[0]) if evidence.facts else None
    return standings(evidence, brief.problem, gpu) if gpu else ()


def _room(rows: Sequence[Standing]) -> float:
    """The share of the time that lies above the limit, in the workload that is furthest from it; of an estimated time
    its upper end counts. All of it where no limit is known, or none that holds for this kernel."""
    times = [(one.floor_ms, one.interval_ms[1] if one.interval_ms else one.time_ms) for one in rows]
    room = max((1 - floor / time for floor, time in times if floor and time), default=1.0)
    return room if room > 0 else 1.0


def _findings(said: Sequence[Section], known: Sequence[Finding], source: str, room: float) -> list[Finding]:
    """A share of what another finding leaves is made one of the present time; which one that is stays with it, and so
    does whose estimate it is."""
    titles = {("known", number): one.message for number, one in enumerate(known, 1)}
    left = {("known", number): 1 - one.saves for number, one in enumerate(known, 1)}
    found = []
    for section in said:
        share, first = _share(section.named("Saves")), _after(section)
        before = left.get(first, 1.0)
        numbers = section.named("Evidence")
        evidence: list[tuple[str, float | str]] = [("shown", numbers)] if numbers else []
        if share:
            evidence.append(("estimate", _whose(before * share, room)))
        if first in left:
            evidence.append(("counted", f"{share:.0%} of what is left once this is mended: {titles[first]}"))
        found.append(
            finding(
                LlmRule.name,
                _category(section.named("Category")),
                min(before * share, room),
                section.title,
                section.named("Do"),
                evidence,
                _line(section.named("Line"), source),
            )
        )
        titles["", section.number] = section.title
        left["", section.number] = before * (1 - min(1.0, share))
    return found


def _whose(saves: float, room: float) -> str:
    if saves <= room:
        return "the model's own"
    return f"the model's own of {saves:.0%}, where {room:.0%} of the time lies above the limit"


def _after(section: Section) -> tuple[str, int]:
    """The finding that has to be mended first, as ("known", number) or ("", number of the answer's own); number 0
    where there is none. Asked for is "After: 2" or "After: known 1"; some say it in the line of the share."""
    found = re.match(_FINDING, section.named("After"), re.I) or re.search(
        rf"\b(?:after|once)\s+{_FINDING}", section.named("Saves"), re.I
    )
    return ("known" if found["known"] else "", int(found["number"])) if found else ("", 0)


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
