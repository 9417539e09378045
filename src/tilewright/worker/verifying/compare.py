"""Is an output right?

It is when shape and dtype are the reference's, it is finite where the reference is, and its error against float64 is
at most 16 times the largest error that PyTorch itself makes at the task's dtype, over the whole output and within
each leading index at which PyTorch errs often enough to tell; or one rounding step of the output's dtype at that
value. No absolute tolerance, no share of elements that may be wrong. Integers and booleans must be equal to the truth
or to PyTorch's.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch

from tilewright.records import Mismatch
from tilewright.worker.verifying import patterns
from tilewright.worker.verifying.expected import Output
from tilewright.worker.verifying.pieces import as_matrix, largest_in_rows, pieces

ERROR_FACTOR = 16.0
"""What is asked for where nothing else is; another factor is said in the result."""


@dataclass(frozen=True)
class Judgement:
    """`error_ratio` is the largest error over PyTorch's own (at least half a rounding step of the largest value)."""

    error_ratio: float | None
    mismatch: Mismatch | None = None


def judged(got: torch.Tensor, expected: Output, number: int = 0, factor: float = ERROR_FACTOR) -> Judgement:
    """`got` has the expected shape and dtype and lies on the device of the expected values."""
    truth = expected.truth
    wrong, ratio = None, None
    if not truth.is_floating_point():
        wrong = _unequal(got, expected)
    else:
        worst = 0.0
        for where, found, largest in _gone_through(got, expected, factor):
            worst = max(worst, largest)
            if found is not None:
                wrong = torch.zeros_like(as_matrix(got), dtype=torch.bool) if wrong is None else wrong
                wrong[where] = found
        ratio = worst / _unit(expected)
    if wrong is None or not bool(wrong.any()):
        return Judgement(ratio)
    wrong = wrong.reshape(got.shape)
    return Judgement(ratio, patterns.described(got, truth, wrong, number, ratio, expected.error, expected.name))


def passes(got: torch.Tensor, expected: Output, factor: float = ERROR_FACTOR) -> bool:
    """Whether `judged` finds nothing, and no more than that: the first wrong piece is the last one looked at."""
    if not expected.truth.is_floating_point():
        return not bool(_unequal(got, expected).any())
    return all(found is None for _, found, _ in _gone_through(got, expected, factor))


def wrong_shape(number: int, got: str, expected: str, name: str = "") -> Mismatch:
    message = f"{name or f'output {number}'} is {got}, expected {expected}"
    return Mismatch(message, output=number, got=got, expected=expected, pattern="shape")


def _unequal(got: torch.Tensor, expected: Output) -> torch.Tensor:
    return (got != expected.truth.to(got.dtype)) & (got != expected.yardstick)


def _gone_through(
    got: torch.Tensor, expected: Output, factor: float
) -> Iterator[tuple[tuple[slice, slice], torch.Tensor | None, float]]:
    """Of each piece its place, what in it is wrong (None: nothing), and the largest error."""
    g, t, y = map(as_matrix, (got, expected.truth, expected.yardstick))
    limit: torch.Tensor | float = factor * expected.error
    for where in pieces(g):
        if expected.slice_errors is not None:
            limit = factor * expected.slice_errors[where[0]].reshape(-1, 1)
        error = (g[where].to(torch.float64) - t[where].to(torch.float64)).abs_()
        largest = error.amax(dim=1, keepdim=True)
        if expected.finite and bool((largest <= limit).all()):
            yield where, None, float(largest.amax())
        else:
            found, worst = _looked_at(g[where], t[where], y[where], error, limit)
            yield where, found if bool(found.any()) else None, worst


def _looked_at(
    got: torch.Tensor, truth: torch.Tensor, yardstick: torch.Tensor, error: torch.Tensor, limit: torch.Tensor | float
) -> tuple[torch.Tensor, float]:
    """What is wrong in a piece, and its largest error."""
    too_far = error > torch.clamp(rounding_step(truth, got.dtype), min=limit)
    finite = torch.isfinite(truth) & torch.isfinite(yardstick)
    # Where the truth itself is not finite, the same infinity or NaN is wanted; where only PyTorch's answer
    # overflows, anything goes.
    same = (got.to(truth.dtype) == truth) | (torch.isnan(got) & torch.isnan(truth)) | torch.isfinite(truth)
    wrong = torch.where(finite, too_far | ~torch.isfinite(got), ~same)
    counted = torch.where(finite, torch.nan_to_num(error, nan=torch.inf), 0.0)
    return wrong, float(counted.amax())


def rounding_step(values: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """The distance between neighbours of `dtype` at each value, in float64; subnormals included."""
    info = torch.finfo(dtype)
    exponent = torch.frexp(values.to(torch.float64)).exponent.to(torch.float64) - 1
    step = info.eps * torch.exp2(exponent)
    smallest = info.eps * info.smallest_normal
    return torch.where(values == 0, smallest, step).clamp(min=smallest)


def _unit(expected: Output) -> float:
    if not expected.truth.numel():
        return 1.0
    largest = largest_in_rows(as_matrix(expected.truth)).amax()
    return max(expected.error, float(rounding_step(largest, expected.yardstick.dtype)) / 2)
