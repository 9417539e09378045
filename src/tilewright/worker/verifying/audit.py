"""Can a problem be scored at all?

Not where its output says nothing: it is the same whatever goes in, differs when it is asked again, or lies below what
PyTorch itself may err by, so that a constant would do.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from tilewright.records import Unscorable
from tilewright.worker.processes.nursery import Ended
from tilewright.worker.verifying import compare
from tilewright.worker.verifying.expected import Expected, Oracle
from tilewright.worker.verifying.pieces import as_matrix, largest_in_rows, pieces


def answers_at_all(oracle: Oracle, given: Sequence[torch.Tensor], expected: Expected) -> None:
    """Raises `Ended` where there is no answer, none that is finite anywhere, or another one each time."""
    if not expected.outputs:
        raise Ended(Unscorable("the reference returns no tensor"))
    for output in expected.outputs:
        if output.truth.numel() and not output.finite and not bool(torch.isfinite(output.truth).any()):
            raise Ended(Unscorable("the reference's output is nowhere finite"))
    again = oracle.rough_truths(given)
    if not (again and _all_repeat(expected, again)) and not _all_repeat(expected, oracle.truths(given)):
        raise Ended(Unscorable("the reference gives another answer for the same inputs when asked again"))


def moved(one: Expected, other: Expected, by: str) -> None:
    """Raises `Ended` where two questions that differ in nothing but `by` have one answer, number for number."""
    pairs = [(a.truth, b.truth) for a, b in zip(one.outputs, other.outputs)]
    if pairs and all(_unmoved(a, b) for a, b in pairs):
        raise Ended(Unscorable(f"the reference's output is the same whatever its {by} are"))


class NullAnswers:
    """Zeros, and the first answer again: whether they would have passed for everything that was asked."""

    def __init__(self, error_factor: float) -> None:
        self._factor = error_factor
        self._passing: dict[str, list[torch.Tensor]] | None = None
        self._asked = 0

    @property
    def open(self) -> bool:
        """Whether one of them passed until now."""
        return bool(self._passing)

    def ask(self, expected: Expected) -> None:
        got = [output.yardstick for output in expected.outputs]
        if self._passing is None:
            comparable = bool(got) and all(tensor.is_floating_point() and tensor.numel() for tensor in got)
            zeros = [torch.zeros_like(tensor) for tensor in got]
            self._passing = {"zeros": zeros, "one constant answer": got} if comparable else {}
        self._asked += 1
        self._passing = {name: null for name, null in self._passing.items() if self._passes(null, expected)}

    def judge(self) -> None:
        """Raises `Ended` where one of them would do. One question alone tells nothing."""
        if self._passing and self._asked > 1:
            what = next(iter(self._passing))
            message = f"{what} would pass: the reference's output moves by less than PyTorch itself errs"
            raise Ended(Unscorable(message))

    def _passes(self, null: Sequence[torch.Tensor], expected: Expected) -> bool:
        if [tensor.shape for tensor in null] != [shape for shape, _ in expected.shapes]:
            return False
        return all(compare.passes(t, o, self._factor) for t, o in zip(null, expected.outputs))


def _all_repeat(expected: Expected, again: Sequence[torch.Tensor]) -> bool:
    return all(_repeats(output.truth, other) for output, other in zip(expected.outputs, again))


def _repeats(one: torch.Tensor, other: torch.Tensor) -> bool:
    """Whether two runs of the reference agree, up to the order in which a library may add (1e-5 of the largest)."""
    if one.shape != other.shape:
        return False
    rows, others = as_matrix(one), as_matrix(other)
    apart = largest = 0.0
    for where in pieces(rows):
        a, b = rows[where].to(torch.float64), others[where].to(torch.float64)
        finite = torch.isfinite(a)
        if not torch.equal(finite, torch.isfinite(b)):
            return False
        if not bool(finite.all()):
            a, b = (torch.where(finite, x, 0.0) for x in (a, b))
        apart = max(apart, float((a - b).abs_().amax()))
        largest = max(largest, float(a.abs().amax()))
    return apart <= 1e-5 * largest


def _unmoved(one: torch.Tensor, other: torch.Tensor) -> bool:
    """Whether two answers are the same number for number, up to float64's rounding.

    Sums over a billion random numbers still differ by 1e-5; whole numbers and float32 truths may agree by chance.
    """
    if one.dtype is not torch.float64 or one.shape != other.shape or not one.numel():
        return False
    rows, others = as_matrix(one), as_matrix(other)
    most = 1e-12 * largest_in_rows(rows).amax()
    # Of a NaN, or of an infinity less itself, nothing is at most anything.
    return all(bool(((rows[where] - others[where]).abs_() <= most).all()) for where in pieces(rows))
