"""What do the wrong values of an output have in common, and what does that say about the kernel?"""

from __future__ import annotations

import math

import torch

from tilewright.records import Mismatch

_SAMPLE = 1 << 22
"""Elements that are looked at for a constant factor."""


def described(
    got: torch.Tensor,
    truth: torch.Tensor,
    wrong: torch.Tensor,
    number: int,
    ratio: float | None,
    error: float,
    name: str = "",
) -> Mismatch:
    """The report of a wrong output: first wrong index, the share that is wrong, the pattern and its likely cause.

    `name` is what the output is called, where it isn't "output" and its number.
    """
    index = _unravelled(int(wrong.reshape(-1).to(torch.uint8).argmax()), tuple(got.shape))
    at = got[index], truth[index]
    share = float(wrong.sum(dtype=torch.float64)) / wrong.numel()
    pattern, cause = _pattern(got, truth, wrong, share, error)
    value, wanted = (_shown(v) for v in at)
    message = f"wrong values in {name or f'output {number}'}: first at {list(index)}, got {value}, expected {wanted}"
    message += f"; {pattern}; {_percent(share)} of the values are wrong"
    if ratio is not None and error > 0 and math.isfinite(ratio):
        message += f"; the largest error is {ratio:.3g} times PyTorch's own"
    return Mismatch(
        message, output=number, index=index, got=value, expected=wanted, pattern=pattern, cause=cause,
        error_ratio=ratio,
    )  # fmt: skip


def _pattern(
    got: torch.Tensor, truth: torch.Tensor, wrong: torch.Tensor, share: float, error: float
) -> tuple[str, str]:
    values = got[wrong]
    floating = got.is_floating_point()
    if floating and bool(torch.isnan(values).all()):
        where = _where(wrong)
        if share == 1 or not where:
            return "all wrong values are NaN", "memory that is never written or never initialised, or 0/0 and inf-inf"
        return f"{where} are NaN", "this part is never written"
    if bool((values == 0).all()):
        if bool((got == 0).all()):
            return "all values are zero", "the output is never written, or the accumulator is not copied out"
        where = _where(wrong)
        if where:
            return (
                f"{where} are never written",
                "the grid or a loop ends before the last tile, or a guard is too strict",
            )
        return "the wrong values are zero", "part of the output is never written"
    if share > 0.5 and values.numel() > 1 and bool((values == values[0]).all()):
        return f"the same value {_shown(values[0])} everywhere", "one value is broadcast, or the index is constant"
    transposed = _transposed(got, truth)
    if transposed:
        return transposed, "indices are swapped, or an operand is read as its transpose"
    if floating:
        constant = _constant_relation(got, truth, wrong, error)
        if constant:
            where = "" if share == 1 else _where(wrong).rstrip(",")
            return (f"{constant[0]} ({where})", constant[1]) if where else constant
        if share > 0.1 and _close(got, truth):
            return (
                "the values are close but too inexact",
                "accumulation or an intermediate in a lower precision than PyTorch uses; accumulate in float32",
            )
    where = _where(wrong)
    if where:
        last = where.endswith("and up") or where.startswith("the last")
        return f"{where} are wrong", f"{'the last tile' if last else 'a boundary or tile'} is handled wrongly"
    if int(wrong.sum()) == 1:
        return "one value alone is wrong", "a race, or an index that is met once too often or never"
    if share < 0.01:
        return "scattered values are wrong", "a race: missing synchronisation, or writes that overlap"
    return "the wrong values follow no simple pattern", ""


def _where(wrong: torch.Tensor) -> str:
    """Where the wrong values lie, if that is a block or a comb; "" otherwise."""
    if bool(wrong.all()):
        return "all values"
    found, positions = [], 1
    for dim in range(wrong.dim() - 1, -1, -1):
        others = [d for d in range(wrong.dim()) if d != dim]
        touched = wrong.any(dim=others) if others else wrong
        positions *= int(touched.sum())
        if bool(touched.all()):
            continue
        places = _places(torch.nonzero(touched).flatten(), wrong.shape[dim], _dimension(dim, wrong.dim()))
        if not places:
            return _comb(wrong)
        found.append(places)
    if positions == 1:
        return ""
    exact = positions == int(wrong.sum())
    return (" of ".join(found) if exact else _comb(wrong)) or " of ".join(found)


def _places(touched: torch.Tensor, extent: int, name: str) -> str:
    low, high = int(touched[0]), int(touched[-1])
    if len(touched) == high - low + 1:
        if high == extent - 1:
            return f"{name} {low} and up" if low < high else f"the last of the {name}"
        return f"{name} {low} to {high}"
    steps = touched.diff().unique().tolist()
    if len(steps) == 1 and len(touched) > 2:
        return f"every {steps[0]}. of the {name}, from {low} on,"
    return ""


def _comb(wrong: torch.Tensor) -> str:
    """Wrong values at equal distances in memory."""
    places = torch.nonzero(wrong.reshape(-1)).flatten()
    steps = places.diff().unique().tolist()
    return f"every {steps[0]}. element, from {int(places[0])} on," if len(steps) == 1 and len(places) > 2 else ""


def _dimension(dim: int, dims: int) -> str:
    if dims <= 2:
        return ("elements",)[0] if dims == 1 else ("rows", "columns")[dim]
    return "columns" if dim == dims - 1 else f"indices of dimension {dim}:"


def _transposed(got: torch.Tensor, truth: torch.Tensor) -> str:
    if got.dim() < 2 or got.shape[-1] < 2 or got.shape[-2] < 2:
        return ""
    rows, columns = got.shape[-2:]
    scale = float(truth.abs().amax())
    if scale == 0 or not math.isfinite(scale):
        return ""
    plain = truth.to(torch.float64)
    if rows == columns and _near(got, plain.transpose(-1, -2), scale):
        return "the output is transposed"
    turned = plain.transpose(-1, -2).reshape(got.shape)
    return "the output is laid out transposed" if _near(got, turned, scale) else ""


def _near(got: torch.Tensor, truth: torch.Tensor, scale: float) -> bool:
    return bool(((got.to(torch.float64) - truth).abs() <= 0.01 * scale).all())


def _constant_relation(
    got: torch.Tensor, truth: torch.Tensor, wrong: torch.Tensor, error: float
) -> tuple[str, str] | None:
    """A factor or an offset that explains every wrong value up to what PyTorch itself gets wrong, and rounding."""
    g, t = (x[wrong].reshape(-1)[:_SAMPLE].to(torch.float64) for x in (got, truth))
    if g.numel() < 4 or not bool(torch.isfinite(g).all() & torch.isfinite(t).all()):
        return None
    slack = 16 * error + 2 * torch.finfo(got.dtype).eps * float(g.abs().amax())
    big = t.abs() >= 0.5 * float(t.abs().amax())
    factor = float((g[big] / t[big]).median())
    if abs(factor - 1) > 0.01 and bool(((g - factor * t).abs() <= slack * max(1.0, abs(factor))).all()):
        return f"every wrong value is {factor:.4g} times the expected one", "a scale is missing or applied twice"
    offset = float((g - t).median())
    if abs(offset) > 4 * slack and bool(((g - t - offset).abs() <= slack).all()):
        return f"every wrong value is {offset:+.4g} off", "a bias or an initial value is missing or applied twice"
    return None


def _close(got: torch.Tensor, truth: torch.Tensor) -> bool:
    g, t = (x.reshape(-1)[:_SAMPLE].to(torch.float64) for x in (got, truth))
    usable = torch.isfinite(t)
    return bool(((g - t).abs()[usable] <= 0.02 * float(t[usable].abs().amax())).all())


def _unravelled(flat: int, shape: tuple[int, ...]) -> tuple[int, ...]:
    index = []
    for extent in reversed(shape):
        index.append(flat % extent)
        flat //= extent
    return tuple(reversed(index))


def _shown(value: torch.Tensor) -> str:
    return f"{value.item():.6g}" if value.is_floating_point() else str(value.item())


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"
