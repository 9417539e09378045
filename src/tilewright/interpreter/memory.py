"""What memories does a kernel have, and what is in them before anything was written?

Global tensors are the caller's own. Shared memory and fragments hold one copy for each thread block;
fragments are treated as whole tiles, because that is how TileLang's programs see them. `local` memory and
variables are a thread's own (see `private`). What was never written reads as NaN (or a poison integer), so
that it shows in the result.

Not modelled: aliasing of shared buffers that the compiler overlays, bank conflicts, caches."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import torch
from torch import Tensor

from tilewright.interpreter import tir
from tilewright.interpreter.compiler import Scope
from tilewright.interpreter.frame import Frame
from tilewright.interpreter.report import Unsupported
from tilewright.interpreter.values import INTEGER_POISON, OUTSIDE, compute_dtype, is_integer

_PER_BLOCK = ("shared", "shared.dyn", "local.fragment", "local.reducer")
_PER_THREAD = ("local", "local.var")


@dataclass
class Storage:
    """`flat`: all elements; [numel] for global, [blocks * numel] for block, lane axes + [numel] for thread
    memory."""

    kind: str  # "global", "block" or "thread"
    flat: Tensor
    numel: int
    racing_is_certain: bool = True
    owners: Tensor | None = None  # global only: tag of the block that wrote each element last
    undecided: set[int] = field(default_factory=set)  # thread only, see `private`


def scope_of(buffer: tir.Buffer) -> str:
    return str(buffer.scope())


def is_private(buffer: tir.Buffer) -> bool:
    return scope_of(buffer) in _PER_THREAD


def global_storage(tensor: Tensor) -> Storage:
    """The caller's tensor as flat memory from its first element on; strided tensors keep their gaps."""
    span = 1 + sum((size - 1) * stride for size, stride in zip(tensor.shape, tensor.stride()))
    numel = 0 if tensor.numel() == 0 else span
    return Storage("global", tensor.as_strided((numel,), (1,), tensor.storage_offset()), numel)


class StorageOf:
    """Finds a buffer's storage in a frame, allocating it on first use."""

    def __init__(self, buffer: tir.Buffer, scope: Scope) -> None:
        self._slot = scope.program.slot(buffer.data)
        self._scope_name = scope_of(buffer)
        self._dtype = str(buffer.dtype)
        self._name = str(buffer.name)
        self._shape = list(buffer.shape)
        if scope.program.dtypes.setdefault(self._slot, self._dtype) != self._dtype:
            raise Unsupported(f"{self._name}: a view of memory of another dtype")

    def __call__(self, frame: Frame) -> Storage:
        storage = frame.storages.get(self._slot)
        if storage is None:
            storage = frame.storages[self._slot] = self._allocate(frame.blocks)
        return storage

    def _allocate(self, blocks: int) -> Storage:
        extents = [tir.constant(extent) for extent in self._shape]
        if any(extent is None for extent in extents):
            raise Unsupported(f"buffer {self._name} of symbolic size")
        numel = math.prod(extent for extent in extents if extent is not None)
        if self._scope_name in _PER_BLOCK:
            flat = _poison((blocks * numel,), self._dtype)
            return Storage("block", flat, numel, racing_is_certain=self._scope_name.startswith("shared"))
        if self._scope_name in _PER_THREAD:
            return Storage("thread", _poison((1,) * OUTSIDE + (numel,), self._dtype), numel)
        raise Unsupported(f"memory scope {self._scope_name} of {self._name}")


def _poison(shape: tuple[int, ...], dtype: str) -> Tensor:
    held = compute_dtype(dtype)
    if held.is_floating_point:
        return torch.full(shape, math.nan, dtype=held)
    if is_integer(dtype):
        return torch.full(shape, INTEGER_POISON, dtype=held)
    return torch.ones(shape, dtype=held)
