"""Problem Name: 89_cumsum"""

import tilelang
import tilelang.language as T
import torch.nn as nn


@tilelang.jit(out_idx=[-1])
def row_cumsum(rows, length, threads=32, dtype="float16", accum_dtype="float32"):
    @T.prim_func
    def cumsum_kernel(
        X: T.Tensor((rows, length), dtype),
        Y: T.Tensor((rows, length), dtype),
    ):
        with T.Kernel(T.ceildiv(rows, threads), threads=threads) as bx:
            tx = T.get_thread_binding(0)
            running = T.alloc_local((1,), accum_dtype)

            row = bx * threads + tx
            if row < rows:
                running[0] = 0.0
                for j in T.serial(length):
                    running[0] += T.cast(X[row, j], accum_dtype)
                    Y[row, j] = T.cast(running[0], dtype)

    return cumsum_kernel


class ModelNew(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.dim = dim
        self.kernels = {}

    def forward(self, x):
        rows, length = x.shape
        if (rows, length) not in self.kernels:
            self.kernels[(rows, length)] = row_cumsum(rows, length)
        return self.kernels[(rows, length)](x)
