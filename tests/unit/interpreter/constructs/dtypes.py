"""Every scalar dtype: converted to and from, or reported by name."""

from collections.abc import Callable
from typing import Any

import tilelang.language as T
import torch
from constructs.table import normal, shows

X = normal(64) * 40


def there_and_back(name: str) -> Callable[[], Any]:
    """float32 to a dtype, kept in shared memory, and back."""
    dtype = getattr(T, name)

    def build() -> Any:
        @T.prim_func
        def kernel(A: T.Tensor((64,), "float32"), B: T.Tensor((64,), "float32")):
            with T.Kernel(1, threads=64) as _:
                s = T.alloc_shared((64,), dtype)
                for i in T.Parallel(64):
                    s[i] = T.cast(A[i], dtype)
                for i in T.Parallel(64):
                    B[i] = T.cast(s[i], "float32")

        return kernel

    return build


def wrapped(values: torch.Tensor, bits: int, signed: bool) -> torch.Tensor:
    if bits == 64:
        return values
    low = values.long() & (2**bits - 1)
    return (low - 2**bits * (low >= 2 ** (bits - 1)) if signed else low).float()


for name in ("float16", "bfloat16", "float32", "float64"):
    shows(name, X, equals=X.to(getattr(torch, name)).float())(there_and_back(name))
shows("half", X, equals=X.half().float())(there_and_back("float16"))
shows("float", X, equals=X)(there_and_back("float32"))
shows("double", X, equals=X)(there_and_back("float64"))
shows("tfloat32", X, equals=X)(there_and_back("tfloat32"))
# What is too large for 8 bits becomes the largest: 448.
shows("float8_e4m3fn", X * 10, equals=(X * 10).clamp(-448, 448).to(torch.float8_e4m3fn).float())(
    there_and_back("float8_e4m3fn")
)
shows("float8_e4m3", X, equals=X.to(torch.float8_e4m3fn).float())(there_and_back("float8_e4m3"))
shows("float8_e5m2", X * 1e4, equals=(X * 1e4).clamp(-57344, 57344).to(torch.float8_e5m2).float())(
    there_and_back("float8_e5m2")
)
for bits, alias in ((8, "int8"), (16, "int16 short"), (32, "int32 int"), (64, "int64 long")):
    shows(alias, X * 10, equals=wrapped((X * 10).trunc(), bits, True))(there_and_back(f"int{bits}"))
    unsigned = f"uint{bits} uint" if bits == 32 else f"uint{bits}"
    shows(unsigned, X.abs() * 10, equals=wrapped((X.abs() * 10).trunc(), bits, False))(there_and_back(f"uint{bits}"))
shows("bool", X.trunc(), equals=X.trunc().ne(0).float())(there_and_back("bool"))
for name in (
    *("float8_e4m3b11fnuz", "float8_e4m3fnuz", "float8_e5m2fnuz", "float8_e3m4", "float8_e8m0fnu"),
    *("float6_e2m3fn", "float6_e3m2fn", "float4_e2m1fn", "float4_e2m1_unpacked", "int4"),
):
    shows(name, X, not_checked=f"dtype (custom\\[)?{name}")(there_and_back(name))


@shows("cast", X, not_checked="T.cast with sat")
def not_saturated() -> Any:
    @T.prim_func
    def kernel(A: T.Tensor((64,), "float32"), B: T.Tensor((64,), "float8_e4m3fn")):
        with T.Kernel(1, threads=64) as _:
            for i in T.Parallel(64):
                B[i] = T.cast(A[i], "float8_e4m3fn", sat=False)

    return kernel
