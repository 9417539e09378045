"""What do atomic updates by all active lanes leave in memory?

Lanes update one after another, in lane order. Floating sums on a GPU come in any order, so they differ in
rounding."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from tilewright.interpreter import tir
from tilewright.interpreter.addressing import Address, Placement, block_starts, is_injective, view
from tilewright.interpreter.compiler import Scope, Write
from tilewright.interpreter.frame import Frame
from tilewright.interpreter.memory import Storage, StorageOf, is_private
from tilewright.interpreter.report import Unsupported
from tilewright.interpreter.stores import drop_outside
from tilewright.interpreter.values import OUTSIDE, Mask, Value, as_tensor, common_lanes, lifted

_SCATTER = {"max": "amax", "min": "amin"}
_KINDS = ("add", "or", *_SCATTER)


def compile_atomic(
    kind: str,
    buffer: tir.Buffer,
    indices: Sequence[tir.Expr],
    scope: Scope,
    *,
    collective: bool,
) -> Write:
    """A function that updates with a value for all active lanes. `kind` is add, max, min or or.

    `collective`: the block updates once for each element of a tile. Otherwise every thread executes the
    update, also where address and value are the same for all of them."""
    if is_private(buffer):
        raise Unsupported(f"atomic update of private memory {buffer.name}")
    if kind not in _KINDS:
        raise Unsupported(f"atomic {kind}")
    address = Address(buffer, indices, scope)
    storage_of = StorageOf(buffer, scope)
    times = _executions(scope, collective)

    def update(frame: Frame, value: Value) -> None:
        storage = storage_of(frame)
        mask = None if frame.mask is None else lifted(frame.mask, address.rank)
        addend = as_tensor(value, address.rank, storage.flat.dtype).to(storage.flat.dtype)
        if kind == "add" and mask is None and collective:
            placement = address.place(frame, storage)
            if placement is not None and _add_block_by_block(address, storage, placement, frame, addend, times):
                return
        _scatter(address, storage, frame, addend, mask, kind, times)

    return update


def _executions(scope: Scope, collective: bool) -> list[int]:
    """How often the update runs along each lane axis, also where nothing in it varies along the axis (0: unknown)."""
    threads = [1, 1, 1] if collective or scope.rank > OUTSIDE else list(reversed(scope.program.threads))
    times = [1, *threads] + [0] * (scope.rank - OUTSIDE)
    for axis in scope.axes.values():
        if axis.position >= OUTSIDE:
            times[axis.position] = axis.extent
    return times


def _add_block_by_block(
    address: Address, storage: Storage, placement: Placement, frame: Frame, addend: Tensor, times: list[int]
) -> bool:
    """Whole tiles at once, one thread block after another; False where the places do not allow it."""
    if placement.sizes != times[1:] or not is_injective(placement.sizes, placement.strides, []):
        return False
    if any(have != 1 and have != size for have, size in zip(addend.shape[1:], placement.sizes)):
        return False
    starts = block_starts(placement, frame.blocks)
    for block, start in enumerate(starts):
        target = view(storage.flat, placement._replace(start=start, levels=[], starts=None))
        part = addend[block : block + 1] if addend.shape[0] > 1 else addend
        _warn_of_poison(address, frame, target, part)
        target.add_(part)
    return True


def _scatter(
    address: Address, storage: Storage, frame: Frame, addend: Tensor, mask: Mask, kind: str, times: list[int]
) -> None:
    offsets, outside = address.offsets(frame, storage)
    active = drop_outside(address, storage, frame, outside, mask, quiet=False)
    if isinstance(active, bool):
        if not active:
            return
        active = None
    rank = address.rank
    offset = lifted(offsets, rank) if isinstance(offsets, Tensor) else torch.full([1] * rank, offsets)
    lanes = common_lanes(offset.shape, addend.shape, offset.shape if active is None else active.shape)
    if any(least == 0 and have == 1 for have, least in zip(lanes, times)):
        raise Unsupported(f"an atomic update of {address.name} in a parallel loop of symbolic length")
    lanes = common_lanes(lanes, [frame.blocks, *times[1:]])
    offset, addend = offset.expand(lanes), addend.expand(lanes)
    if active is None:
        offset, addend = offset.reshape(-1), addend.reshape(-1)
    else:
        chosen = active.expand(lanes)
        offset, addend = offset[chosen], addend[chosen]
    _warn_of_poison(address, frame, storage.flat[offset], addend)
    if kind == "add":
        storage.flat.index_add_(0, offset, addend)
    elif kind == "or":
        _or(storage.flat, offset, addend)
    else:
        storage.flat.scatter_reduce_(0, offset, addend, _SCATTER[kind], include_self=True)


def _or(memory: Tensor, offset: Tensor, addend: Tensor) -> None:
    """One bit after another: torch has no scatter that ors."""
    places, which = offset.unique(return_inverse=True)
    for bit in range(8 * memory.element_size()):
        some = torch.zeros_like(places).index_add_(0, which, (addend.to(places.dtype) >> bit) & 1).ne(0)
        memory[places] |= some.to(memory.dtype) << bit


def _warn_of_poison(address: Address, frame: Frame, before: Tensor, addend: Tensor) -> None:
    if before.is_floating_point() and bool((before.isnan() & ~addend.isnan()).any()):
        frame.note(
            "uninitialised-atomic-target",
            f"an atomic update of {address.name} meets an element that was never initialised",
            address.name,
        )
