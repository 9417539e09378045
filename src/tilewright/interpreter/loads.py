"""What does each lane read from a buffer?

Reads of global memory out of bounds give 0 (or what T.annotate_safe_value says), as TileLang's guards make them;
reads of shared memory, fragments and private memory out of bounds are faults. Reading what another thread block
wrote earlier in the launch is a problem: on a GPU it may not be written yet."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from tilewright.interpreter import private, tir
from tilewright.interpreter.addressing import Address, Placement, active_outside, by_block, row_numbers, rows, view
from tilewright.interpreter.compiler import EXPRESSIONS, Code, Scope, compiles
from tilewright.interpreter.frame import Frame
from tilewright.interpreter.memory import Storage, StorageOf, is_private
from tilewright.interpreter.report import Unsupported
from tilewright.interpreter.tir import tirx
from tilewright.interpreter.values import OUTSIDE, Value, as_tensor, compute_dtype, is_integer, lifted


@compiles(EXPRESSIONS, "BufferLoad")
def _load_expression(load: tir.BufferLoad, scope: Scope) -> Code:
    return compile_load(load.buffer, list(load.indices), scope)


def compile_load(buffer: tir.Buffer, indices: Sequence[tir.Expr], scope: Scope) -> Code:
    """The elements as a tensor over the lanes; it may be a view of the memory, so use it before the next
    store."""
    if scope.rank < OUTSIDE:
        raise Unsupported(f"host code reads {buffer.name}")
    if any(isinstance(index, (tirx.Ramp, tirx.Broadcast)) for index in indices):
        raise Unsupported(f"vector index into {buffer.name}")
    address = Address(buffer, indices, scope)
    beyond = scope.program.safe_values.get(buffer.data, 0)
    storage_of = StorageOf(buffer, scope)
    dtype = compute_dtype(str(buffer.dtype))
    widen = is_integer(str(buffer.dtype))
    if is_private(buffer):
        return lambda frame: private.read(address, storage_of(frame), frame)

    def load(frame: Frame) -> Value:
        storage = storage_of(frame)
        placement = address.place(frame, storage)
        if placement is None:
            value = _gather(address, storage, frame, beyond)
        else:
            value = _placed(storage.flat, placement)
            if storage.owners is not None:
                _check_freshness(address, frame, _placed(storage.owners, placement))
        if value.dtype == dtype:
            return value
        if not widen:
            raise Unsupported(f"{address.name} is a view of another dtype")
        return value.to(dtype)

    return load


def _placed(memory: Tensor, placement: Placement) -> Tensor:
    if placement.starts is None:
        return by_block(view(memory, placement), placement)
    return rows(memory, placement)[row_numbers(placement)]


def _gather(address: Address, storage: Storage, frame: Frame, beyond: Value) -> Tensor:
    rank = address.rank
    offsets, outside = address.offsets(frame, storage)
    if storage.kind != "global" and active_outside(frame.mask, outside, rank):
        raise frame.fault("local-out-of-bounds-read", f"out-of-bounds read of {address.name}{address.shape(frame)}")
    if outside is True or storage.numel == 0:
        return as_tensor(beyond, rank, storage.flat.dtype)
    if isinstance(outside, Tensor):
        offsets = torch.where(outside, 0, offsets)
    if not isinstance(offsets, Tensor):
        return storage.flat[offsets].reshape([1] * rank)
    value = storage.flat[lifted(offsets, rank)]
    if storage.owners is not None:
        _check_freshness(address, frame, storage.owners[lifted(offsets, rank)])
    if not isinstance(outside, Tensor):
        return value
    return torch.where(outside, as_tensor(beyond, rank, value.dtype), value)


def _check_freshness(address: Address, frame: Frame, owners: Tensor) -> None:
    if not bool(owners.any()):
        return
    foreign = (owners != 0) & (owners != lifted(frame.block_tags, owners.ndim))
    if frame.mask is not None:
        foreign = foreign & lifted(frame.mask, owners.ndim)
    if bool(foreign.any()):
        frame.note(
            "read-of-another-blocks-write",
            f"{address.name} is read where another thread block of the same launch wrote it; nothing orders the two "
            "(an atomic that returns its previous value would, with memory_order='acq_rel')",
            address.name,
        )
