"""Which values does an index or a condition of a kernel take over its loops, threads and blocks?

Works on TVM expressions numerically: exactly where the variables have few combinations, by sampling where many."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tilelang  # noqa: F401  (puts the bundled tvm on the import path)
from numpy.typing import NDArray
from tvm import tirx

from tilewright.toolchain.tir import Kind, op_name, variables

Values = NDArray[Any]
MOST_COMBINATIONS = 1 << 14  # a share estimated from as many samples is off by less than half a percent
_SEED = 20250101


class NotComputable(Exception):
    """The expression reads memory or calls something that is not arithmetic."""


@dataclass(frozen=True, eq=False)
class Axis:
    """A variable that runs from 0 to `extent` - 1; the mean extent where it depends on an outer one."""

    var: tirx.Var
    extent: float
    kind: Kind


def evaluate(expr: Any, values: Mapping[tirx.Var, Values]) -> Values:
    """The expression at each sample; `NotComputable` where it reads memory."""
    if isinstance(expr, (tirx.IntImm, tirx.FloatImm)):
        return np.asarray(expr.value)
    if isinstance(expr, (int, float)):
        return np.asarray(expr)
    if isinstance(expr, tirx.Var):
        if expr not in values:
            raise NotComputable(expr.name)
        return values[expr]
    binary = _BINARY.get(type(expr))
    if binary is not None:
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(binary(evaluate(expr.a, values), evaluate(expr.b, values)))
    if isinstance(expr, tirx.Cast):
        inner = evaluate(expr.value, values)
        return np.trunc(inner).astype(np.int64) if str(expr.dtype).startswith(("int", "uint")) else inner
    if isinstance(expr, tirx.Not):
        return np.logical_not(evaluate(expr.a, values))
    if isinstance(expr, tirx.Select):
        return _chosen(expr.condition, expr.true_value, expr.false_value, values)
    if isinstance(expr, tirx.Call):
        return _call(expr, values)
    raise NotComputable(type(expr).__name__)


def share_of(conditions: Sequence[Any], axes: Sequence[Axis]) -> float:
    """The share of the axes' combinations at which all conditions hold. A condition that can't be computed holds."""
    return float(np.mean(_holding(conditions, samples(_used(conditions, axes)))))


def mean_overlap(offset: Any, extent: float, size: float, conditions: Sequence[Any], axes: Sequence[Axis]) -> float:
    """Mean length of [offset, offset + extent) inside [0, size), where all conditions hold."""
    values = samples(_used([offset, *conditions], axes))
    try:
        start = evaluate(offset, values)
    except NotComputable:
        return min(extent, size)
    inside = np.clip(np.minimum(start + extent, size) - np.maximum(start, 0), 0, None)
    holds = _holding(conditions, values)
    return float(np.mean(inside[holds]) if inside.shape == holds.shape and holds.any() else np.mean(inside))


def mean_of(expr: Any, axes: Sequence[Axis]) -> float | None:
    """The mean of an expression over the axes; None when it can't be computed."""
    try:
        return float(np.mean(evaluate(expr, samples(_used([expr], axes)))))
    except NotComputable:
        return None


def range_of(expr: Any, axes: Sequence[Axis]) -> tuple[int, int] | None:
    """Smallest and largest value over the axes, with the ends of each axis among the samples."""
    try:
        taken = evaluate(expr, samples(_used([expr], axes), with_corners=True))
    except NotComputable:
        return None
    return int(np.min(taken)), int(np.max(taken))


def samples(axes: Sequence[Axis], with_corners: bool = False) -> dict[tirx.Var, Values]:
    """Every combination of the axes' values where there are few, else as many at random, always the same ones."""
    if not axes:
        return {}
    sizes = [max(1, round(axis.extent)) for axis in axes]
    count = math.prod(sizes)
    if count <= MOST_COMBINATIONS:
        grid = np.indices(sizes).reshape(len(sizes), -1)
        return {axis.var: grid[i] for i, axis in enumerate(axes)}
    random = np.random.default_rng(_SEED)
    columns = [random.integers(0, size, MOST_COMBINATIONS) for size in sizes]
    if with_corners:
        corners = np.indices([2] * min(len(sizes), 12)).reshape(min(len(sizes), 12), -1)
        for i in range(len(corners)):
            columns[i][: corners.shape[1]] = corners[i] * (sizes[i] - 1)
    return {axis.var: column for axis, column in zip(axes, columns)}


def _used(exprs: Sequence[Any], axes: Sequence[Axis]) -> list[Axis]:
    needed = variables(exprs)
    return [axis for axis in axes if axis.var in needed]


def _holding(conditions: Sequence[Any], values: Mapping[tirx.Var, Values]) -> Values:
    holds: Values = np.asarray(True)
    for condition in conditions:
        try:
            holds = np.logical_and(holds, evaluate(condition, values))
        except NotComputable:
            continue
    return holds


def _call(call: tirx.Call, values: Mapping[tirx.Var, Values]) -> Values:
    name = op_name(call).rpartition(".")[2]
    if name == "if_then_else":
        condition, then, other = call.args
        return _chosen(condition, then, other, values)
    operation = _CALLS.get(name)
    if operation is None:
        raise NotComputable(name)
    return np.asarray(operation(*(evaluate(argument, values) for argument in call.args)))


def _chosen(condition: Any, then: Any, other: Any, values: Mapping[tirx.Var, Values]) -> Values:
    return np.where(evaluate(condition, values), evaluate(then, values), evaluate(other, values))


def _divided(a: Values, b: Values) -> Values:
    """C's division: integers towards zero."""
    quotient = np.true_divide(a, b)
    whole = np.issubdtype(a.dtype, np.integer) and np.issubdtype(b.dtype, np.integer)
    return np.trunc(quotient).astype(np.int64) if whole else quotient


_BINARY: dict[type, Callable[[Values, Values], Values]] = {
    tirx.Add: np.add,
    tirx.Sub: np.subtract,
    tirx.Mul: np.multiply,
    tirx.Div: _divided,
    tirx.Mod: np.fmod,
    tirx.FloorDiv: np.floor_divide,
    tirx.FloorMod: np.mod,
    tirx.Min: np.minimum,
    tirx.Max: np.maximum,
    tirx.EQ: np.equal,
    tirx.NE: np.not_equal,
    tirx.LT: np.less,
    tirx.LE: np.less_equal,
    tirx.GT: np.greater,
    tirx.GE: np.greater_equal,
    tirx.And: np.logical_and,
    tirx.Or: np.logical_or,
}

_CALLS: dict[str, Callable[..., Values]] = {
    "shift_left": np.left_shift,
    "shift_right": np.right_shift,
    "bitwise_and": np.bitwise_and,
    "bitwise_or": np.bitwise_or,
    "bitwise_xor": np.bitwise_xor,
    "abs": np.abs,
    "likely": lambda value: value,
}
