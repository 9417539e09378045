"""Operators and functions of single numbers."""

import math
from collections.abc import Callable
from typing import Any

import tilelang.language as T
import torch
from constructs.table import normal, shows, whole
from torch import Tensor

N = 64
X, Y, Z = normal(N), normal(N), normal(N)
POSITIVE, UNIT, ABOVE_ONE = X.abs() + 0.1, X.sigmoid() * 1.8 - 0.9, X.abs() + 1.1
HALVES = torch.tensor([-2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 0.49, -3.7] * 8)
SPECIAL = torch.tensor([math.nan, math.inf, -math.inf, 1.0] * 16)
SIGNED, DIVISORS = whole(-50, 50, N), whole(1, 9, N)
BITS, SHIFTS = whole(0, 2**31 - 1, N), whole(0, 16, N)
TRUE = whole(0, 2, N, dtype=torch.bool)


def of_one(function: Any, dtype: str, out: str) -> Callable[[], Any]:
    def build() -> Any:
        @T.prim_func
        def kernel(A: T.Tensor((N,), dtype), C: T.Tensor((N,), out)):
            with T.Kernel(1, threads=N) as _:
                for i in T.Parallel(N):
                    C[i] = function(A[i])

        return kernel

    return build


def of_two(function: Any, dtype: str, out: str) -> Callable[[], Any]:
    def build() -> Any:
        @T.prim_func
        def kernel(A: T.Tensor((N,), dtype), B: T.Tensor((N,), dtype), C: T.Tensor((N,), out)):
            with T.Kernel(1, threads=N) as _:
                for i in T.Parallel(N):
                    C[i] = function(A[i], B[i])

        return kernel

    return build


def of_three(function: Any, dtype: str, out: str) -> Callable[[], Any]:
    def build() -> Any:
        @T.prim_func
        def kernel(
            A: T.Tensor((N,), dtype), B: T.Tensor((N,), dtype), D: T.Tensor((N,), dtype), C: T.Tensor((N,), out)
        ):
            with T.Kernel(1, threads=N) as _:
                for i in T.Parallel(N):
                    C[i] = function(A[i], B[i], D[i])

        return kernel

    return build


def enter(names: str, function: Any, inputs: tuple[Tensor, ...], equals: Tensor, tolerance: float = 1e-5) -> None:
    """C[i] = function(A[i], ...) for every element."""
    dtype, out = (str(tensor.dtype).removeprefix("torch.") for tensor in (inputs[0], equals))
    build = (of_one, of_two, of_three)[len(inputs) - 1](function, dtype, out)
    shows(names, *inputs, equals=equals, tolerance=tolerance)(build)


def ints(values: Tensor) -> Tensor:
    return values.to(torch.int32)


enter("exp", T.exp, (X,), X.exp())
enter("exp2", T.exp2, (X,), X.exp2())
enter("exp10", T.exp10, (X,), 10**X)
enter("log", T.log, (POSITIVE,), POSITIVE.log())
enter("log2", T.log2, (POSITIVE,), POSITIVE.log2())
enter("log10", T.log10, (POSITIVE,), POSITIVE.log10())
enter("log1p", T.log1p, (POSITIVE,), POSITIVE.log1p())
enter("tanh", T.tanh, (X,), X.tanh())
enter("sigmoid", T.sigmoid, (X,), X.sigmoid())
enter("erf", T.erf, (X,), X.erf())
enter("sqrt", T.sqrt, (POSITIVE,), POSITIVE.sqrt())
enter("rsqrt", T.rsqrt, (POSITIVE,), POSITIVE.rsqrt())
enter("abs", T.abs, (X,), X.abs())
enter("fabs", T.fabs, (X,), X.abs())
enter("abs", T.abs, (SIGNED,), SIGNED.abs())
enter("floor", T.floor, (HALVES,), HALVES.floor())
enter("ceil", T.ceil, (HALVES,), HALVES.ceil())
enter("trunc", T.trunc, (HALVES,), HALVES.trunc())
enter("round", T.round, (HALVES,), HALVES.round())
enter(
    "round",
    lambda x: T.round(x, "ties-away-from-zero"),
    (HALVES,),
    torch.tensor([-3.0, -2, -1, 1, 2, 3, 0, -4] * 8),
)
enter("nearbyint", T.nearbyint, (HALVES,), HALVES.round())
enter("sin", T.sin, (X,), X.sin())
enter("cos", T.cos, (X,), X.cos())
enter("tan", T.tan, (UNIT,), UNIT.tan())
enter("sinh", T.sinh, (X,), X.sinh())
enter("cosh", T.cosh, (X,), X.cosh())
enter("asin", T.asin, (UNIT,), UNIT.asin())
enter("acos", T.acos, (UNIT,), UNIT.acos())
enter("atan", T.atan, (X,), X.atan())
enter("asinh", T.asinh, (X,), X.asinh())
enter("acosh", T.acosh, (ABOVE_ONE,), ABOVE_ONE.acosh())
enter("atanh", T.atanh, (UNIT,), UNIT.atanh())
enter("isnan", T.isnan, (SPECIAL,), SPECIAL.isnan())
enter("isinf", T.isinf, (SPECIAL,), SPECIAL.isinf())
enter("isfinite", T.isfinite, (SPECIAL,), SPECIAL.isfinite())

enter("__exp", getattr(T, "__exp"), (X,), X.exp())
enter("__exp10", getattr(T, "__exp10"), (X,), 10**X)
enter("__log", getattr(T, "__log"), (POSITIVE,), POSITIVE.log())
enter("__log2", getattr(T, "__log2"), (POSITIVE,), POSITIVE.log2())
enter("__log10", getattr(T, "__log10"), (POSITIVE,), POSITIVE.log10())
enter("__sin", getattr(T, "__sin"), (X,), X.sin())
enter("__cos", getattr(T, "__cos"), (X,), X.cos())
enter("__tan", getattr(T, "__tan"), (UNIT,), UNIT.tan())
enter("fast_rcp", T.fast_rcp, (POSITIVE,), 1 / POSITIVE)
enter("ieee_add", T.ieee_add, (X, Y), X + Y)
enter("ieee_sub", lambda x, y: T.ieee_sub(x, y, "rz"), (X, Y), X - Y)
enter("ieee_mul", T.ieee_mul, (X, Y), X * Y)
enter("ieee_fdiv", T.ieee_fdiv, (X, POSITIVE), X / POSITIVE)
enter("ieee_fmaf", T.ieee_fmaf, (X, Y, Z), X * Y + Z)
enter("ieee_frcp", T.ieee_frcp, (POSITIVE,), 1 / POSITIVE)
enter("ieee_fsqrt", T.ieee_fsqrt, (POSITIVE,), POSITIVE.sqrt())
enter("ieee_frsqrt", T.ieee_frsqrt, (POSITIVE,), POSITIVE.rsqrt())
enter("fmul", T.fmul, (X, Y), X * Y)
enter("fma", T.fma, (X, Y, Z), X * Y + Z)
enter("clamp", lambda x: T.clamp(x, -0.5, 0.25), (X,), X.clamp(-0.5, 0.25))
enter("pow", T.pow, (POSITIVE, Y), POSITIVE**Y)
enter("pow", lambda x: T.pow(x, 3.0), (X,), X**3)
enter("fmod", T.fmod, (X, POSITIVE), X.fmod(POSITIVE))
enter("atan2", T.atan2, (X, Y), X.atan2(Y))
enter("hypot", T.hypot, (X, Y), X.hypot(Y))
enter("copysign", T.copysign, (X, Y), X.copysign(Y))
enter("nextafter", T.nextafter, (X, Y), X.nextafter(Y), 0)
enter("ldexp", lambda x: T.ldexp(x, 3), (X,), X * 8)
enter("max", T.max, (X, Y), X.maximum(Y))
enter("min", T.min, (X, Y), X.minimum(Y))
enter("if_then_else", lambda x, y: T.if_then_else(x > y, x, y * 2), (X, Y), torch.where(X > Y, X, Y * 2))
enter("Select", lambda x, y: T.Select(x > y, x, y * 2), (X, Y), torch.where(X > Y, X, Y * 2))
enter("infinity", lambda x: T.min(x, T.infinity("float32")), (X,), X)
enter("max_value", lambda x: T.min(x, T.max_value("int32")), (SIGNED,), SIGNED)
enter("min_value", lambda x: T.max(x, T.min_value("int32")), (SIGNED,), SIGNED)

enter("Add", lambda x, y: x + y, (SIGNED, DIVISORS), SIGNED + DIVISORS)
enter("Sub", lambda x, y: x - y, (SIGNED, DIVISORS), SIGNED - DIVISORS)
enter("Mul", lambda x, y: x * y, (SIGNED, DIVISORS), SIGNED * DIVISORS)
enter("Div", lambda x, y: x / y, (X, POSITIVE), X / POSITIVE)
enter("FloorDiv", lambda x, y: x // y, (SIGNED, DIVISORS), SIGNED // DIVISORS)
enter("floordiv", T.floordiv, (SIGNED, DIVISORS), SIGNED // DIVISORS)
enter("FloorMod", lambda x, y: x % y, (SIGNED, DIVISORS), SIGNED % DIVISORS)
enter("floormod", T.floormod, (SIGNED, DIVISORS), SIGNED % DIVISORS)
enter("truncdiv", T.truncdiv, (SIGNED, DIVISORS), SIGNED.div(DIVISORS, rounding_mode="trunc"))
enter("truncmod Mod", T.truncmod, (SIGNED, DIVISORS), SIGNED.fmod(DIVISORS))
enter("ceildiv", T.ceildiv, (SIGNED, DIVISORS), -(-SIGNED // DIVISORS))
enter("cdiv", T.cdiv, (SIGNED, DIVISORS), -(-SIGNED // DIVISORS))
enter("align_up", lambda x: T.align_up(x, 8), (DIVISORS,), torch.full_like(DIVISORS, 8) + 8 * (DIVISORS > 8))
enter("EQ", lambda x, y: x == y, (SIGNED, DIVISORS), SIGNED == DIVISORS)
enter("NE", lambda x, y: x != y, (SIGNED, DIVISORS), SIGNED != DIVISORS)
enter("LT", lambda x, y: x < y, (SIGNED, DIVISORS), SIGNED < DIVISORS)
enter("LE", lambda x, y: x <= y, (SIGNED, DIVISORS), SIGNED <= DIVISORS)
enter("GT", lambda x, y: x > y, (SIGNED, DIVISORS), SIGNED > DIVISORS)
enter("GE", lambda x, y: x >= y, (SIGNED, DIVISORS), SIGNED >= DIVISORS)
enter("And", lambda x, y: T.And(x > 0, y > 4), (SIGNED, DIVISORS), (SIGNED > 0) & (DIVISORS > 4))
enter("Or", lambda x, y: T.Or(x > 0, y > 4), (SIGNED, DIVISORS), (SIGNED > 0) | (DIVISORS > 4))
enter("Not", lambda x: T.Not(x > 0), (SIGNED,), SIGNED <= 0)
enter("bitwise_and", T.bitwise_and, (BITS, SIGNED), BITS & SIGNED)
enter("bitwise_or", T.bitwise_or, (BITS, SIGNED), BITS | SIGNED)
enter("bitwise_xor", T.bitwise_xor, (BITS, SIGNED), BITS ^ SIGNED)
enter("bitwise_not", T.bitwise_not, (BITS,), ~BITS)
enter("shift_left", T.shift_left, (DIVISORS, SHIFTS), DIVISORS << SHIFTS)
enter("shift_right", T.shift_right, (SIGNED, SHIFTS), SIGNED >> SHIFTS)
enter("clz", T.clz, (BITS,), ints(torch.tensor([32 - int(n).bit_length() for n in BITS])))
enter("cast Cast", lambda x: T.cast(x, "int32"), (HALVES,), HALVES.int())
enter("reinterpret", lambda x: T.reinterpret(x, "int32"), (X,), X.view(torch.int32))
enter("boolean", lambda x: T.if_then_else(x, 1.0, 2.0), (TRUE,), torch.where(TRUE, 1.0, 2.0))

# CUDA code can't be generated for it either.
shows("popcount", BITS, not_checked="popcount")(of_one(T.popcount, "int32", "int32"))


def of_pairs(function: Any, operands: int) -> Callable[[], Any]:
    def build() -> Any:
        @T.prim_func
        def kernel(A: T.Tensor((N, 2), "float32"), C: T.Tensor((N, 2), "float32")):
            with T.Kernel(1, threads=N) as _:
                tx = T.get_thread_binding()
                C[tx, 0:2] = function(*[A[tx, 0:2]] * operands)

        return kernel

    return build


PAIRS = normal(N, 2)
for name, operands in (("add2", 2), ("sub2", 2), ("mul2", 2), ("fma2", 3), ("max2", 2), ("min2", 2), ("abs2", 1)):
    shows(name, PAIRS, not_checked=name)(of_pairs(getattr(T, name), operands))
for name in ("__ffs", "__fns"):
    shows(name, BITS, not_checked=name.strip("_"))(
        of_one(lambda x, name=name: getattr(T, name)(*([x] if name == "__ffs" else [x, 0, 1])), "int32", "int32")
    )
