"""How are a problem's inputs varied, so that a kernel made for the usual ones shows?

A family changes the floating-point tensors that `get_inputs` drew, within what they can mean: numbers between 0 and 1
stay there; labels, masks, distributions and sorted tensors stay as drawn; so do zeros and infinities wherever they
stand (a triangle, a padding, a causal mask), signs that all elements share, and symmetry. Integers are never changed.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import torch

from tilewright.worker.verifying.pieces import all_finite, as_matrix, pieces

Family = Literal[
    "drawn",
    "first",
    "nearly",
    "swapped",
    "scaled",
    "tiny",
    "shifted",
    "positive",
    "negative",
    "constant",
    "tails",
    "ends",
]
"""drawn: as `get_inputs` makes them. first: those of the trial's first call again (under other parameters).
nearly: those of the last call but for one leading index, so that a sample of the elements rarely shows it.
swapped: those of the last call with two leading indices, or two inputs, exchanged: no sum over them shows it.
scaled: times 32, where exp overflows unless the maximum itself is taken off. shifted: plus 3.
positive: 16 |x + 3|, where exp overflows unless something is taken off. negative: all below -96, where a maximum may
not start from zero. tiny: a thousandth, where an epsilon counts. constant: one number everywhere.
tails: nearly all of the energy at both ends of the memory and of dimensions. ends: all in the outermost."""

FOLLOWING: tuple[Family, ...] = ("nearly", "swapped")
"""Made of the inputs of the call before."""
TIED: tuple[Family, ...] = ("constant", "ends")
"""Many elements are equal, so that an order of them or a choice among them means nothing."""
AS_DRAWN: tuple[Family, ...] = ("drawn", "first", *FOLLOWING)
"""Elements are distributed as drawn."""

_SORTED_FROM = 8
"""Fewer drawn numbers than these are in order by chance."""
_EDGE = 64
"""One of so many parts of the extent, at either end, is the tails."""
_CONSTANT_BITS = 16.0
"""A constant has four significant bits: sums of it and of its squares are exact in whatever order."""


@dataclass(frozen=True)
class Domain:
    """What may be done to a drawn tensor. `free` marks what may change; None: everything."""

    fixed: bool = False
    free: torch.Tensor | None = None
    low: float = 0.0
    high: float = 0.0
    symmetric: bool = False

    @property
    def bounded(self) -> bool:
        return self.low >= 0 and self.high <= 1

    @property
    def of_either_sign(self) -> bool:
        return self.low < 0 < self.high


def domain(drawn: torch.Tensor) -> Domain:
    if not drawn.is_floating_point() or not drawn.numel():
        return Domain(fixed=True)
    matrix = as_matrix(drawn)
    free: torch.Tensor | None = None
    low, high, whole = math.inf, -math.inf, True
    for where in pieces(matrix):
        values = matrix[where]
        if not all_finite(values) or int(torch.count_nonzero(values)) < values.numel():
            marks = torch.isfinite(values) & (values != 0)
            free = torch.ones_like(matrix, dtype=torch.bool) if free is None else free
            free[where] = marks
            values = values[marks]
        if values.numel():
            least, most = torch.stack(torch.aminmax(values)).tolist()
            low, high = min(low, least), max(high, most)
            whole = whole and bool((values == values.round()).all())
    if low >= high or (whole and abs(low) < 2**20):  # all larger fp32 numbers may be whole
        return Domain(fixed=True)
    if _sorted(drawn) or (low >= 0 and high <= 1 and _adds_up_to_one(drawn)):
        return Domain(fixed=True)
    return Domain(False, None if free is None else free.reshape(drawn.shape), low, high, _symmetric(drawn))


def varied(drawn: torch.Tensor, family: Family, what: Domain, chooser: random.Random, gentle: bool) -> torch.Tensor:
    """A drawn tensor in the family's way; `gentle` where the full measure makes the reference overflow."""
    change = _CHANGES.get(family)
    if change is None or what.fixed:
        return drawn
    changed = change(drawn, what, chooser, gentle)
    if not all_finite(changed):
        changed = torch.where(torch.isfinite(changed), changed, drawn)
    return changed if what.free is None else torch.where(what.free, changed, drawn)


def nearly(
    last: Sequence[torch.Tensor], drawn: Sequence[torch.Tensor], domains: Sequence[Domain], chooser: random.Random
) -> list[torch.Tensor]:
    """The last inputs with one leading index of each taken from what was drawn anew."""
    made, place = [], chooser.random()
    for before, values, what in zip(last, drawn, domains):
        tensor = before.clone()
        dim = _leading(tensor)
        if not what.fixed and dim is not None and tensor.shape == values.shape:
            index = int(place * tensor.shape[dim])
            tensor.select(dim, index).copy_(values.select(dim, index))
            if what.symmetric and tensor.dim() == 2:
                tensor[:, index] = values[:, index]
        made.append(tensor)
    return made


def swapped(
    last: Sequence[torch.Tensor], drawn: Sequence[torch.Tensor], domains: Sequence[Domain], chooser: random.Random
) -> list[torch.Tensor]:
    """The last inputs with two leading indices of one tensor exchanged, or two tensors that are alike."""
    made = [tensor.clone() for tensor in last]
    able = [i for i, what in enumerate(domains) if not what.fixed and _leading(made[i]) is not None]
    if not able:
        return list(drawn)
    alike = [
        (i, j) for i in able for j in able
        if i < j and made[i].shape == made[j].shape and _exchangeable(domains[i]) and _exchangeable(domains[j])
    ]  # fmt: skip
    if alike and chooser.random() < 0.5:
        i, j = chooser.choice(alike)
        made[i], made[j] = made[j], made[i]
        return made
    which = chooser.choice(able)
    tensor, dim = made[which], _leading(made[which])
    assert dim is not None
    one, other = chooser.sample(range(tensor.shape[dim]), 2)
    _exchange(tensor, dim, one, other)
    if domains[which].symmetric and tensor.dim() == 2:
        _exchange(tensor, 1, one, other)
    return made


Change = Callable[[torch.Tensor, Domain, random.Random, bool], torch.Tensor]


def _scaled(drawn: torch.Tensor, what: Domain, chooser: random.Random, gentle: bool) -> torch.Tensor:
    factor = 4 if gentle else 32
    return drawn / factor if what.bounded else drawn * factor


def _shifted(drawn: torch.Tensor, what: Domain, chooser: random.Random, gentle: bool) -> torch.Tensor:
    shift = 0.5 if gentle else 3.0
    if what.bounded:
        return 0.5 + drawn / 2
    return drawn - shift if what.high <= 0 else drawn + shift


def _positive(drawn: torch.Tensor, what: Domain, chooser: random.Random, gentle: bool) -> torch.Tensor:
    if what.bounded or what.high <= 0:
        return drawn
    return drawn.abs() if gentle else 16 * (drawn + 3).abs()


def _negative(drawn: torch.Tensor, what: Domain, chooser: random.Random, gentle: bool) -> torch.Tensor:
    if not what.of_either_sign:
        return drawn
    return -drawn.abs() if gentle else -16 * (drawn.abs() + 6)


def _tiny(drawn: torch.Tensor, what: Domain, chooser: random.Random, gentle: bool) -> torch.Tensor:
    return drawn if what.bounded else drawn / 1024


def _constant(drawn: torch.Tensor, what: Domain, chooser: random.Random, gentle: bool) -> torch.Tensor:
    """One of the smaller numbers that were drawn, rounded."""
    sample = drawn.reshape(-1)[:4096] if what.free is None else drawn[what.free][:4096]
    by_size = sample[sample.abs().argsort()]
    mantissa, exponent = math.frexp(float(by_size[chooser.randrange(-(-len(by_size) // 2))]))
    return torch.full_like(drawn, math.ldexp(round(mantissa * _CONSTANT_BITS) / _CONSTANT_BITS, exponent))


def _tails(drawn: torch.Tensor, what: Domain, chooser: random.Random, gentle: bool) -> torch.Tensor:
    if not drawn.dim():
        return drawn
    return torch.where(_marked(drawn, what, chooser, _EDGE), drawn, drawn / (4 if gentle else 64))


def _ends(drawn: torch.Tensor, what: Domain, chooser: random.Random, gentle: bool) -> torch.Tensor:
    if not drawn.dim():
        return drawn
    # Zeros, since small numbers are lost in an honest sum of large ones.
    rest = 0.0 if what.of_either_sign and not gentle else drawn / 64
    return torch.where(_marked(drawn, what, chooser, drawn.numel()), drawn, rest)


_CHANGES: dict[Family, Change] = {
    "scaled": _scaled,
    "shifted": _shifted,
    "positive": _positive,
    "negative": _negative,
    "tiny": _tiny,
    "constant": _constant,
    "tails": _tails,
    "ends": _ends,
}


def _marked(drawn: torch.Tensor, what: Domain, chooser: random.Random, parts: int) -> torch.Tensor:
    """One of so many parts of the memory, of the last dimension and of one more, at either end."""
    marks = torch.zeros(drawn.shape, dtype=torch.bool, device=drawn.device)
    _mark_ends(marks, -1, parts)
    _mark_ends(marks, -2 if what.symmetric else chooser.randrange(drawn.dim()), parts)
    if not what.symmetric:
        _mark_ends(marks.reshape(-1), 0, parts)
    return marks


def _mark_ends(marks: torch.Tensor, dim: int, parts: int) -> None:
    extent = marks.shape[dim]
    edge = max(1, extent // parts)
    if extent > 2 * edge:
        marks.narrow(dim, 0, edge).fill_(True)
        marks.narrow(dim, extent - edge, edge).fill_(True)


def _leading(tensor: torch.Tensor) -> int | None:
    """The first dimension with more than one index."""
    return next((dim for dim, extent in enumerate(tensor.shape) if extent > 1), None)


def _exchange(tensor: torch.Tensor, dim: int, one: int, other: int) -> None:
    """Zeros and infinities stay where they are."""
    first, second = tensor.select(dim, one), tensor.select(dim, other)
    free = torch.isfinite(first) & torch.isfinite(second) & (first != 0) & (second != 0)
    values = torch.where(free, second, first), torch.where(free, first, second)
    first.copy_(values[0])
    second.copy_(values[1])


def _exchangeable(what: Domain) -> bool:
    return what.free is None and what.of_either_sign and not what.symmetric


def _sorted(tensor: torch.Tensor) -> bool:
    if tensor.dim() != 1 or tensor.numel() < _SORTED_FROM:
        return False
    steps = tensor.diff()
    return bool((steps >= 0).all()) or bool((steps <= 0).all())


def _adds_up_to_one(tensor: torch.Tensor) -> bool:
    for dim in {tensor.dim() - 1, min(1, tensor.dim() - 1)} if tensor.dim() else set[int]():
        if tensor.shape[dim] > 1 and bool(((tensor.sum(dim, dtype=torch.float64) - 1).abs() < 1e-2).all()):
            return True
    return False


def _symmetric(tensor: torch.Tensor) -> bool:
    square = tensor.dim() >= 2 and tensor.shape[-1] == tensor.shape[-2] > 1
    return square and bool(torch.equal(tensor, tensor.mT))
