"""Problem Name: 27_SELU_"""

import tilelang
import tilelang.language as T
import torch
import torch.nn as nn


def selu_kernel(M, N, BLOCK_M=1, BLOCK_N=128, dtype="float32"):
    @T.prim_func
    def main(
        A: T.Tensor((M, N), dtype),
        B: T.Tensor((M, N), dtype),
    ):
        with T.Kernel(T.ceildiv(N, BLOCK_N), T.ceildiv(M, BLOCK_M), threads=128) as (bx, by):
            A_shared = T.alloc_shared((BLOCK_M, BLOCK_N), dtype)
            B_local = T.alloc_fragment((BLOCK_M, BLOCK_N), dtype)

            T.copy(A[by * BLOCK_M, bx * BLOCK_N], A_shared)
            for i, j in T.Parallel(BLOCK_M, BLOCK_N):
                B_local[i, j] = T.if_then_else(
                    A_shared[i, j] > 0.0,
                    1.0507009873554805 * A_shared[i, j],
                    1.0507009873554805 * 1.6732632423543772 * (T.exp(A_shared[i, j]) - 1.0),
                )
            T.copy(B_local, B[by * BLOCK_M, bx * BLOCK_N])

    return main


class ModelNew(nn.Module):
    def __init__(self):
        super().__init__()
        self._cache = {}

    def forward(self, x):
        # compute in float32 for accuracy
        x32 = x.to(torch.float32)
        M, N = x32.shape
        if (M, N) not in self._cache:
            self._cache[(M, N)] = tilelang.compile(selu_kernel(M, N), out_idx=[1])
        y32 = self._cache[(M, N)](x32)
        return y32.to(x.dtype)
