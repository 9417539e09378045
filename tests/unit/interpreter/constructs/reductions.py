"""Reductions and scans of tiles, reducers, and what is said of a whole buffer."""

from collections.abc import Callable
from typing import Any

import tilelang.language as T
import torch
from constructs.table import normal, shows, whole
from torch import Tensor

X = normal(24, 16)
BITS = whole(0, 2**20, 24, 16)


def folded(values: Tensor, step: Any) -> Tensor:
    total = values[:, 0]
    for column in range(1, values.shape[1]):
        total = step(total, values[:, column])
    return total


def rows(reduce: Any, dtype: str) -> Callable[[], Any]:
    def build() -> Any:
        @T.prim_func
        def kernel(A: T.Tensor((24, 16), dtype), B: T.Tensor((24,), dtype)):
            with T.Kernel(1, threads=64) as _:
                a = T.alloc_fragment((24, 16), dtype)
                b = T.alloc_fragment((24,), dtype)
                T.copy(A, a)
                reduce(a, b)
                T.copy(b, B)

        return kernel

    return build


def enter(names: str, reduce: Any, given: Tensor, equals: Tensor) -> None:
    shows(names, given, equals=equals)(rows(reduce, str(given.dtype).removeprefix("torch.")))


enter("reduce_sum", lambda a, b: T.reduce_sum(a, b, dim=1), X, X.sum(1))
enter("reduce_max", lambda a, b: T.reduce_max(a, b), X, X.amax(1))
enter("reduce_min", lambda a, b: T.reduce_min(a, b, dim=-1), X, X.amin(1))
enter("reduce_abssum", lambda a, b: T.reduce_abssum(a, b), X, X.abs().sum(1))
enter("reduce_absmax", lambda a, b: T.reduce_absmax(a, b), X, X.abs().amax(1))
enter("reduce", lambda a, b: T.reduce(a, b, "sum", 1, True), X, X.sum(1))
enter("reduce_sum", lambda a, b: T.reduce_sum(a, b, batch=3), X, X.sum(1))
enter("reduce_bitand", lambda a, b: T.reduce_bitand(a, b), BITS, folded(BITS, torch.bitwise_and))
enter("reduce_bitor", lambda a, b: T.reduce_bitor(a, b), BITS, folded(BITS, torch.bitwise_or))
enter("reduce_bitxor", lambda a, b: T.reduce_bitxor(a, b), BITS, folded(BITS, torch.bitwise_xor))


@shows("reduce_max", X, equals=X.amax(0))
def of_columns() -> Any:
    @T.prim_func
    def kernel(A: T.Tensor((24, 16), "float32"), B: T.Tensor((16,), "float32")):
        with T.Kernel(1, threads=64) as _:
            a = T.alloc_fragment((24, 16), "float32")
            b = T.alloc_fragment((16,), "float32")
            T.copy(A, a)
            T.reduce_max(a, b, dim=0)
            T.copy(b, B)

    return kernel


def scan(function: Any, **options: Any) -> Callable[[], Any]:
    def build() -> Any:
        @T.prim_func
        def kernel(A: T.Tensor((24, 16), "float32"), B: T.Tensor((24, 16), "float32")):
            with T.Kernel(1, threads=64) as _:
                a = T.alloc_shared((24, 16), "float32")
                b = T.alloc_shared((24, 16), "float32")
                T.copy(A, a)
                function(a, b, **options)
                T.copy(b, B)

        return kernel

    return build


shows("cumsum", X, equals=X.cumsum(1))(scan(T.cumsum, dim=1))
shows("cumsum", X, equals=X.flip(0).cumsum(0).flip(0))(scan(T.cumsum, dim=0, reverse=True))
shows("cummax", X, equals=X.cummax(0).values)(scan(T.cummax, dim=0))
shows("cummax", X, equals=X.flip(1).cummax(1).values.flip(1))(scan(T.cummax, dim=1, reverse=True))


def reducer(op: str) -> Callable[[], Any]:
    def build() -> Any:
        @T.prim_func
        def kernel(A: T.Tensor((24, 16), "float32"), B: T.Tensor((24,), "float32")):
            with T.Kernel(1, threads=64) as _:
                parts = T.alloc_reducer((24,), "float32", op=op)
                b = T.alloc_fragment((24,), "float32")
                T.reducer_init(parts)
                for i, j in T.Parallel(24, 16):
                    T.reducer_update(parts[i], A[i, j])
                T.finalize_reducer(parts, b)
                T.copy(b, B)

        return kernel

    return build


shows("alloc_reducer reducer_init reducer_update finalize_reducer", X, equals=X.sum(1))(reducer("sum"))
shows("alloc_reducer", X, equals=X.amax(1))(reducer("max"))
shows("alloc_reducer", X, equals=X.amin(1))(reducer("min"))


MASKS = torch.stack([torch.zeros(16), torch.ones(16), torch.arange(16) % 2]).bool()


@shows("any_of all_of", MASKS, equals=torch.tensor([0, 3, 1], dtype=torch.int32))
def some_and_all_of_a_mask() -> Any:
    @T.prim_func
    def kernel(A: T.Tensor((3, 16), "bool"), B: T.Tensor((3,), "int32")):
        with T.Kernel(3, threads=32) as bx:
            a = T.alloc_shared((16,), "bool")
            T.copy(A[bx, 0:16], a)
            some = T.any_of(a)
            every = T.all_of(a)
            B[bx] = T.cast(some, "int32") + 2 * T.cast(every, "int32")

    return kernel
