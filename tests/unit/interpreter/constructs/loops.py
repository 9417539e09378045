"""Loops and branches."""

from collections.abc import Callable
from typing import Any

import tilelang.language as T
import torch
from constructs.table import normal, shows

X = normal(32, 16)


def row_sums(loop: Any) -> Callable[[], Any]:
    def build() -> Any:
        @T.prim_func
        def kernel(A: T.Tensor((32, 16), "float32"), B: T.Tensor((32,), "float32")):
            with T.Kernel(1, threads=32) as _:
                tx = T.get_thread_binding()
                total = T.alloc_var("float32", init=0.0)
                for k in loop(16):
                    total = total + A[tx, k]
                B[tx] = total

        return kernel

    return build


shows("serial", X, equals=X.sum(1))(row_sums(T.serial))
shows("Serial", X, equals=X.sum(1))(row_sums(T.Serial))
shows("unroll", X, equals=X.sum(1))(row_sums(lambda n: T.unroll(n, unroll_factor=4)))
shows("Unroll", X, equals=X.sum(1))(row_sums(lambda n: T.Unroll(n, explicit=True)))
shows("Pipelined", X, equals=X.sum(1))(row_sums(lambda n: T.Pipelined(n, num_stages=2)))
shows("serial", X, equals=X[:, 1::3].sum(1))(row_sums(lambda n: T.serial(1, n, 3)))
shows("unroll", X, equals=X[:, 2:].sum(1))(row_sums(lambda n: T.unroll(2, n)))


@shows("Parallel", X, equals=X.relu())
def parallel() -> Any:
    @T.prim_func
    def kernel(A: T.Tensor((32, 16), "float32"), B: T.Tensor((32, 16), "float32")):
        with T.Kernel(1, threads=64) as _:
            for i, j in T.Parallel(32, 16):
                B[i, j] = T.max(A[i, j], 0.0)

    return kernel


@shows("parallel grid", X, equals=X * 3)
def loops_of_tvm() -> Any:
    @T.prim_func
    def kernel(A: T.Tensor((32, 16), "float32"), B: T.Tensor((32, 16), "float32")):
        with T.Kernel(1, threads=64) as _:
            for i in T.parallel(32):
                for j in T.serial(16):
                    B[i, j] = A[i, j] * 2.0
            for i, j in T.grid(32, 16):
                B[i, j] = A[i, j] * 3.0

    return kernel


@shows("loop_break break_loop", X, equals=X[:, :5].sum(1))
def left_early() -> Any:
    @T.prim_func
    def kernel(A: T.Tensor((32, 16), "float32"), B: T.Tensor((32,), "float32")):
        with T.Kernel(1, threads=32) as _:
            tx = T.get_thread_binding()
            total = T.alloc_var("float32", init=0.0)
            for k in T.serial(16):
                if k == 5:
                    T.loop_break()
                total = total + A[tx, k]
            B[tx] = total

    return kernel


@shows("continue_loop", X, not_checked="continue")
def passed_over() -> Any:
    @T.prim_func
    def kernel(A: T.Tensor((32, 16), "float32"), B: T.Tensor((32,), "float32")):
        with T.Kernel(1, threads=32) as _:
            tx = T.get_thread_binding()
            total = T.alloc_var("float32", init=0.0)
            for k in T.serial(16):
                if k % 2 == 0:
                    T.continue_loop()
                total = total + A[tx, k]
            B[tx] = total

    return kernel


@shows(
    "While", torch.arange(1, 33, dtype=torch.int32), equals=torch.tensor([n.bit_length() for n in range(1, 33)]).int()
)
def until_nothing_is_left() -> Any:
    @T.prim_func
    def kernel(A: T.Tensor((32,), "int32"), B: T.Tensor((32,), "int32")):
        with T.Kernel(1, threads=32) as _:
            tx = T.get_thread_binding()
            left = T.alloc_var("int32")
            steps = T.alloc_var("int32", init=0)
            left = A[tx]
            while left > 0:
                left = left // 2
                steps = steps + 1
            B[tx] = steps

    return kernel


@shows("If Then Else", X, equals=torch.where(X > 0, X, X * 0.1))
def branches() -> Any:
    @T.prim_func
    def kernel(A: T.Tensor((32, 16), "float32"), B: T.Tensor((32, 16), "float32")):
        with T.Kernel(1, threads=64) as _:
            for i, j in T.Parallel(32, 16):
                if A[i, j] > 0.0:
                    B[i, j] = A[i, j]
                else:
                    B[i, j] = A[i, j] * 0.1

    return kernel


@T.macro
def doubled(source: Any, target: Any) -> None:
    for i in T.Parallel(16):
        target[i] = source[i] * 2.0


@shows("macro prim_func", X[0].contiguous(), equals=X[0] * 2)
def by_a_macro() -> Any:
    @T.prim_func
    def kernel(A: T.Tensor((16,), "float32"), B: T.Tensor((16,), "float32")):
        with T.Kernel(1, threads=32) as _:
            doubled(A, B)

    return kernel


@shows("dynamic", X, equals=X + 1)
def symbolic_size() -> Any:
    n = T.dynamic("n")

    @T.prim_func
    def kernel(A: T.Tensor((n, 16), "float32"), B: T.Tensor((n, 16), "float32")):
        with T.Kernel(T.ceildiv(n, 24), threads=64) as bx:
            for i, j in T.Parallel(24, 16):
                if bx * 24 + i < n:
                    B[bx * 24 + i, j] = A[bx * 24 + i, j] + 1.0

    return kernel


@shows("symbolic", X, equals=X + 1)
def symbolic_size_of_old() -> Any:
    n = T.symbolic("n")

    @T.prim_func
    def kernel(A: T.Tensor((n, 16), "float32"), B: T.Tensor((n, 16), "float32")):
        with T.Kernel(n, threads=32) as bx:
            for j in T.Parallel(16):
                B[bx, j] = A[bx, j] + 1.0

    return kernel
