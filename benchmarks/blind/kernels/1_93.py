"""Problem Name: 93_masked_cumsum"""

import tilelang
import tilelang.language as T
import torch
import torch.nn as nn


@tilelang.jit(out_idx=[-1])
def masked_cumsum_kernel(rows, cols, threads=32):
    @T.prim_func
    def masked_cumsum(
        x: T.Tensor((rows, cols), "float16"),
        mask: T.Tensor((rows, cols), "float16"),
        y: T.Tensor((rows, cols), "float16"),
    ):
        with T.Kernel(T.ceildiv(rows, threads), threads=threads) as bx:
            tx = T.get_thread_binding()
            row = bx * threads + tx
            running = T.alloc_local((1,), "float32")
            running[0] = 0.0
            if row < rows:
                for j in T.serial(cols):
                    running[0] += T.cast(x[row, j] * mask[row, j], "float32")
                    y[row, j] = T.cast(running[0], "float16")

    return masked_cumsum


class ModelNew(nn.Module):
    def __init__(self, dim: int):
        super().__init__()
        self.dim = dim
        self.kernels = {}

    def forward(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        rows, cols = x.shape
        if (rows, cols) not in self.kernels:
            self.kernels[rows, cols] = masked_cumsum_kernel(rows, cols)
        return self.kernels[rows, cols](x, mask.to(x.dtype))
