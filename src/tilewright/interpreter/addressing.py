"""Where do the lanes of one access fall in memory: a strided view, or an offset for each lane?

An index that is a sum of lane axes times constants plus something that only differs between thread blocks makes a
strided view of the flat memory (`Placement`), which costs next to nothing. Everything else is an explicit offset for
each lane (`Offsets`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from tilewright.interpreter import tir
from tilewright.interpreter.affine import Affine, affine
from tilewright.interpreter.compiler import Code, Scope, compile_expression
from tilewright.interpreter.frame import Frame
from tilewright.interpreter.memory import Storage
from tilewright.interpreter.values import Mask, Value, both, lifted


class Placement(NamedTuple):
    """A box of elements for each thread block.

    `sizes` and `strides` are by lane axis from axis 1 on. The blocks' boxes begin at `start` plus a nest of steps
    (`levels`: count and step, outermost first; none: all blocks share one box), or, where they form no such nest, at
    `starts`, one offset for each block (`start` is added)."""

    sizes: list[int]
    strides: list[int]
    start: int
    levels: list[tuple[int, int]]
    starts: Tensor | None
    apart: bool  # surely no element is in two places

    @property
    def block_sizes(self) -> list[int]:
        return [count for count, _ in self.levels] or [1]

    @property
    def block_strides(self) -> list[int]:
        return [step for _, step in self.levels] or [0]

    def moved_to(self, start: int) -> Placement:
        if start == self.start:
            return self
        # Half the time of _replace, and in small loops that counts.
        return Placement(self.sizes, self.strides, start, self.levels, self.starts, self.apart)


class Offsets(NamedTuple):
    """`flat`: offset of each lane; `outside`: which lanes are out of bounds (None: none; True: all)."""

    flat: Tensor | int
    outside: Tensor | bool | None


class _Dimension(NamedTuple):
    """One index: `fixed` + `moving` + something between `low` and `high` that lane axes add."""

    fixed: Code | int
    moving: Code | None
    low: int
    high: int


class _Base(NamedTuple):
    """What of a placement stays the same while a chunk of thread blocks runs."""

    shape: list[int]
    strides: list[int]
    firsts: list[int | Tensor]  # fixed part of each index: for all blocks, or one for each
    bounds: list[tuple[int, int]]  # smallest and largest index without the moving part
    placement: Placement


class Address:
    """One access `buffer[indices]` as compiled; `place` and `offsets` evaluate it."""

    def __init__(self, buffer: tir.Buffer, indices: Sequence[tir.Expr], scope: Scope) -> None:
        self.rank = scope.rank
        self.name = str(buffer.name)
        self._indices = [compile_expression(index, scope) for index in indices]
        self._shape = [_number_or_code(extent, scope) for extent in buffer.shape]
        self._strides = [_number_or_code(stride, scope) for stride in tir.strides_of(buffer)]
        self._elem_offset = _number_or_code(buffer.elem_offset, scope)
        parts = [affine(index, scope) for index in indices]
        self._dimensions: list[_Dimension] | None = None
        self._steps: list[tuple[int, int, int, int]] = []  # lane axis, its extent, dimension, coefficient
        if all(part is not None for part in parts):
            self._dimensions = [
                self._dimension(number, part, scope) for number, part in enumerate(parts) if part is not None
            ]
        self._base: tuple[Frame, _Base | None] | None = None

    def _dimension(self, number: int, part: Affine, scope: Scope) -> _Dimension:
        low = high = 0
        for var, step in part.steps.items():
            axis = scope.axes[var]
            reach = step * (axis.extent - 1)
            low, high = low + min(reach, 0), high + max(reach, 0)
            self._steps.append((axis.position, axis.extent, number, step))
        fixed = 0 if part.fixed is None else _number_or_code(part.fixed, scope)
        moving = None if part.moving is None else compile_expression(part.moving, scope)
        return _Dimension(fixed, moving, low, high)

    def shape(self, frame: Frame) -> list[int]:
        return [extent if isinstance(extent, int) else int(extent(frame)) for extent in self._shape]

    def place(self, frame: Frame, storage: Storage) -> Placement | None:
        """The access as a strided view; None where it is not one, or not all of it is in bounds."""
        if self._dimensions is None:
            return None
        if self._base is None or self._base[0] is not frame:
            firsts = [_number(d.fixed, frame) for d in self._dimensions]
            self._base = (frame, self._based_on(firsts, frame, storage))
        base = self._base[1]
        if base is None:
            return None
        start = base.placement.start
        for number, dimension in enumerate(self._dimensions):
            low, high = base.bounds[number]
            if dimension.moving is not None:
                move = _by_block(dimension.moving(frame))
                if isinstance(move, Tensor):
                    return self._place_each_block(base, frame, storage)
                if move is None:
                    return None
                low, high = low + move, high + move
                start += move * base.strides[number]
            if low < 0 or high >= base.shape[number]:
                return None
        return base.placement.moved_to(start)

    def _place_each_block(self, base: _Base, frame: Frame, storage: Storage) -> Placement | None:
        """For moving parts that differ between the blocks."""
        assert self._dimensions is not None
        firsts: list[int | Tensor | None] = []
        for first, dimension in zip(base.firsts, self._dimensions):
            move = 0 if dimension.moving is None else _by_block(dimension.moving(frame))
            firsts.append(None if move is None else first + move)
        moved = self._based_on(firsts, frame, storage)
        if moved is None or any(low < 0 or high >= size for (low, high), size in zip(moved.bounds, moved.shape)):
            return None
        return moved.placement

    def _based_on(self, firsts: Sequence[int | Tensor | None], frame: Frame, storage: Storage) -> _Base | None:
        assert self._dimensions is not None
        shape, strides = self.shape(frame), [_scalar(stride, frame) for stride in self._strides]
        start = _scalar(self._elem_offset, frame)
        starts: Tensor | None = torch.arange(frame.blocks) * storage.numel if storage.kind == "block" else None
        bounds, known = [], []
        for first, dimension, stride in zip(firsts, self._dimensions, strides):
            if first is None:
                return None
            known.append(first)
            if isinstance(first, Tensor):
                least, most = (int(bound) for bound in torch.aminmax(first))
                starts = first * stride if starts is None else starts + first * stride
            else:
                least = most = first
                start += first * stride
            bounds.append((least + dimension.low, most + dimension.high))
        sizes, steps = [1] * (self.rank - 1), [0] * (self.rank - 1)
        for position, extent, number, coefficient in self._steps:
            sizes[position - 1] = extent
            steps[position - 1] += coefficient * strides[number]
        if any(step < 0 for step in steps):  # torch has no views with negative strides
            return None
        levels = [] if starts is None else _nest(starts)
        if levels is None:
            apart = storage.kind == "block" or self._disjoint(known, frame.blocks)
            apart = apart and is_injective(sizes, steps, [])
            placement = Placement(sizes, steps, start, [], starts, apart)
        else:
            first_start = 0 if starts is None else int(starts[0])
            placement = Placement(sizes, steps, start + first_start, levels, None, is_injective(sizes, steps, levels))
        return _Base(shape, strides, known, bounds, placement)

    def _disjoint(self, firsts: Sequence[int | Tensor], blocks: int) -> bool:
        """Whether the boxes that the thread blocks touch surely do not overlap."""
        assert self._dimensions is not None
        columns = []
        for first, dimension in zip(firsts, self._dimensions):
            if isinstance(first, Tensor):
                distinct = torch.unique(first)
                if distinct.numel() > 1 and int(distinct.diff().min()) <= dimension.high - dimension.low:
                    return False
                columns.append(first)
        return bool(columns) and torch.unique(torch.stack(columns), dim=1).shape[1] == blocks

    def offsets(self, frame: Frame, storage: Storage) -> Offsets:
        """An offset into the flat storage for each lane, those out of bounds not yet made safe."""
        shape, strides = self.shape(frame), [_scalar(stride, frame) for stride in self._strides]
        total: Value = _scalar(self._elem_offset, frame)
        outside: Tensor | bool | None = None
        for code, size, stride in zip(self._indices, shape, strides):
            index = code(frame)
            if isinstance(index, Tensor) and not index.numel():
                pass  # a loop without iterations
            elif isinstance(index, Tensor):
                low, high = torch.aminmax(index)
                if int(low) < 0 or int(high) >= size:
                    bad = (index < 0) | (index >= size)
                    outside = bad if outside is None else outside | bad
            elif not 0 <= index < size:
                outside = True if not isinstance(outside, Tensor) else torch.ones_like(outside)
            total = total + index * stride
        if storage.kind == "block":
            base = torch.arange(frame.blocks) * storage.numel
            total = lifted(base, self.rank) + total
        return Offsets(total if isinstance(total, Tensor) else int(total), outside)


def view(memory: Tensor, placement: Placement) -> Tensor:
    """The placed elements, block levels first; only for a placement without `starts`."""
    levels, start = placement.levels, memory.storage_offset() + placement.start
    if len(levels) == 1:
        count, step = levels[0]
        return memory.as_strided([count, *placement.sizes], [step, *placement.strides], start)
    sizes, strides = placement.block_sizes + placement.sizes, placement.block_strides + placement.strides
    return memory.as_strided(sizes, strides, start)


def by_block(tensor: Tensor, placement: Placement) -> Tensor:
    """A view's block levels joined to one axis (a copy where the levels do not line up)."""
    return tensor if len(placement.levels) < 2 else tensor.flatten(0, len(placement.levels) - 1)


def by_level(tensor: Tensor, placement: Placement) -> Tensor:
    """The other way: a value over lanes as the view has it."""
    if len(placement.levels) < 2:
        return tensor
    counts = placement.block_sizes if tensor.shape[0] > 1 else [1] * len(placement.levels)
    return tensor.reshape(counts + list(tensor.shape[1:]))


def rows(memory: Tensor, placement: Placement) -> Tensor:
    """A view whose axis 0 is every possible start: index it with `row_numbers`."""
    span = 1 + sum((size - 1) * stride for size, stride in zip(placement.sizes, placement.strides))
    sizes = [memory.numel() - span + 1, *placement.sizes]
    return memory.as_strided(sizes, [1, *placement.strides], memory.storage_offset())


def row_numbers(placement: Placement) -> Tensor:
    assert placement.starts is not None
    return placement.starts + placement.start if placement.start else placement.starts


def block_starts(placement: Placement, blocks: int) -> list[int]:
    """Where each block's box begins."""
    if placement.starts is not None:
        return [int(start) for start in row_numbers(placement).tolist()]
    starts = [placement.start]
    for count, step in placement.levels:
        starts = [start + step * i for start in starts for i in range(count)]
    return starts if placement.levels else starts * blocks


def is_injective(sizes: Sequence[int], strides: Sequence[int], levels: Sequence[tuple[int, int]]) -> bool:
    """Whether no two places, in one block's box or in those of two, are the same element (sufficient test)."""
    reach = 0
    axes = [*zip(strides, sizes), *((step, count) for count, step in levels)]
    for stride, size in sorted((stride, size) for stride, size in axes if size > 1):
        if stride <= reach:
            return False
        reach += (size - 1) * stride
    return True


def active_outside(mask: Mask, outside: Tensor | bool | None, rank: int) -> bool:
    """Whether an active lane is out of bounds."""
    if outside is None:
        return False
    if isinstance(outside, bool):
        return outside and (mask is None or bool(mask.any()))
    return bool(both(mask, outside, rank).any())


def _nest(starts: Tensor) -> list[tuple[int, int]] | None:
    """Counts and steps, outermost first, of which the blocks' starts are all combinations; None if there are none
    with steps of 0 and more."""
    levels: list[tuple[int, int]] = []
    while starts.numel() > 1:
        steps = starts.diff()
        step = int(steps[0])
        other = (steps != step).nonzero()
        count = int(other[0]) + 1 if len(other) else starts.numel()
        if step < 0 or starts.numel() % count:
            return None
        table = starts.view(-1, count)
        first = table[:, :1]
        if len(table) > 1 and not torch.equal(table, first + torch.arange(count) * step):
            return None
        levels.insert(0, (count, step))
        starts = first.flatten()
    return levels or [(1, 0)]


def _by_block(value: Value) -> int | Tensor | None:
    """One number for all lanes, or one for each block; None where it differs within a block."""
    if not isinstance(value, Tensor):
        return int(value)
    if value.numel() == 1:
        return int(value)
    return value.reshape(-1) if value.shape[0] == value.numel() else None


def _number(code: Code | int, frame: Frame) -> int | Tensor | None:
    return code if isinstance(code, int) else _by_block(code(frame))


def _scalar(code: Code | int, frame: Frame) -> int:
    return code if isinstance(code, int) else int(code(frame))


def _number_or_code(expr: tir.Expr, scope: Scope) -> int | Code:
    number = tir.constant(expr)
    return compile_expression(expr, scope) if number is None else number
