"""What is the value of a mathematical or bitwise operator?

Half-precision functions are computed in float32 and rounded once. CUDA's approximate functions (`T.__exp`)
give the exact ones' values here."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from tilewright.interpreter import tir
from tilewright.interpreter.compiler import CALLS, Code, Scope, compile_expression, compiles
from tilewright.interpreter.expressions import binary, maximum, minimum
from tilewright.interpreter.frame import Frame
from tilewright.interpreter.report import Unsupported
from tilewright.interpreter.values import Value, compute_dtype, is_integer

_UNARY: dict[str, Callable[[Tensor], Tensor]] = {
    "tirx.exp": torch.exp,
    "tirx.exp2": torch.exp2,
    "tirx.exp10": lambda x: torch.pow(10.0, x),
    "tirx.log": torch.log,
    "tirx.log2": torch.log2,
    "tirx.log10": torch.log10,
    "tirx.log1p": torch.log1p,
    "tirx.tanh": torch.tanh,
    "tirx.sigmoid": torch.sigmoid,
    "tirx.erf": torch.erf,
    "tirx.sqrt": torch.sqrt,
    "tirx.rsqrt": torch.rsqrt,
    "tirx.fabs": torch.abs,
    "tirx.floor": torch.floor,
    "tirx.ceil": torch.ceil,
    "tirx.round": torch.round,
    "tirx.nearbyint": torch.round,
    "tirx.trunc": torch.trunc,
    "tirx.sin": torch.sin,
    "tirx.cos": torch.cos,
    "tirx.tan": torch.tan,
    "tirx.sinh": torch.sinh,
    "tirx.cosh": torch.cosh,
    "tirx.asin": torch.asin,
    "tirx.acos": torch.acos,
    "tirx.atan": torch.atan,
    "tirx.asinh": torch.asinh,
    "tirx.acosh": torch.acosh,
    "tirx.atanh": torch.atanh,
    "tl.__exp": torch.exp,
    "tl.__exp10": lambda x: torch.pow(10.0, x),
    "tl.__log": torch.log,
    "tl.__log2": torch.log2,
    "tl.__log10": torch.log10,
    "tl.__sin": torch.sin,
    "tl.__cos": torch.cos,
    "tl.__tan": torch.tan,
    "tl.fast_rcp": torch.reciprocal,
    "tl.ieee_frcp": torch.reciprocal,
    "tl.ieee_fsqrt": torch.sqrt,
    "tl.ieee_frsqrt": torch.rsqrt,
    "tl.round_ties_away_from_zero": lambda x: torch.sign(x) * torch.floor(torch.abs(x) + 0.5),
}
_CLASSIFYING: dict[str, Callable[[Tensor], Tensor]] = {
    "tirx.isnan": torch.isnan,
    "tirx.isinf": torch.isinf,
    "tirx.isfinite": torch.isfinite,
}
_BINARY: dict[str, Callable[[Any, Any], Value]] = {
    "tirx.bitwise_and": operator.and_,
    "tirx.bitwise_or": operator.or_,
    "tirx.bitwise_xor": operator.xor,
    "tirx.shift_left": operator.lshift,
    "tirx.shift_right": operator.rshift,
    "tl.pow_of_int": operator.pow,
    "tl.ieee_add": operator.add,
    "tl.ieee_sub": operator.sub,
    "tl.ieee_mul": operator.mul,
    "tl.fmul": operator.mul,
    "tl.max_nan": maximum,
    "tl.min_nan": minimum,
}
_OF_TENSORS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "tirx.pow": torch.pow,
    "tirx.fmod": torch.fmod,
    "tirx.atan2": torch.atan2,
    "tirx.hypot": torch.hypot,
    "tirx.copysign": torch.copysign,
    "tirx.nextafter": torch.nextafter,
    "tirx.ldexp": torch.ldexp,
    "tl.ieee_fdiv": torch.div,
}
_UNSIGNED_BITS = {"uint8": torch.uint8, "uint16": torch.int16, "uint32": torch.int32, "uint64": torch.int64}


@compiles(CALLS, *_UNARY, *_CLASSIFYING)
def _unary(call: tir.Call, scope: Scope) -> Code:
    name = tir.op_name(call)
    operand = compile_expression(call.args[0], scope)
    if name in _CLASSIFYING:
        return _on_tensor(_CLASSIFYING[name], operand, lambda x: x)
    dtype = str(call.dtype)
    if is_integer(dtype):
        return _on_tensor(_UNARY[name], operand, lambda x: x.to(torch.int64))
    target = compute_dtype(dtype)
    if target in (torch.float32, torch.float64):
        return _on_tensor(_UNARY[name], operand, lambda x: x)
    function = _UNARY[name]
    return _on_tensor(lambda x: function(x.float()), operand, lambda x: x.to(target))


def _on_tensor(function: Callable[[Tensor], Tensor], operand: Code, finish: Callable[[Tensor], Tensor]) -> Code:
    def evaluate(frame: Frame) -> Value:
        value = operand(frame)
        if isinstance(value, Tensor):
            return finish(function(value))
        result: Value = finish(function(torch.tensor(value, dtype=torch.float64))).item()
        return result

    return evaluate


@compiles(CALLS, *_BINARY)
def _binary(call: tir.Call, scope: Scope) -> Code:
    return binary(_BINARY[tir.op_name(call)], call.args[0], call.args[1], str(call.dtype), scope)


@compiles(CALLS, *_OF_TENSORS)
def _binary_of_tensors(call: tir.Call, scope: Scope) -> Code:
    function = _OF_TENSORS[tir.op_name(call)]

    def apply(left: Value, right: Value) -> Value:
        if isinstance(left, Tensor) or isinstance(right, Tensor):
            like = left if isinstance(left, Tensor) else right
            assert isinstance(like, Tensor)
            pair = [x if isinstance(x, Tensor) else torch.tensor(x, dtype=like.dtype) for x in (left, right)]
            return function(pair[0], pair[1])
        wide = [torch.tensor(float(x), dtype=torch.float64) for x in (left, right)]
        result: Value = function(wide[0], wide[1]).item()
        return result

    return binary(apply, call.args[0], call.args[1], str(call.dtype), scope)


@compiles(CALLS, "tirx.bitwise_not")
def _bitwise_not(call: tir.Call, scope: Scope) -> Code:
    return binary(lambda x, _: ~x, call.args[0], call.args[0], str(call.dtype), scope)


@compiles(CALLS, "tirx.clz")
def _leading_zeros(call: tir.Call, scope: Scope) -> Code:
    dtype = str(call.args[0].dtype)
    if dtype not in ("int32", "uint32"):
        raise Unsupported(f"clz of {dtype}")
    operand = compile_expression(call.args[0], scope)
    # The exponent of a double is the length of a 32-bit number.
    return _on_tensor(
        lambda x: 32 - torch.frexp((x.long() & 0xFFFFFFFF).double()).exponent, operand, lambda x: x.long()
    )


@compiles(CALLS, "tirx.fma", "tl.fma", "tl.ieee_fmaf")
def _fused_multiply_add(call: tir.Call, scope: Scope) -> Code:
    a, b, c = (compile_expression(arg, scope) for arg in call.args[:3])
    return lambda frame: a(frame) * b(frame) + c(frame)


@compiles(CALLS, "tl.clamp")
def _clamp(call: tir.Call, scope: Scope) -> Code:
    value, low, high = (compile_expression(arg, scope) for arg in call.args[:3])
    return lambda frame: minimum(maximum(value(frame), low(frame)), high(frame))


@compiles(CALLS, "tl.infinity")
def _infinity(call: tir.Call, scope: Scope) -> Code:
    return lambda frame: math.inf


@compiles(CALLS, "tirx.likely", "tirx.type_annotation", "tl.__ldg")
def _transparent(call: tir.Call, scope: Scope) -> Code:
    return compile_expression(call.args[0], scope)


@compiles(CALLS, "tirx.reinterpret")
def _reinterpret(call: tir.Call, scope: Scope) -> Code:
    source, target = str(call.args[0].dtype), str(call.dtype)
    if target == "handle":
        return lambda frame: 0
    operand = compile_expression(call.args[0], scope)
    held_as, read_as = _exact_dtype(source), _exact_dtype(target)

    def evaluate(frame: Frame) -> Value:
        value = operand(frame)
        held = torch.as_tensor(value).to(held_as)
        seen = held.view(read_as).to(compute_dtype(target))
        if target in ("uint16", "uint32"):
            seen = seen & (2 ** int(target[4:]) - 1)
        if isinstance(value, Tensor):
            return seen
        result: Value = seen.item()
        return result

    return evaluate


def _exact_dtype(name: str) -> torch.dtype:
    if name in _UNSIGNED_BITS:
        return _UNSIGNED_BITS[name]
    dtype = getattr(torch, name, None)
    if not isinstance(dtype, torch.dtype):
        raise Unsupported(f"reinterpretation as {name}")
    return dtype
