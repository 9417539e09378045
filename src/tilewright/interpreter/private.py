"""What is in memory that each thread has for itself (`local`, variables)?

Such memory starts with one copy for all lanes and is split along a lane axis when a store makes the lanes
differ. After a T.Parallel loop a thread keeps what its last iteration left, and which iterations a thread
runs is the compiler's choice: elements that differ between iterations become undecided, and reading one is
`Unsupported`."""

from __future__ import annotations

import torch
from torch import Tensor

from tilewright.interpreter.addressing import Address, active_outside
from tilewright.interpreter.frame import Frame
from tilewright.interpreter.memory import Storage
from tilewright.interpreter.report import Unsupported
from tilewright.interpreter.values import OUTSIDE, Value, agreed, common_lanes, lifted


def read(address: Address, storage: Storage, frame: Frame) -> Tensor:
    value = _read(address, storage, frame)
    return agreed(value, address.name) if address.rank > OUTSIDE else value


def _read(address: Address, storage: Storage, frame: Frame) -> Tensor:
    offset = _offset(address, storage, frame, "read")
    memory = _lanes(storage, address.rank)
    if offset is None:
        return torch.zeros([1] * address.rank, dtype=memory.dtype)
    if not isinstance(offset, Tensor):
        _check_decided(address, storage, {offset})
        return memory[..., offset]
    _check_decided(address, storage, set(offset.unique().tolist()) if storage.undecided else set())
    lanes = common_lanes(memory.shape[:-1], offset.shape)
    spread = _bits(memory).expand(*lanes, storage.numel)
    return torch.gather(spread, -1, offset.expand(lanes).unsqueeze(-1)).squeeze(-1).view(memory.dtype)


def write(address: Address, storage: Storage, frame: Frame, value: Value) -> None:
    rank = address.rank
    offset = _offset(address, storage, frame, "write")
    if offset is None:
        return
    mask = None if frame.mask is None else lifted(frame.mask, rank)
    memory = _lanes(storage, rank)
    shapes = [part.shape for part in (value, mask, offset) if isinstance(part, Tensor)]
    lanes = common_lanes(memory.shape[:-1], *shapes)
    if lanes != list(memory.shape[:-1]):
        memory = memory.expand(*lanes, storage.numel).clone()
    storage.flat = memory
    if isinstance(value, Tensor) and value.dtype != memory.dtype:
        value = value.to(memory.dtype)
    if isinstance(offset, Tensor):
        _scatter(memory, offset.expand(lanes).unsqueeze(-1), value, mask)
        return
    if mask is None:
        storage.undecided.discard(offset)
        memory[..., offset] = value
    else:
        memory[..., offset] = torch.where(mask, _as(value, memory), memory[..., offset])


def settle(storage: Storage | None, rank: int) -> None:
    """On leaving a T.Parallel loop for a scope of `rank` lane axes: drop the loop's axes."""
    if storage is None or storage.flat.ndim - 1 <= rank:
        return
    memory = storage.flat
    while memory.ndim - 1 > rank:
        last = memory.select(memory.ndim - 2, memory.shape[-2] - 1)
        differs = memory != last.unsqueeze(-2)
        if memory.is_floating_point():
            differs &= ~(memory.isnan() & last.isnan().unsqueeze(-2))
        storage.undecided.update(differs.reshape(-1, storage.numel).any(0).nonzero().flatten().tolist())
        memory = last
    storage.flat = memory.clone()


def _offset(address: Address, storage: Storage, frame: Frame, verb: str) -> Tensor | int | None:
    offset, outside = address.offsets(frame, storage)
    if active_outside(frame.mask, outside, address.rank):
        raise frame.fault(
            f"local-out-of-bounds-{verb}", f"out-of-bounds {verb} of {address.name}{address.shape(frame)}"
        )
    if outside is True:
        return None
    if isinstance(outside, Tensor):
        offset = torch.where(outside, 0, offset)
    if isinstance(offset, Tensor):
        return 0 if storage.numel == 1 else lifted(offset, address.rank)
    return offset


def _lanes(storage: Storage, rank: int) -> Tensor:
    memory = storage.flat
    missing = rank - (memory.ndim - 1)
    if missing <= 0:
        return memory
    return memory.reshape(memory.shape[:-1] + (1,) * missing + memory.shape[-1:])


def _scatter(memory: Tensor, offset: Tensor, value: Value, mask: Tensor | None) -> None:
    bits = _bits(memory)
    spread = _bits(_as(value, memory)).expand(offset.shape[:-1])
    if mask is not None:
        spread = torch.where(mask, spread, torch.gather(bits, -1, offset).squeeze(-1))
    bits.scatter_(-1, offset, spread.unsqueeze(-1))


def _bits(tensor: Tensor) -> Tensor:
    """torch gathers and scatters no 8-bit floats: the same memory as bytes."""
    return tensor.view(torch.uint8) if tensor.is_floating_point() and tensor.element_size() == 1 else tensor


def _as(value: Value, memory: Tensor) -> Tensor:
    return value if isinstance(value, Tensor) else torch.tensor(value, dtype=memory.dtype)


def _check_decided(address: Address, storage: Storage, offsets: set[int]) -> None:
    if storage.undecided and not storage.undecided.isdisjoint(offsets):
        raise Unsupported(
            f"what {address.name} holds after a T.Parallel loop depends on which thread runs which iteration"
        )
