"""Small kernels whose counts can be worked out by hand."""

from typing import Any

import tilelang.language as T


def add(m: int = 1024, n: int = 1024, dtype: str = "float16") -> Any:
    @T.prim_func
    def add_kernel(A: T.Tensor((m, n), dtype), B: T.Tensor((n,), dtype), C: T.Tensor((m, n), dtype)):
        with T.Kernel(T.ceildiv(n, 128), T.ceildiv(m, 32), threads=128) as (bx, by):
            for i, j in T.Parallel(32, 128):
                C[by * 32 + i, bx * 128 + j] = A[by * 32 + i, bx * 128 + j] + B[bx * 128 + j]

    return add_kernel


def matmul(
    m: int = 512,
    n: int = 512,
    k: int = 512,
    block: int = 128,
    block_k: int = 32,
    num_stages: int = 2,
    threads: int = 128,
) -> Any:
    @T.prim_func
    def matmul_kernel(A: T.Tensor((m, k), "float16"), B: T.Tensor((k, n), "float16"), C: T.Tensor((m, n), "float16")):
        with T.Kernel(T.ceildiv(n, block), T.ceildiv(m, block), threads=threads) as (bx, by):
            a = T.alloc_shared((block, block_k), "float16")
            b = T.alloc_shared((block_k, block), "float16")
            c = T.alloc_fragment((block, block), "float32")
            T.clear(c)
            for ko in T.Pipelined(T.ceildiv(k, block_k), num_stages=num_stages):
                T.copy(A[by * block, ko * block_k], a)
                T.copy(B[ko * block_k, bx * block], b)
                T.gemm(a, b, c)
            T.copy(c, C[by * block, bx * block])

    return matmul_kernel


def column_sum(rows: int = 256, columns: int = 4096, transposed: bool = False) -> Any:
    """One thread a column; with `transposed` the threads of a warp are a row apart."""
    shape = (columns, rows) if transposed else (rows, columns)

    @T.prim_func
    def column_sum_kernel(X: T.Tensor(shape, "float32"), Y: T.Tensor((columns,), "float32")):
        with T.Kernel(T.ceildiv(columns, 128), threads=128) as bx:
            tx = T.get_thread_binding(0)
            total = T.alloc_local((1,), "float32")
            total[0] = 0.0
            for r in T.serial(rows):
                if transposed:
                    total[0] += X[bx * 128 + tx, r]
                else:
                    total[0] += X[r, bx * 128 + tx]
            Y[bx * 128 + tx] = total[0]

    return column_sum_kernel
