"""Problem Name: 90_cumprod"""

import tilelang
import tilelang.language as T
import torch.nn as nn


@tilelang.jit(out_idx=[1])
def cumprod_rowwise(rows, cols):
    threads = 64

    @T.prim_func
    def cumprod(a: T.Tensor((rows, cols), "float16"), o: T.Tensor((rows, cols), "float16")):
        with T.Kernel(T.ceildiv(rows, threads), threads=threads) as bid:
            row = bid * threads + T.get_thread_binding(0)
            running = T.alloc_local((1,), "float32")
            running[0] = 1.0
            if row < rows:
                for j in T.serial(cols):
                    running[0] *= T.cast(a[row, j], "float32")
                    o[row, j] = T.cast(running[0], "float16")

    return cumprod


class ModelNew(nn.Module):
    """Each thread scans a complete row sequentially."""

    def __init__(self, dim: int):
        super().__init__()
        assert dim == 1
        self.dim = dim

    def forward(self, x):
        return cumprod_rowwise(*x.shape)(x)
