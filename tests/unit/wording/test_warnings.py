"""What gates warned of reaches a model: of the kernel that it changes, and of candidates that failed."""

from __future__ import annotations

from dataclasses import replace

from samples import PROBLEM, attempt, measured
from tilewright.records import Brief, Evidence, Mismatch, Reason, Wrong
from tilewright.wording import history, kernels
from tilewright.wording.outcomes import failure, warned

MOVED = Reason(
    "moved-initialisation", "product: TileLang sets acc inside the condition", 3, "Set acc inside the condition, too."
)
WARNED = Evidence(warnings=(MOVED, Reason("unusual", "it prints")))
RIGHT = attempt(1, measured(1.2), evidence=WARNED)
WRONG = attempt(2, Wrong(Mismatch("wrong values in output 0")), evidence=WARNED)


def test_warnings_of_the_kernel_to_be_changed_are_shown_with_their_line_and_what_to_do() -> None:
    text = kernels.kernel(RIGHT)
    assert "What gates warned of and let pass:" in text
    assert "moved-initialisation: product: TileLang sets acc inside the condition\nat line 3: `class ModelNew" in text
    assert "unusual: it prints" in text and text.count("Hint: Set acc inside the condition, too.") == 1


def test_a_failed_candidate_is_told_with_its_failure_and_its_warnings() -> None:
    brief = Brief(PROBLEM, RIGHT, (RIGHT, WRONG), 3, "structure", "H100", 1)
    for text in (failure(WRONG), history.tried(brief, 10_000), kernels.kernel(WRONG)):
        assert text.count("wrong values in output 0") == text.count("sets acc inside the condition") == 1


def test_what_is_measured_or_has_no_warnings_has_none_in_the_history() -> None:
    silent = replace(RIGHT, evidence=Evidence())
    assert warned(silent) == "" and "warned" not in kernels.kernel(silent)
    assert "warned" not in history.tried(Brief(PROBLEM, silent, (RIGHT,), 2, "structure", "H100", 1), 10_000)
