"""Does what a kernel leaves depend on the order in which its threads run?

That is open wherever an atomic update returns what it found. A kernel that uses such values runs twice, on copies the
second time and in the opposite order: of every two updates the other one comes first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from tilewright.interpreter import tir
from tilewright.interpreter.frame import Journal
from tilewright.interpreter.report import Problem, Unsupported
from tilewright.interpreter.tir import tirx

_ROUNDINGS = 16  # in units of the last place, by which sums in another order may differ


def check_fetches(prim_func: tir.PrimFunc) -> None:
    """`Unsupported` where an update would be evaluated more than once: indices are, for places and for bounds."""
    for node in tir.nodes(prim_func.body):
        indices = node.indices if isinstance(node, (tirx.BufferLoad, tirx.BufferStore)) else ()
        if any(tir.is_fetch(part) for index in indices for part in tir.nodes(index)):
            raise Unsupported("an index that is the previous value of an atomic, not bound to a name before")


def note_differences(
    prim_func: tir.PrimFunc, tensors: Sequence[Any], others: Sequence[Any], journal: Journal
) -> None:
    """`tensors` and `others` are what the two orders left in the function's parameters."""
    for param, one, other in zip(prim_func.params, tensors, others):
        if not isinstance(one, Tensor) or _close(one, other):
            continue
        name = str(prim_func.buffer_map[param].name)
        message = (
            f"what {name} holds depends on the order in which threads reach an atomic whose previous value is used; "
            "on a GPU that order differs from run to run"
        )
        journal.note(Problem("result-depends-on-order", message, name))


def note_one_order(journal: Journal) -> None:
    message = "no time was left to see whether the result depends on the order of threads at the kernel's atomics"
    journal.note(Problem("order-not-checked", message, ""))


def _close(one: Tensor, other: Tensor) -> bool:
    """Equal but for the rounding of sums in another order."""
    if not one.is_floating_point():
        return bool(torch.equal(one, other))
    tolerance = _ROUNDINGS * torch.finfo(one.dtype).eps
    one, other = one.double(), other.double()
    largest = float(one.nan_to_num(0.0, 0.0, 0.0).abs().max()) if one.numel() else 0.0
    return bool(torch.allclose(one, other, rtol=tolerance, atol=tolerance * largest, equal_nan=True))
