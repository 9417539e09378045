"""What is the value of a TIR expression, over all lanes?"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from tilewright.interpreter import tir
from tilewright.interpreter.compiler import (
    CALLS,
    EXPRESSIONS,
    Code,
    Scope,
    compile_condition,
    compile_expression,
    compiles,
)
from tilewright.interpreter.frame import Frame
from tilewright.interpreter.report import Unsupported
from tilewright.interpreter.values import (
    OUTSIDE,
    Value,
    agreed,
    both,
    cast,
    compute_dtype,
    is_integer,
    lane_numbers,
    lift,
    rounded_scalar,
    wrapped,
)


class Deferred:
    """A binding evaluated at each use: T.Persistent binds before the loop that gives its variables a
    value."""

    __slots__ = ("code",)

    def __init__(self, code: Code) -> None:
        self.code = code


@compiles(EXPRESSIONS, "IntImm")
def _integer(imm: Any, scope: Scope) -> Code:
    value = bool(imm.value) if str(imm.dtype) == "bool" else int(imm.value)
    return lambda frame: value


@compiles(EXPRESSIONS, "FloatImm")
def _float(imm: Any, scope: Scope) -> Code:
    value = rounded_scalar(float(imm.value), compute_dtype(str(imm.dtype)))
    return lambda frame: value


@compiles(EXPRESSIONS, "Var", "SizeVar")
def _variable(var: tir.Var, scope: Scope) -> Code:
    axis = scope.axes.get(var)
    name = str(var.name)
    if axis is not None and axis.position < OUTSIDE < scope.rank:
        threads = lane_numbers(axis.position, axis.extent, scope.rank)
        return lambda frame: agreed(threads, name)
    if axis is not None:
        numbers = lane_numbers(axis.position, axis.extent, scope.rank)
        return lambda frame: numbers
    slot, rank = scope.program.slot(var), scope.rank

    def read(frame: Frame) -> Value:
        value = frame.env.get(slot)
        if type(value) is Deferred:
            value = value.code(frame)
        if value is None:
            raise Unsupported(f"variable {name} has no value here")
        if rank > OUTSIDE and isinstance(value, Tensor):
            value = agreed(value, name)
        return lift(value, rank)

    return read


@compiles(EXPRESSIONS, "Let")
def _let(let: Any, scope: Scope) -> Code:
    slot = scope.program.slot(let.var)
    value, body = compile_expression(let.value, scope), compile_expression(let.body, scope)

    def evaluate(frame: Frame) -> Value:
        frame.env[slot] = value(frame)
        return body(frame)

    return evaluate


@compiles(EXPRESSIONS, "Cast")
def _cast(node: Any, scope: Scope) -> Code:
    if tir.annotations_of(node):
        raise Unsupported(f"T.cast with {', '.join(tir.annotations_of(node))}")
    value, dtype = compile_expression(node.value, scope), str(node.dtype)
    compute_dtype(dtype)
    return lambda frame: cast(value(frame), dtype)


@compiles(EXPRESSIONS, "Call")
def _call(call: tir.Call, scope: Scope) -> Code:
    name = tir.op_name(call)
    if name not in CALLS:
        raise Unsupported(f"call of {name}")
    return CALLS[name](call, scope)


def _divide(left: Value, right: Value) -> Value:
    if isinstance(left, Tensor) or isinstance(right, Tensor):
        return left / right
    if right != 0:
        return left / right
    return math.nan if left == 0 or left != left else math.copysign(math.inf, left) * math.copysign(1, right)


def _divide_truncating(left: Value, right: Value) -> Value:
    if isinstance(left, Tensor) or isinstance(right, Tensor):
        return torch.div(left, right, rounding_mode="trunc")
    quotient = abs(left) // abs(right)
    return quotient if (left < 0) == (right < 0) else -quotient


def _remainder_truncating(left: Any, right: Any) -> Value:
    if isinstance(left, Tensor) or isinstance(right, Tensor):
        return torch.fmod(torch.as_tensor(left), right)
    return math.fmod(left, right) if isinstance(left, float) else left - right * _divide_truncating(left, right)


def _divide_floor(left: Any, right: Any) -> Value:
    if isinstance(left, Tensor) and isinstance(right, int) and right > 0 and right & (right - 1) == 0:
        return left >> (right.bit_length() - 1)
    return left // right


def _remainder_floor(left: Any, right: Any) -> Value:
    if isinstance(left, Tensor) and isinstance(right, int) and right > 0 and right & (right - 1) == 0:
        return left & (right - 1)
    return left % right


def maximum(left: Any, right: Any) -> Value:
    """NaN wins, unlike CUDA's fmaxf: what comes from memory never written must not vanish in a ReLU."""
    return _extreme(left, right, torch.maximum, max)


def minimum(left: Any, right: Any) -> Value:
    return _extreme(left, right, torch.minimum, min)


def _extreme(left: Any, right: Any, of_tensors: Any, of_scalars: Callable[[Any, Any], Any]) -> Any:
    if isinstance(left, Tensor) or isinstance(right, Tensor):
        like = left if isinstance(left, Tensor) else right
        return of_tensors(*(x if isinstance(x, Tensor) else torch.tensor(x, dtype=like.dtype) for x in (left, right)))
    return left if left != left else of_scalars(left, right)


_ARITHMETIC: dict[str, Callable[[Any, Any], Value]] = {
    "Add": operator.add,
    "Sub": operator.sub,
    "Mul": operator.mul,
    "FloorDiv": _divide_floor,
    "FloorMod": _remainder_floor,
    "Mod": _remainder_truncating,
    "Max": maximum,
    "Min": minimum,
}
_COMPARISONS: dict[str, Callable[[Any, Any], Value]] = {
    "LT": operator.lt,
    "LE": operator.le,
    "GT": operator.gt,
    "GE": operator.ge,
    "EQ": operator.eq,
    "NE": operator.ne,
}


@compiles(EXPRESSIONS, *_ARITHMETIC, "Div")
def _arithmetic(node: Any, scope: Scope) -> Code:
    kind, dtype = type(node).__name__, str(node.dtype)
    division = _divide_truncating if is_integer(dtype) else _divide
    return binary(_ARITHMETIC.get(kind, division), node.a, node.b, dtype, scope)


def binary(function: Callable[[Any, Any], Value], a: tir.Expr, b: tir.Expr, dtype: str, scope: Scope) -> Code:
    """`function(a, b)`, rounded or wrapped to `dtype` (int32 excepted: TileLang widens index arithmetic)."""
    left, right = compile_expression(a, scope), compile_expression(b, scope)
    if is_integer(dtype):
        if not dtype.startswith("u"):
            return lambda frame: function(left(frame), right(frame))
        return lambda frame: wrapped(function(left(frame), right(frame)), dtype)
    target = compute_dtype(dtype)

    def evaluate(frame: Frame) -> Value:
        result = function(left(frame), right(frame))
        return result.to(target) if isinstance(result, Tensor) and result.dtype != target else result

    return evaluate


@compiles(EXPRESSIONS, *_COMPARISONS)
def _comparison(node: Any, scope: Scope) -> Code:
    function = _COMPARISONS[type(node).__name__]
    left, right = compile_expression(node.a, scope), compile_expression(node.b, scope)
    return lambda frame: function(left(frame), right(frame))


@compiles(EXPRESSIONS, "And")
def _and(node: Any, scope: Scope) -> Code:
    left, right, rank = compile_condition(node.a, scope), compile_condition(node.b, scope), scope.rank

    def evaluate(frame: Frame) -> Value:
        first = left(frame)
        if not isinstance(first, Tensor):
            return right(frame) if first else False
        second = _where_active(right, frame, first, rank)
        if isinstance(second, Tensor):
            return first & second
        return first if second else False

    return evaluate


@compiles(EXPRESSIONS, "Or")
def _or(node: Any, scope: Scope) -> Code:
    left, right, rank = compile_condition(node.a, scope), compile_condition(node.b, scope), scope.rank

    def evaluate(frame: Frame) -> Value:
        first = left(frame)
        if not isinstance(first, Tensor):
            return True if first else right(frame)
        second = _where_active(right, frame, ~first, rank)
        if isinstance(second, Tensor):
            return first | second
        return True if second else first

    return evaluate


@compiles(EXPRESSIONS, "Not")
def _not(node: Any, scope: Scope) -> Code:
    operand = compile_condition(node.a, scope)

    def evaluate(frame: Frame) -> Value:
        value = operand(frame)
        return ~value if isinstance(value, Tensor) else not value

    return evaluate


@compiles(EXPRESSIONS, "Select")
def _select(node: Any, scope: Scope) -> Code:
    return _choose(node.condition, node.true_value, node.false_value, str(node.dtype), scope)


@compiles(CALLS, "tirx.if_then_else")
def _if_then_else(call: tir.Call, scope: Scope) -> Code:
    return _choose(call.args[0], call.args[1], call.args[2], str(call.dtype), scope)


def _choose(condition: tir.Expr, yes: tir.Expr, no: tir.Expr, dtype: str, scope: Scope) -> Code:
    test = compile_condition(condition, scope)
    if_true, if_false = compile_expression(yes, scope), compile_expression(no, scope)
    rank, target = scope.rank, compute_dtype(dtype)

    def evaluate(frame: Frame) -> Value:
        chosen = test(frame)
        if not isinstance(chosen, Tensor):
            return if_true(frame) if chosen else if_false(frame)
        if bool(chosen.all()):
            return if_true(frame)
        first = _where_active(if_true, frame, chosen, rank)
        second = _where_active(if_false, frame, ~chosen, rank)
        if not isinstance(first, Tensor) and not isinstance(second, Tensor):
            first = torch.tensor(first, dtype=target)
        return torch.where(chosen, first, second)

    return evaluate


def _where_active(code: Code, frame: Frame, condition: Tensor, rank: int) -> Value:
    """Evaluate with only those lanes active: what the others would read out of bounds is no fault."""
    outer = frame.mask
    frame.mask = both(outer, condition, rank)
    try:
        return code(frame)
    finally:
        frame.mask = outer
