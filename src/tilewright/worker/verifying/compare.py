"""Is an output right?

It is when shape and dtype are the reference's, it is finite where the reference is, and its error against float64 is
at most 16 times the largest error that PyTorch itself makes at the task's dtype, over the whole output and within
each leading index at which PyTorch errs often enough to tell; or one rounding step of the output's dtype at that
value. No absolute tolerance, no share of elements that may be wrong. Integers and booleans must be equal to the truth
or to PyTorch's.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from tilewright.records import Mismatch
from tilewright.worker.verifying import patterns
from tilewright.worker.verifying.expected import Output

ERROR_FACTOR = 16.0
"""What is asked for where nothing else is; another factor is said in the result."""
_CHUNK = 1 << 24


@dataclass(frozen=True)
class Judgement:
    """`error_ratio` is the largest error over PyTorch's own (at least half a rounding step of the largest value)."""

    error_ratio: float | None
    mismatch: Mismatch | None = None


def judged(got: torch.Tensor, expected: Output, number: int = 0, factor: float = ERROR_FACTOR) -> Judgement:
    """`got` has the expected shape and dtype and lies on the device of the expected values."""
    truth, yardstick = expected.truth, expected.yardstick
    if not truth.is_floating_point():
        wrong = (got != truth.to(got.dtype)) & (got != yardstick)
        ratio = None
    else:
        wrong, worst = _wrong_and_worst(got, expected, factor)
        ratio = worst / _unit(expected)
    if not bool(wrong.any()):
        return Judgement(ratio)
    return Judgement(ratio, patterns.described(got, truth, wrong, number, ratio, expected.error, expected.name))


def wrong_shape(number: int, got: str, expected: str, name: str = "") -> Mismatch:
    message = f"{name or f'output {number}'} is {got}, expected {expected}"
    return Mismatch(message, output=number, got=got, expected=expected, pattern="shape")


def _wrong_and_worst(got: torch.Tensor, expected: Output, factor: float) -> tuple[torch.Tensor, float]:
    rows = got.shape[0] if got.dim() else 1
    shape = (rows, got.numel() // max(1, rows))
    wrong = torch.empty(shape, dtype=torch.bool, device=got.device)
    flat = [x.reshape(shape) for x in (got, expected.truth, expected.yardstick)]
    worst = 0.0
    step = max(1, _CHUNK // max(1, shape[1]))
    for first in range(0, rows, step):
        part = slice(first, first + step)
        g, t, y = (x[part] for x in flat)
        error = (g.to(torch.float64) - t.to(torch.float64)).abs()
        limit: torch.Tensor | float = factor * expected.error
        if expected.slice_errors is not None:
            limit = factor * expected.slice_errors[part].reshape(-1, 1)
        too_far = error > torch.clamp(rounding_step(t, got.dtype), min=limit)
        finite = torch.isfinite(t) & torch.isfinite(y)
        # Where the truth itself is not finite, the same infinity or NaN is wanted; where only PyTorch's answer
        # overflows, anything goes.
        same = (g.to(t.dtype) == t) | (torch.isnan(g) & torch.isnan(t)) | torch.isfinite(t)
        wrong[part] = torch.where(finite, too_far | ~torch.isfinite(g), ~same)
        counted = torch.where(finite, torch.nan_to_num(error, nan=torch.inf), 0.0)
        worst = max(worst, float(counted.amax()) if counted.numel() else 0.0)
    return wrong.reshape(got.shape), worst


def rounding_step(values: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """The distance between neighbours of `dtype` at each value, in float64; subnormals included."""
    info = torch.finfo(dtype)
    exponent = torch.frexp(values.to(torch.float64)).exponent.to(torch.float64) - 1
    step = info.eps * torch.exp2(exponent)
    smallest = info.eps * info.smallest_normal
    return torch.where(values == 0, smallest, step).clamp(min=smallest)


def _unit(expected: Output) -> float:
    largest = expected.truth.abs()
    largest = torch.where(torch.isfinite(largest), largest, 0.0)
    if not largest.numel():
        return 1.0
    half_step = float(rounding_step(largest.amax(), expected.yardstick.dtype)) / 2
    return max(expected.error, half_step)
