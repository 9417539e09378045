"""Problem Name: 82_conv_depthwise_2D_square_input_square_kernel
Evaluation Result: compiled=True correctness=True runtime_stats={'speedup_ratio': 2.0182, 'interval': [1.9946, 2.0294], 'candidate_ms': 0.0176, 'baseline_ms': 0.03546, 'baseline': 'PyTorch eager', 'precision': 'fp16', 'gpu': 'NVIDIA H200', 'pairs': 30, 'trust': 'B'}
Measured By: tilewright 0.1.0 on 2026-11-22 (cuda 13.0, driver 580.159.04, python 3.12.3, tilelang 0.1.15, torch 2.11.0+cu130); kernel 2aaedaef62e28e67"""

import tilelang
import tilelang.language as T
import torch
import torch.nn as nn


@tilelang.jit(out_idx=[-1])
def depthwise_conv_2d_kernel(
    batch, channels, height, width, kernel_size, stride, padding, block_M=8, block_N=128, threads=128
):
    out_height = (height + 2 * padding - kernel_size) // stride + 1
    out_width = (width + 2 * padding - kernel_size) // stride + 1

    @T.prim_func
    def depthwise_conv_2d(
        x: T.Tensor((batch, channels, height, width), "float16"),
        weight: T.Tensor((channels, kernel_size, kernel_size), "float16"),
        bias: T.Tensor((channels,), "float16"),
        y: T.Tensor((batch, channels, out_height, out_width), "float16"),
    ):
        with T.Kernel(
            T.ceildiv(out_width, block_N), T.ceildiv(out_height, block_M), batch * channels, threads=threads
        ) as (bx, by, plane):
            acc = T.alloc_fragment((block_M, block_N), "float32")
            b = plane // channels
            c = plane % channels

            T.fill(acc, bias[c])
            for kh, kw in T.grid(kernel_size, kernel_size):
                for i, j in T.Parallel(block_M, block_N):
                    row = (by * block_M + i) * stride - padding + kh
                    column = (bx * block_N + j) * stride - padding + kw
                    if row >= 0 and row < height and column >= 0 and column < width:
                        acc[i, j] += T.cast(x[b, c, row, column], "float32") * weight[c, kh, kw]
            T.copy(acc, y[b, c, by * block_M, bx * block_N])

    return depthwise_conv_2d


class ModelNew(nn.Module):
    def __init__(
        self, in_channels: int, kernel_size: int, stride: int = 1, padding: int = 0, bias: bool = False
    ):
        super().__init__()
        self.conv2d = nn.Conv2d(
            in_channels,
            in_channels,
            kernel_size,
            stride=stride,
            padding=padding,
            groups=in_channels,
            bias=bias,
        )
        self.window = (kernel_size, stride, padding)
        self.kernels = {}

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if x.shape not in self.kernels:
            zeros = torch.zeros(x.shape[1], dtype=x.dtype, device=x.device)
            self.kernels[x.shape] = depthwise_conv_2d_kernel(*x.shape, *self.window), zeros
        depthwise_conv_2d, zeros = self.kernels[x.shape]
        bias = zeros if self.conv2d.bias is None else self.conv2d.bias
        return depthwise_conv_2d(x, self.conv2d.weight.squeeze(1), bias)
