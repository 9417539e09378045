"""What is a language model told when it plans, writes, mends or looks back?

The same brief gives the same text to the letter, so that an answer is found again when a run is resumed. A prompt
has about 24 thousand tokens at most: what was tried gives way first, then examples.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tilewright.lm import messages_for
from tilewright.proposers.llm import signatures
from tilewright.records import Attempt, Brief, Finding, Message
from tilewright.wording import history, kernels, numbers, teaching
from tilewright.wording.instructions import instructions
from tilewright.wording.outcomes import failure
from tilewright.wording.task import source, task

Inputs = dict[str, str]
Change = tuple[Attempt, Attempt]
"""A structure, and the fastest of its settings."""
ShareReached = Callable[[Attempt, str], "float | None"]
"""Of what a GPU (by its name) allows the problem, the share that an attempt reached; None where that isn't known."""

_ROOM = 80_000
"""Characters of a prompt: code has about 3.3 to a token."""
_EXAMPLES, _LEAST_TRIED, _MOST_TRIED = 36_000, 4_000, 20_000
_TRIED_FOR_WRITING = 6_000
"""Whoever writes needs the mistakes that were made, not every idea."""


def prompts_of(
    brief: Brief, findings: Sequence[Finding], hypotheses: int = 3, own: signatures.Own | None = None
) -> list[tuple[str, tuple[Message, ...]]]:
    """Exactly what is sent for a plan, and what is sent for each hypothesis of it, whose text isn't known yet."""
    unknown = "(one of the plan's hypotheses stands here)"
    return [
        ("plan", messages_for(signatures.plan(own), planning(brief, findings, hypotheses))),
        ("rewrite", messages_for(signatures.rewrite(own), writing(brief, findings, unknown))),
    ]


def ranked(*found: Sequence[Finding]) -> list[Finding]:
    """By what mending them could save, most first, whoever found them."""
    return sorted((one for some in found for one in some), key=lambda one: -one.saves)


def planning(brief: Brief, findings: Sequence[Finding], wanted: int) -> Inputs:
    inputs = {
        "rules": instructions("rules"),
        "tilelang": instructions("tilelang"),
        "task": task(brief.problem, brief.gpu, brief.terms),
        "kernel": _present(brief),
        "findings": _findings(brief, findings),
        "knobs": history.knobs(brief),
        "examples": teaching.examples(brief.examples, _EXAMPLES),
        "advice": teaching.advice(_without_findings(brief.guidelines, findings), brief.lessons),
        "wanted": f"{wanted} hypotheses" if wanted > 1 else "one hypothesis",
    }
    left = _ROOM - sum(map(len, inputs.values()))
    return {**inputs, "tried": history.tried(brief, min(_MOST_TRIED, max(_LEAST_TRIED, left)))}


def writing(brief: Brief, findings: Sequence[Finding], hypothesis: str) -> Inputs:
    return {
        "rules": instructions("rules"),
        "tilelang": instructions("tilelang"),
        "task": task(brief.problem, brief.gpu, brief.terms),
        "kernel": _present(brief),
        "findings": _findings(brief, findings),
        "tried": history.tried(brief, _TRIED_FOR_WRITING),
        "examples": teaching.examples(brief.examples, _EXAMPLES),
        "hypothesis": hypothesis,
    }


def mending(brief: Brief, failed: Attempt) -> Inputs:
    change = history.change(brief.parent.candidate.source, failed.candidate.source)
    return {
        "rules": instructions("rules"),
        "tilelang": instructions("tilelang"),
        "task": task(brief.problem, brief.gpu, brief.terms),
        "hypothesis": failed.candidate.hypothesis or "make it faster",
        "candidate": source(failed.candidate.source),
        "changed": "There is no such kernel yet." if _from_nothing(brief) else change,
        "failure": failure(failed),
    }


def looking_back(brief: Brief, changes: Sequence[Change], tried: Sequence[Attempt], share: ShareReached) -> Inputs:
    """What became of `changes`, and how the others of all that were `tried` ended."""
    shown = {structure.candidate.structure_id for structure, _ in changes}
    others = [attempt for attempt in tried if attempt.candidate.structure_id not in shown]
    return {
        "task": task(brief.problem, brief.gpu, brief.terms),
        "kernel": _present(brief),
        "changes": "\n\n".join(
            f"### {number}. {history.looked_back(brief.parent, *change, _shares(brief, change[1], share))}"
            for number, change in enumerate(changes, 1)
        ),
        "others": history.ended(others) or "None.",
    }


def _shares(brief: Brief, setting: Attempt, share: ShareReached) -> list[str]:
    before, after = (share(attempt, brief.gpu) for attempt in (brief.parent, setting))
    if before is None or after is None:
        return []
    return [f"Of what the hardware allows: {numbers.share(before)} before, {numbers.share(after)} after"]


def _from_nothing(brief: Brief) -> bool:
    """Whether there is no kernel yet: the parent is the reference itself."""
    return brief.parent.candidate.source == brief.problem.source


def _present(brief: Brief) -> str:
    if _from_nothing(brief):
        return "There is none yet: what is wanted is a first kernel that is right, and fast by its design."
    return kernels.kernel(brief.parent, brief.standing)


def _findings(brief: Brief, findings: Sequence[Finding]) -> str:
    return kernels.findings(findings, brief.parent.candidate.source)


def _without_findings(guidelines: Sequence[str], findings: Sequence[Finding]) -> list[str]:
    """Guidelines name the worst findings, which are told with more detail."""
    told = {f"{finding.message}. {finding.action}" for finding in findings}
    return [line for line in guidelines if line not in told]
