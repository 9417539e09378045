"""Problem Name: 87_conv_pointwise_2D"""

import tilelang
import tilelang.language as T
import torch
import torch.nn as nn


@tilelang.jit(out_idx=[-1])
def pointwise_kernel(pixels, C_in, C_out, block_M=128, block_N=128, block_K=16, threads=256):
    @T.prim_func
    def pointwise(
        x: T.Tensor((pixels, C_in), "float16"),
        weight: T.Tensor((C_in, C_out), "float16"),
        y: T.Tensor((pixels, C_out), "float16"),
    ):
        with T.Kernel(T.ceildiv(C_out, block_N), T.ceildiv(pixels, block_M), threads=threads) as (bx, by):
            x_shared = T.alloc_shared((block_M, block_K), "float16")
            w_shared = T.alloc_shared((block_K, block_N), "float16")
            y_local = T.alloc_fragment((block_M, block_N), "float32")

            T.clear(y_local)
            for k in T.Pipelined(T.ceildiv(C_in, block_K), num_stages=1):
                T.copy(x[by * block_M, k * block_K], x_shared)
                T.copy(weight[k * block_K, bx * block_N], w_shared)
                T.gemm(x_shared, w_shared, y_local)
            T.copy(y_local, y[by * block_M, bx * block_N])

    return pointwise


class ModelNew(nn.Module):
    def __init__(self, in_channels: int, out_channels: int):
        super().__init__()
        self.conv1x1 = nn.Conv2d(in_channels, out_channels, kernel_size=1, bias=False)
        self.kernels = {}

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        N, C_in, H, W = x.shape
        weight = self.conv1x1.weight.to(x.dtype)
        C_out = weight.shape[0]
        # Channels last turns the convolution into one matrix product.
        x_rows = x.permute(0, 2, 3, 1).contiguous().view(N * H * W, C_in)
        w_columns = weight.view(C_out, C_in).t().contiguous()
        pixels = N * H * W
        if pixels not in self.kernels:
            self.kernels[pixels] = pointwise_kernel(pixels, C_in, C_out)
        y = self.kernels[pixels](x_rows, w_columns)
        return y.view(N, H, W, C_out).permute(0, 3, 1, 2).contiguous()
