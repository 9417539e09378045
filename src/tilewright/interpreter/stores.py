"""What happens when all lanes write at once, and which of those writes are races?

Two active lanes that write different values to one element in one statement race: a fault on global and shared
memory, a problem on fragments (which thread owns what is the compiler's choice there). So do two thread blocks that
write different values to one element of a global tensor at any time of a launch. Equal values are fine.

Not seen: races between reads and writes of different threads (but see `repetition`), and between different statements
of one block (TileLang puts the barriers in)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from tilewright.interpreter import private, tir
from tilewright.interpreter.addressing import (
    Address,
    Placement,
    active_outside,
    by_level,
    row_numbers,
    rows,
    view,
)
from tilewright.interpreter.compiler import Scope, Write
from tilewright.interpreter.frame import Frame
from tilewright.interpreter.memory import Storage, StorageOf, is_private
from tilewright.interpreter.repetition import ONCE
from tilewright.interpreter.report import Unsupported
from tilewright.interpreter.tir import tirx
from tilewright.interpreter.values import OUTSIDE, Mask, Value, both, common_lanes, lifted, varies_by_thread


def compile_store(
    buffer: tir.Buffer, indices: Sequence[tir.Expr], scope: Scope, *, drops_outside: bool = False
) -> Write:
    """A function that stores a value for all active lanes. `drops_outside`: writes of global memory out of
    bounds are part of the operation's meaning (tile copies), and not worth a warning."""
    if any(isinstance(index, (tirx.Ramp, tirx.Broadcast)) for index in indices):
        raise Unsupported(f"vector index into {buffer.name}")
    address = Address(buffer, indices, scope)
    storage_of = StorageOf(buffer, scope)
    if is_private(buffer):
        return lambda frame, value: private.write(address, storage_of(frame), frame, value)

    def store(frame: Frame, value: Value) -> None:
        storage = storage_of(frame)
        mask = None if frame.mask is None else lifted(frame.mask, address.rank)
        if isinstance(value, Tensor):
            value = _detached(lifted(value, address.rank), storage)
        placement = address.place(frame, storage)
        if placement is not None:
            mask = _merged(mask, value, placement)
        if placement is not None and placement.apart and _fits(value, mask, placement, frame.blocks):
            place = _store_view if placement.starts is None else _store_rows
            place(address, storage, placement, frame, value, mask)
            return
        _scatter(address, storage, frame, value, mask, drops_outside)

    return store


def drop_outside(
    address: Address, storage: Storage, frame: Frame, outside: Tensor | bool | None, mask: Mask, quiet: bool
) -> Mask | bool:
    """The mask without the lanes out of bounds (False: none is left); a fault where memory is not global."""
    if not active_outside(mask, outside, address.rank):
        return mask if outside is None else _without(mask, outside, address.rank)
    where = f"out-of-bounds write of {address.name}{address.shape(frame)}"
    if storage.kind != "global":
        raise frame.fault("local-out-of-bounds-write", where)
    if not quiet:
        frame.note("global-out-of-bounds-write-dropped", f"{where} is dropped", address.name)
    return _without(mask, outside, address.rank)


def _without(mask: Mask, outside: Tensor | bool | None, rank: int) -> Mask | bool:
    return both(mask, ~outside, rank) if isinstance(outside, Tensor) else not outside


def _detached(value: Tensor, storage: Storage) -> Tensor:
    """The value in the memory's dtype, and no view of that memory."""
    if value.dtype != storage.flat.dtype:
        return value.to(storage.flat.dtype)
    if value.untyped_storage().data_ptr() == storage.flat.untyped_storage().data_ptr():
        return value.clone()
    return value


def _merged(mask: Mask, value: Value, placement: Placement) -> Mask:
    """One lane for those that write the same value to the same place (`if tx == 0: out[bx] = total`)."""
    if mask is None:
        return None
    for axis, size in enumerate(placement.sizes, start=1):
        if size == 1 and mask.shape[axis] > 1 and (not isinstance(value, Tensor) or value.shape[axis] == 1):
            mask = mask.any(axis, keepdim=True)
    return mask


def _fits(value: Value, mask: Mask, placement: Placement, blocks: int) -> bool:
    """Whether value and mask vary only along axes that the address varies along."""
    varies = bool(placement.levels) or placement.starts is not None
    sizes = [blocks if varies else 1, *placement.sizes]
    for part in (value, mask):
        if isinstance(part, Tensor) and any(have != 1 and have != size for have, size in zip(part.shape, sizes)):
            return False
    return True


def _store_view(
    address: Address, storage: Storage, placement: Placement, frame: Frame, value: Value, mask: Mask
) -> None:
    target = view(storage.flat, placement)
    spread = by_level(value, placement) if isinstance(value, Tensor) else value
    if mask is not None:
        mask = by_level(mask, placement)
    if storage.kind == "global":
        tags = by_level(
            lifted(frame.block_tags if placement.levels else frame.block_tags[-1:], address.rank), placement
        )
        _claim(address, frame, view(_owners(storage), placement), tags, target, spread, mask)
    if mask is not None:
        target.copy_(torch.where(mask, _filled(spread, target), target))
    elif isinstance(spread, Tensor):
        target.copy_(spread)
    else:
        target.fill_(spread)


def _store_rows(
    address: Address, storage: Storage, placement: Placement, frame: Frame, value: Value, mask: Mask
) -> None:
    target, starts = rows(storage.flat, placement), row_numbers(placement)
    if storage.kind == "global":
        owner_rows = rows(_owners(storage), placement)
        owners = owner_rows[starts]
        _claim(address, frame, owners, lifted(frame.block_tags, address.rank), target[starts], value, mask)
        owner_rows[starts] = owners
    if mask is not None:
        value = torch.where(mask, _filled(value, target), target[starts])
    target[starts] = _filled(value, target).expand([frame.blocks, *placement.sizes])


def _scatter(address: Address, storage: Storage, frame: Frame, value: Value, mask: Mask, quiet: bool) -> None:
    rank = address.rank
    offsets, outside = address.offsets(frame, storage)
    active = drop_outside(address, storage, frame, outside, mask, quiet)
    if isinstance(active, bool):
        if not active:
            return
        active = None
    offset = lifted(offsets, rank) if isinstance(offsets, Tensor) else torch.full([1] * rank, offsets)
    spread = _filled(value, storage.flat)
    spread = lifted(spread, rank)
    by_threads = rank == OUTSIDE and varies_by_thread(spread) and not varies_by_thread(offset)
    tags = lifted(frame.block_tags, rank)
    lanes = common_lanes(offset.shape, spread.shape, offset.shape if active is None else active.shape)
    if storage.kind == "global":
        lanes[0] = frame.blocks
    offset, spread, tags = offset.expand(lanes), spread.expand(lanes), tags.expand(lanes)
    if active is None:
        offset, spread, tags = offset.reshape(-1), spread.reshape(-1), tags.reshape(-1)
    else:
        chosen = active.expand(lanes)
        offset, spread, tags = offset[chosen], spread[chosen], tags[chosen]
    memory = storage.flat
    if storage.kind == "global":
        owners = _owners(storage)
        taken = owners[offset]
        _check_owners(address, frame, (taken != 0) & (taken != tags), memory[offset], spread)
        owners[offset] = tags
    memory[offset] = spread
    _check_race(address, storage, frame, _differ(memory[offset], spread), by_threads)


def _check_race(address: Address, storage: Storage, frame: Frame, lost: Tensor, by_threads: bool) -> None:
    """A write that does not read back was overwritten by another lane with another value."""
    count = int(lost.sum())
    if not count:
        return
    message = f"{count} writes to {address.name} meet another lane's write of a different value to the same element"
    if by_threads:
        message += f"; every active thread of the block executes this: {ONCE}"
    if storage.racing_is_certain:
        raise frame.fault("write-write-race", message)
    frame.note("write-write-race", message + " (a fragment: the last in loop order is kept)", address.name)


def _owners(storage: Storage) -> Tensor:
    if storage.owners is None:
        storage.owners = torch.zeros(storage.numel, dtype=torch.uint8)
    return storage.owners


def _claim(
    address: Address, frame: Frame, owners: Tensor, tags: Tensor, old: Tensor, value: Value, mask: Mask
) -> None:
    """Mark the elements as written by their blocks, in place; a fault where another block wrote another value."""
    if bool(owners.any()):
        foreign = owners.ne(tags) & owners.ne(0)
        if mask is not None:
            foreign &= mask
        if bool(foreign.any()):
            _check_owners(address, frame, foreign, old, _filled(value, old))
    owners.copy_(tags if mask is None else torch.where(mask, tags, owners))


def _check_owners(address: Address, frame: Frame, foreign: Tensor, old: Tensor, value: Tensor) -> None:
    count = int((foreign & _differ(old, value)).sum())
    if count:
        raise frame.fault(
            "write-write-race",
            f"{count} elements of {address.name} were written by another thread block with a different value; "
            "which block comes last is undefined",
        )


def _differ(left: Tensor, right: Tensor) -> Tensor:
    differs = left != right
    if left.is_floating_point():
        differs &= ~(left.isnan() & right.isnan())
    return differs


def _filled(value: Value, like: Tensor) -> Tensor:
    return value if isinstance(value, Tensor) else torch.tensor(value, dtype=like.dtype)
