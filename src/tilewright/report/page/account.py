"""What the run found, what it took, what it leaves unsaid, and how to repeat it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from tilewright.records import Attempt, Estimated, Finding, Measured
from tilewright.report import words
from tilewright.report.page.known import Known
from tilewright.report.page.markup import Html, joined, table, tag
from tilewright.report.page.shown import Shows


def findings(run: Shows) -> Html:
    """What held the kernel back at first, and what holds the best back: gone, still there, new."""
    if not run.run.attempts:
        return tag("p", "Nothing was tried.")
    before = run.run.attempts[0].findings
    if run.best is None or run.best.index == 0:
        return _group("Of the kernel as it was", before, run.run.line_offset)
    after = run.best.findings
    if not before and not after:
        return tag("p", "The rules know nothing that holds it back, before or after.")
    were, are = {item.rule for item in before}, {item.rule for item in after}
    return joined(
        _group("Gone", [item for item in before if item.rule not in are], run.run.line_offset),
        _group("Still there", [item for item in after if item.rule in were]),
        _group("New", [item for item in after if item.rule not in were]),
    )


def _group(title: str, items: Sequence[Finding], offset: int = 0) -> Html:
    listed = [
        tag(
            "li",
            tag("b", item.rule),
            f" ({item.category}, {item.severity}; could save est. {item.saves:.0%}): {words.finding(item, offset)}",
            tag("p", item.action, class_="soft") if item.action else None,
        )
        for item in items
    ]
    return joined(
        tag("h3", f"{title} ({len(items)})"), tag("ul", *listed) if listed else tag("p", "none", class_="soft")
    )


def cost(run: Shows, known: Known) -> Html:
    """By phase: candidates, time, GPU time; and by model: questions, tokens, price."""
    phases = {"seed": "the kernel as it was", "structure": "changes of structure", "knobs": "knob settings"}
    rows = [_phase(name, [one for one in run.run.attempts if one.phase == phase]) for phase, name in phases.items()]
    rows.append(_phase("in all", run.run.attempts))
    ended = Counter(one.evaluation.outcome if one.evaluation else "abandoned" for one in run.run.attempts)
    models = [
        [use.model, str(use.calls), f"{use.tokens:,}", "not known" if use.usd is None else f"{use.usd:.2f} USD"]
        for use in known.models
    ]
    time = f"{run.run.seconds:.0f} s from start to end. " if run.run.stop_reason else ""
    return joined(
        tag("p", f"{time}Outcomes: {_counted(ended)}."),
        table(["", "candidates", "seconds", "GPU seconds"], rows, "What the candidates took", numbers=3),
        table(["model", "questions", "tokens", "price"], models, "What the language models took", numbers=3)
        if models
        else tag("p", "No language model was asked."),
    )


def _phase(name: str, attempts: Sequence[Attempt]) -> list[str]:
    seconds = sum(one.cost.seconds for one in attempts)
    gpu_seconds = sum(one.cost.gpu_seconds for one in attempts)
    return [name, str(len(attempts)), f"{seconds:.1f}", f"{gpu_seconds:.1f}"]


def _counted(counts: Counter[str]) -> str:
    return ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in counts.most_common()) or "none"


def not_verified(run: Shows, known: Known) -> tuple[str, ...]:
    """What a reader might take for granted and nobody checked, of the best candidate."""
    return tuple(dict.fromkeys([*_of_best(run.best), *known.unchecked]))


def _of_best(best: Attempt | None) -> Iterable[str]:
    if best is None:
        return
    if isinstance(best.evaluation, Estimated):
        yield "Its speed: no time was taken on a GPU. Every time here is a model's estimate."
    if isinstance(best.evaluation, Measured):
        measurement = best.evaluation.measurement
        if measurement.trust != "A":
            yield f"Trust {measurement.trust}: {'; '.join(measurement.trust_notes) or 'no reason is recorded'}."
        if not measurement.confirmations:
            yield "Whether its time repeats in fresh processes."
    execution = best.evidence.execution
    if execution is not None:
        if execution.blocks < execution.of:
            yield f"{execution.of - execution.blocks} of {execution.of} thread blocks were not executed on the CPU."
        if execution.batch_reduced:
            yield f"On the CPU it was executed with {execution.batch_reduced}."
        yield from execution.not_checked
    yield from best.evidence.not_checked
