"""Problem Name: 45_Average_Pooling_2D"""

import tilelang
import tilelang.language as T
import torch
import torch.nn as nn


@tilelang.jit(out_idx=[-1])
def avg_pool_kernel(batch, channels, H, W, size, threads=256):
    H_out = H // size
    W_out = W // size

    @T.prim_func
    def avg_pool(
        x: T.Tensor((batch, channels, H, W), "float16"),
        y: T.Tensor((batch, channels, H_out, W_out), "float16"),
    ):
        # One thread per output, counted along the rows of an image.
        with T.Kernel(T.ceildiv(H_out * W_out, threads), channels, batch, threads=threads) as (bx, c, n):
            pixel = bx * threads + T.get_thread_binding()
            oh = pixel // W_out
            ow = pixel % W_out
            acc = T.alloc_local((1,), "float32")
            acc[0] = 0.0
            if pixel < H_out * W_out:
                for i in T.serial(size):
                    for j in T.serial(size):
                        acc[0] += T.cast(x[n, c, oh * size + i, ow * size + j], "float32")
                y[n, c, oh, ow] = T.cast(acc[0] / (size * size), "float16")

    return avg_pool


class ModelNew(nn.Module):
    def __init__(self, kernel_size: int):
        super().__init__()
        self.kernel_size = kernel_size
        self.kernels = {}

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        key = tuple(x.shape)
        if key not in self.kernels:
            self.kernels[key] = avg_pool_kernel(*key, self.kernel_size)
        return self.kernels[key](x)
