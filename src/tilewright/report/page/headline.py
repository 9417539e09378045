"""What came of the run: the number with its interval, where it was taken, and how far it is to be trusted."""

from __future__ import annotations

from collections.abc import Iterator

from tilewright.records import Evaluation, Measured, Measurement
from tilewright.report import words
from tilewright.report.measured import details, over_seed_text
from tilewright.report.page.known import Known
from tilewright.report.page.markup import Html, folded, joined, table, tag
from tilewright.report.page.shown import Shows
from tilewright.scores import gain, score

_GRADES = {
    "A": "A: nothing that guards the number was missing",
    "B": "B: a guard was missing",
    "C": "C: something speaks against the number",
}


def headline(run: Shows, known: Known, name: str = "Result") -> Html:
    """The number, and below it what it rests on."""
    return tag("section", *_number(run, known), class_="headline", aria_label=name)


def summary(run: Shows) -> tuple[str, str]:
    """The number, marked as an estimate where it is one, and what it is over."""
    found = gain(run.run)
    if run.best is None or found is None:
        return "No result", run.run.stop_reason
    evaluation = run.best.evaluation
    if isinstance(evaluation, Measured):
        m = evaluation.measurement
        return f"{m.speedup_ratio:.3f}x", f"[{m.low:.3f}, {m.high:.3f}] over {words.baseline(m.baseline)}"
    return f"est. {found[2]:.2f}x", "of the kernel it began with (estimated, not measured)"


def _number(run: Shows, known: Known) -> Iterator[Html | None]:
    found = gain(run.run)
    if run.best is None or found is None:
        yield tag("p", "No result", class_="big")
        yield tag(
            "p", f"{run.run.stop_reason}: {run.run.stop_detail}" if run.run.stop_reason else "Nothing was tried."
        )
        if run.run.attempts:
            first = run.run.attempts[0]
            yield tag("p", f"The kernel as it was: {words.attempted(first, run.run.line_offset)}")
        return
    seed, best, ratio = found
    if isinstance(best.evaluation, Measured):
        yield from _measured(run, best.evaluation.measurement)
    else:
        yield joined(tag("p", f"est. {ratio:.2f}x", class_="big"), tag("p", "of the kernel it began with"))
        times = f" {run.attempts[0].brief} -> {words.outcome(best.evaluation)}"
        yield tag("p", tag("strong", "Estimated, not measured."), times, class_="estimate")
    share = known.share_reached.get(best.index)
    facts = [
        f"#{best.index} of {len(run.attempts)} candidates" if best is not seed else "no candidate was better",
        words.of_limit(share, run.estimated) if share is not None else None,
        f"GPU {run.run.gpu}",
        _versions(best.evaluation),
        f"stopped: {run.run.stop_reason} ({run.run.stop_detail})" if run.run.stop_reason else "still going on",
    ]
    yield tag("ul", *(tag("li", fact) for fact in facts if fact), class_="facts")


def _versions(evaluation: Evaluation | None) -> str:
    if not isinstance(evaluation, Measured):
        return ""
    return ", ".join(f"{name} {version}" for name, version in evaluation.measurement.versions)


def _measured(run: Shows, m: Measurement) -> Iterator[Html]:
    first = score(run.run.attempts[0].evaluation)
    yield tag("p", f"{m.speedup_ratio:.3f}x", class_="big")
    yield tag("p", f"over {words.baseline(m.baseline)}, 95 % interval {m.low:.3f} to {m.high:.3f}, device clock")
    grown = over_seed_text(m)
    before = f"The kernel as it was: {first.value:.3f}x [{first.low:.3f}, {first.high:.3f}]" if first else ""
    yield tag("p", "; ".join(part for part in (before, f"in pairs with it {grown}" if grown else "") if part))
    notes = f" ({'; '.join(m.trust_notes)})" if m.trust_notes else ""
    yield tag("p", tag("strong", f"Trust {_GRADES[m.trust]}", class_=f"grade {m.trust}"), notes)
    versions = [[name, version] for name, version in m.versions]
    conditions = [[name.replace("_", " "), f"{value:g}"] for name, value in m.conditions]
    yield folded(
        "How it was measured",
        tag("pre", "\n".join(details(m))),
        table(["on", m.device], [*versions, *conditions], "Versions and conditions"),
    )
