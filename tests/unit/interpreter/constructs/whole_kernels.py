"""Kernels as people write them: the constructs together."""

from typing import Any

import tilelang.language as T
import torch
from constructs.table import normal, shows, whole

SIZE = 96
A, B = normal(SIZE, SIZE).half(), normal(SIZE, SIZE).half()
PRODUCT = A.float() @ B.float()
ZERO = torch.zeros(SIZE, SIZE)
F16, F32 = "float16", "float32"
SQUARE = (SIZE, SIZE)


@shows("gemm", A, B, ZERO, equals=PRODUCT, tolerance=1e-4)
def split_k() -> Any:
    @T.prim_func
    def kernel(A: T.Tensor(SQUARE, F16), B: T.Tensor(SQUARE, F16), C: T.Tensor(SQUARE, F32)):
        with T.Kernel(3, 3, 3, threads=128) as (bx, by, bz):
            a = T.alloc_shared((32, 16), F16)
            b = T.alloc_shared((16, 32), F16)
            c = T.alloc_fragment((32, 32), F32)
            T.clear(c)
            for k in T.Pipelined(2, num_stages=2):
                T.copy(A[by * 32, bz * 32 + k * 16], a)
                T.copy(B[bz * 32 + k * 16, bx * 32], b)
                T.gemm(a, b, c)
            T.atomic_add(C[by * 32, bx * 32], c)

    return kernel


@shows("gemm", A, B, ZERO, equals=PRODUCT, tolerance=1e-4)
def stream_k() -> Any:
    """Four blocks share the 27 steps (9 tiles of 3) evenly, whatever tile a step belongs to."""

    @T.prim_func
    def kernel(A: T.Tensor(SQUARE, F16), B: T.Tensor(SQUARE, F16), C: T.Tensor(SQUARE, F32)):
        with T.Kernel(4, threads=128) as block:
            a = T.alloc_shared((32, 32), F16)
            b = T.alloc_shared((32, 32), F16)
            c = T.alloc_fragment((32, 32), F32)
            step = T.alloc_var("int32")
            last = T.alloc_var("int32")
            until = T.alloc_var("int32")
            step = block * 7
            last = T.min(step + 7, 27)
            while step < last:
                until = T.min((step // 3 + 1) * 3, last)
                T.clear(c)
                for s in T.serial(until - step):
                    T.copy(A[step // 9 * 32, (step + s) % 3 * 32], a)
                    T.copy(B[(step + s) % 3 * 32, step // 3 % 3 * 32], b)
                    T.gemm(a, b, c)
                T.atomic_add(C[step // 9 * 32, step // 3 % 3 * 32], c)
                step = until

    return kernel


@shows("ws", A, B, equals=PRODUCT, tolerance=1e-4)
def one_warp_group_loads_and_one_multiplies() -> Any:
    @T.prim_func
    def kernel(A: T.Tensor(SQUARE, F16), B: T.Tensor(SQUARE, F16), C: T.Tensor(SQUARE, F32)):
        with T.Kernel(3, 3, threads=256) as (bx, by):
            a = T.alloc_shared((32, 32), F16)
            b = T.alloc_shared((32, 32), F16)
            c = T.alloc_fragment((32, 32), F32)
            full = T.alloc_barrier(128)
            empty = T.alloc_barrier(128)
            with T.ws(1):
                T.clear(c)
            for k in T.serial(3):
                with T.ws(0):
                    T.barrier_wait(empty[0], (k & 1) ^ 1)
                    T.copy(A[by * 32, k * 32], a)
                    T.copy(B[k * 32, bx * 32], b)
                    T.barrier_arrive(full[0])
                with T.ws(1):
                    T.barrier_wait(full[0], k & 1)
                    T.gemm(a, b, c)
                    T.barrier_arrive(empty[0])
            with T.ws(1):
                T.copy(c, C[by * 32, bx * 32])

    return kernel


NIBBLES = whole(0, 256, SIZE, SIZE // 2, dtype=torch.uint8)
DEQUANTISED = (torch.stack([NIBBLES & 15, NIBBLES >> 4], 2).view(SIZE, SIZE).float() - 8).half()


@shows("gemm", A, NIBBLES, equals=A.float() @ DEQUANTISED.float().T, tolerance=1e-3)
def dequantised() -> Any:
    """Weights of 4 bits, two in a byte."""

    @T.prim_func
    def kernel(A: T.Tensor(SQUARE, F16), W: T.Tensor((SIZE, SIZE // 2), "uint8"), C: T.Tensor(SQUARE, F32)):
        with T.Kernel(3, 3, threads=128) as (bx, by):
            a = T.alloc_shared((32, 32), F16)
            packed = T.alloc_shared((32, 16), "uint8")
            w = T.alloc_shared((32, 32), F16)
            c = T.alloc_fragment((32, 32), F32)
            T.clear(c)
            for k in T.Pipelined(3, num_stages=2):
                T.copy(A[by * 32, k * 32], a)
                T.copy(W[bx * 32, k * 16], packed)
                for i, j in T.Parallel(32, 32):
                    byte = T.cast(packed[i, j // 2], "int32")
                    w[i, j] = T.cast(((byte >> (j % 2 * 4)) & 15) - 8, F16)
                T.gemm(a, w, c, transpose_B=True)
            T.copy(c, C[by * 32, bx * 32])

    return kernel


ROWS = normal(8, 64)


@shows("reduce_max", ROWS, equals=ROWS.topk(3).values)
def the_three_largest() -> Any:
    @T.prim_func
    def kernel(A: T.Tensor((8, 64), F32), B: T.Tensor((8, 3), F32)):
        with T.Kernel(2, threads=64) as bx:
            a = T.alloc_fragment((4, 64), F32)
            most = T.alloc_fragment((4,), F32)
            T.copy(A[bx * 4, 0], a)
            for k in T.serial(3):
                T.reduce_max(a, most, dim=1)
                for i in T.Parallel(4):
                    B[bx * 4 + i, k] = most[i]
                for i, j in T.Parallel(4, 64):
                    a[i, j] = T.if_then_else(a[i, j] == most[i], -T.infinity(F32), a[i, j])

    return kernel


@shows("alloc_global sync_grid", ROWS, equals=ROWS.sum().view(1), tolerance=1e-4)
def partial_sums_across_the_grid() -> Any:
    @T.prim_func
    def kernel(A: T.Tensor((8, 64), F32), B: T.Tensor((1,), F32)):
        with T.Kernel(8, threads=64) as bx:
            parts = T.alloc_global((8,), F32)
            a = T.alloc_fragment((1, 64), F32)
            own = T.alloc_fragment((1,), F32)
            T.copy(A[bx, 0], a)
            T.reduce_sum(a, own, dim=1)
            T.copy(own, parts[bx])
            T.sync_grid()
            if bx == 0:
                p = T.alloc_fragment((1, 8), F32)
                total = T.alloc_fragment((1,), F32)
                for i in T.Parallel(8):
                    p[0, i] = parts[i]
                T.reduce_sum(p, total, dim=1)
                T.copy(total, B)

    return kernel


Q, K, V = normal(128, 32).half(), normal(128, 32).half(), normal(128, 32).half()
ATTENTION = torch.nn.functional.scaled_dot_product_attention(Q.float()[None], K.float()[None], V.float()[None])[0]


@shows("exp2", Q, K, V, equals=ATTENTION, tolerance=5e-3)
def flash_attention() -> Any:
    scale = 32**-0.5 * 1.44269504

    @T.prim_func
    def kernel(
        Q: T.Tensor((128, 32), F16),
        K: T.Tensor((128, 32), F16),
        V: T.Tensor((128, 32), F16),
        Out: T.Tensor((128, 32), F32),
    ):
        with T.Kernel(2, threads=128) as bx:
            q = T.alloc_shared((64, 32), F16)
            k = T.alloc_shared((32, 32), F16)
            v = T.alloc_shared((32, 32), F16)
            scores = T.alloc_fragment((64, 32), F32)
            weights = T.alloc_fragment((64, 32), F16)
            out = T.alloc_fragment((64, 32), F32)
            most = T.alloc_fragment((64,), F32)
            before = T.alloc_fragment((64,), F32)
            part = T.alloc_fragment((64,), F32)
            total = T.alloc_fragment((64,), F32)
            T.copy(Q[bx * 64, 0], q)
            T.clear(out)
            T.clear(total)
            T.fill(most, -T.infinity(F32))
            for step in T.Pipelined(4, num_stages=2):
                T.copy(K[step * 32, 0], k)
                T.copy(V[step * 32, 0], v)
                T.gemm(q, k, scores, transpose_B=True, clear_accum=True)
                T.copy(most, before)
                T.reduce_max(scores, most, dim=1, clear=False)
                for i, j in T.Parallel(64, 32):
                    scores[i, j] = T.exp2((scores[i, j] - most[i]) * scale)
                T.reduce_sum(scores, part, dim=1)
                for i in T.Parallel(64):
                    before[i] = T.exp2((before[i] - most[i]) * scale)
                    total[i] = total[i] * before[i] + part[i]
                for i, j in T.Parallel(64, 32):
                    out[i, j] *= before[i]
                T.copy(scores, weights)
                T.gemm(weights, v, out)
            for i, j in T.Parallel(64, 32):
                Out[bx * 64 + i, j] = out[i, j] / total[i]

    return kernel
