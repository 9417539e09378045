"""What do atomic updates by all active lanes leave in memory, and what did each of them find there?

Lanes update one after another. What they find depends on the order, which a GPU leaves open: it is a random one here,
so that a kernel is only right by it if any order would do. Floating sums differ in rounding, too."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from tilewright.interpreter import tir
from tilewright.interpreter.addressing import Address, Placement, block_starts, is_injective, view
from tilewright.interpreter.compiler import Scope, Write
from tilewright.interpreter.frame import Frame, Lottery
from tilewright.interpreter.memory import Storage, StorageOf, is_private
from tilewright.interpreter.repetition import warn_of_repeated_add
from tilewright.interpreter.report import Unsupported
from tilewright.interpreter.stores import drop_outside
from tilewright.interpreter.values import OUTSIDE, Mask, Value, as_tensor, common_lanes, compute_dtype, lifted

_SCATTER = {"max": "amax", "min": "amin"}
_KINDS = ("add", "or", *_SCATTER)
_UNSIGNED = (torch.uint16, torch.uint32, torch.uint64)  # torch scatters none of them
_COMBINE = {"add": torch.add, "max": torch.maximum, "min": torch.minimum}


class _Updates(NamedTuple):
    """One of each active lane, in lane order. `lanes`: shape of all lanes; `active`: which of them (None: all)."""

    lanes: list[int]
    active: Mask
    offset: Tensor
    addend: Tensor


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
        updates = _updates(address, storage, frame, addend, mask, kind, times)
        if updates is None:
            return
        if kind == "add":
            storage.flat.index_add_(0, updates.offset, updates.addend)
        elif kind == "or":
            _or(storage.flat, updates.offset, updates.addend)
        else:
            storage.flat.scatter_reduce_(0, updates.offset, updates.addend, _SCATTER[kind], include_self=True)

    return update


def compile_fetch(
    kind: str, buffer: tir.Buffer, indices: Sequence[tir.Expr], scope: Scope
) -> Callable[[Frame, Value], Tensor]:
    """As `compile_atomic` where every thread executes it; returns what each lane found (0 for those not active)."""
    if is_private(buffer):
        raise Unsupported(f"atomic update of private memory {buffer.name}")
    address = Address(buffer, indices, scope)
    storage_of, dtype = StorageOf(buffer, scope), compute_dtype(str(buffer.dtype))
    times = _executions(scope, collective=False)

    def fetch(frame: Frame, value: Value) -> Tensor:
        storage = storage_of(frame)
        mask = None if frame.mask is None else lifted(frame.mask, address.rank)
        addend = as_tensor(value, address.rank, storage.flat.dtype).to(storage.flat.dtype)
        updates = _updates(address, storage, frame, addend, mask, kind, times)
        if updates is None:
            return torch.zeros([1] * address.rank, dtype=dtype)
        found = _one_by_one(storage.flat, updates.offset, updates.addend.to(dtype), kind, frame.lottery)
        if updates.active is None:
            return found.reshape(updates.lanes)
        return torch.zeros(updates.lanes, dtype=dtype).masked_scatter_(updates.active, found)

    return fetch


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


def _updates(
    address: Address, storage: Storage, frame: Frame, addend: Tensor, mask: Mask, kind: str, times: list[int]
) -> _Updates | None:
    """None where no lane is active."""
    if storage.flat.dtype in _UNSIGNED:
        raise Unsupported(f"an atomic update of {address.name}, which is {storage.flat.dtype}")
    offsets, outside = address.offsets(frame, storage)
    active = drop_outside(address, storage, frame, outside, mask, quiet=False)
    if isinstance(active, bool):
        if not active:
            return None
        active = None
    rank = address.rank
    offset = lifted(offsets, rank) if isinstance(offsets, Tensor) else torch.full([1] * rank, offsets)
    if kind == "add":
        warn_of_repeated_add(address.name, frame, (offset, addend, active), math.prod(times[1:OUTSIDE]))
    lanes = common_lanes(offset.shape, addend.shape, offset.shape if active is None else active.shape)
    if any(least == 0 and have == 1 for have, least in zip(lanes, times)):
        raise Unsupported(f"an atomic update of {address.name} in a parallel loop of symbolic length")
    lanes = common_lanes(lanes, [frame.blocks, *times[1:]])
    offset, addend = offset.expand(lanes), addend.expand(lanes)
    if active is None:
        offset, addend = offset.reshape(-1), addend.reshape(-1)
    else:
        active = active.expand(lanes)
        offset, addend = offset[active], addend[active]
    if not offset.numel():
        return None
    _warn_of_poison(address, frame, storage.flat[offset], addend)
    return _Updates(lanes, active, offset, addend)


def _one_by_one(memory: Tensor, offset: Tensor, addend: Tensor, kind: str, lottery: Lottery) -> Tensor:
    """Update in the order drawn; what each update found, in the order of the arguments."""
    drawn = lottery(offset.numel())
    order = drawn[offset[drawn].argsort(stable=True)]  # by place, and at one place as drawn
    places, count = offset[order].unique_consecutive(return_counts=True)
    last = count.cumsum(0) - 1
    number = torch.arange(offset.numel()) - (last - count + 1).repeat_interleave(count)  # of the updates of a place
    combine, running = _COMBINE[kind], addend[order]
    step = 1
    while step < int(count.max()):  # running totals over 1, 2, 4, ... updates of a place
        longer = combine(running[step:], running[:-step])
        running = torch.cat([running[:step], torch.where(number[step:] >= step, longer, running[step:])])
        step *= 2
    start = memory[places].to(addend.dtype)
    earlier = combine(start.repeat_interleave(count), running.roll(1))
    found = torch.where(number == 0, start.repeat_interleave(count), earlier).to(memory.dtype)
    memory[places] = combine(start, running[last]).to(memory.dtype)
    return torch.empty_like(addend).index_copy_(0, order, found.to(addend.dtype))


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
