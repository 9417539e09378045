"""How many floating point instructions is an expression worth?"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import tilelang  # noqa: F401  (puts the bundled tvm on the import path)
from tvm import tirx

from tilewright.toolchain.tir import op_name

# Instructions of CUDA's single precision routines: SASS for sm_90a by nvcc 13.0 with default accuracy, without the
# load and the store around them, on the path that ordinary values take. Assumed rather than counted: sin, cos and tan
# (their code holds a long reduction of large arguments that is rarely run), sigmoid, ceil and trunc.
_CALL_FLOPS = {
    "exp": 10, "exp2": 4, "exp10": 10, "log": 26, "log2": 28, "log1p": 31, "log10": 27, "sqrt": 14, "rsqrt": 4,
    "sin": 25, "cos": 25, "tan": 30, "tanh": 17, "sigmoid": 25, "erf": 28, "pow": 94, "atan": 19, "atan2": 54,
    "abs": 1, "fabs": 1, "floor": 1, "ceil": 1, "round": 4, "trunc": 1, "fmod": 73,
}  # fmt: skip
_DIVISION_FLOPS = 14
_ARITHMETIC = (tirx.Add, tirx.Sub, tirx.Mul, tirx.Min, tirx.Max)


def children(expr: Any) -> Iterable[Any]:
    """The expressions directly inside one, a load's indices left out."""
    if isinstance(expr, tirx.Call):
        return list(expr.args)
    if isinstance(expr, tirx.Select):
        return [expr.condition, expr.true_value, expr.false_value]
    if isinstance(expr, (tirx.Cast, tirx.Broadcast)):
        return [expr.value]
    if hasattr(expr, "a"):
        return [expr.a, expr.b] if hasattr(expr, "b") else [expr.a]
    return []


def flops_of_node(expr: Any) -> float:
    """What the outermost operation of an expression costs; index arithmetic costs nothing here."""
    if not str(getattr(expr, "dtype", "")).startswith(("float", "bfloat")):
        return 0.0
    if isinstance(expr, _ARITHMETIC):
        return 1.0
    if isinstance(expr, tirx.Div):
        return 1.0 if _is_power_of_two(expr.b) else _DIVISION_FLOPS
    if isinstance(expr, tirx.Call):
        return float(_CALL_FLOPS.get(op_name(expr).rpartition(".")[2].strip("_"), 0))
    return 0.0


def _is_power_of_two(expr: Any) -> bool:
    """Dividing by one is a multiplication."""
    return isinstance(expr, tirx.FloatImm) and expr.value != 0 and abs(math.frexp(expr.value)[0]) == 0.5
