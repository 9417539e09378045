"""Problem Name: 87_conv_pointwise_2D"""

import tilelang
import tilelang.language as T
import torch
import torch.nn as nn

TUNABLES = {"block_N": (512, 1024, 2048, 4096), "threads": (128, 256, 512)}


@tilelang.jit(out_idx=[-1])
def pointwise_conv_kernel(batch, in_channels, pixels, out_channels, block_N=2048, threads=256):
    @T.prim_func
    def pointwise_conv(
        x: T.Tensor((batch, in_channels, pixels), "float16"),
        weight: T.Tensor((out_channels, in_channels), "float16"),
        bias: T.Tensor((out_channels,), "float16"),
        y: T.Tensor((batch, out_channels, pixels), "float16"),
    ):
        # With few input channels the tensor cores have nothing to gain: writing y is all the work. A thread keeps
        # its pixels of all input channels in registers and writes one output channel after the other.
        with T.Kernel(T.ceildiv(pixels, block_N), batch, threads=threads) as (bx, by):
            value = T.alloc_fragment((in_channels, block_N), "float32")
            total = T.alloc_fragment((block_N,), "float32")

            T.copy(x[by, 0, bx * block_N], value)
            for o in T.serial(out_channels):
                for j in T.Parallel(block_N):
                    total[j] = bias[o]
                for c in T.unroll(in_channels):
                    for j in T.Parallel(block_N):
                        total[j] += T.cast(weight[o, c], "float32") * value[c, j]
                T.copy(total, y[by, o, bx * block_N])

    return pointwise_conv


class ModelNew(nn.Module):
    def __init__(self, in_channels: int, out_channels: int, bias: bool = False):
        super().__init__()
        self.conv1d = nn.Conv2d(in_channels, out_channels, kernel_size=1, stride=1, padding=0, bias=bias)
        self.kernels = {}

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        weight = self.conv1d.weight
        batch, in_channels, height, width = x.shape
        if x.shape not in self.kernels:
            zeros = torch.zeros(weight.shape[0], dtype=x.dtype, device=x.device)
            kernel = pointwise_conv_kernel(batch, in_channels, height * width, weight.shape[0])
            self.kernels[x.shape] = kernel, zeros
        pointwise_conv, zeros = self.kernels[x.shape]
        bias = zeros if self.conv1d.bias is None else self.conv1d.bias
        y = pointwise_conv(x.view(batch, in_channels, -1), weight.view(-1, in_channels), bias)
        return y.view(batch, -1, height, width)
