"""Problem Name: 42_Max_Pooling_2D
Evaluation Result: compiled=True correctness=True runtime_stats={'speedup_ratio': 2.5387, 'interval': [2.5167, 2.5654], 'candidate_ms': 0.01242, 'baseline_ms': 0.03158, 'baseline': 'PyTorch eager', 'precision': 'fp16', 'gpu': 'NVIDIA H200', 'pairs': 50, 'trust': 'B'}
Measured By: tilewright 0.1.0 on 2026-11-22 (cuda 13.0, driver 580.159.04, python 3.12.3, tilelang 0.1.15, torch 2.11.0+cu130); kernel bc5d564fdeb8cb7a"""

import tilelang
import tilelang.language as T
import torch
import torch.nn as nn


@tilelang.jit(out_idx=[-1])
def max_pool_2d_kernel(
    planes, height, width, kernel_size, stride, padding, dilation, block_M=16, block_N=64, threads=128
):
    window = dilation * (kernel_size - 1) + 1
    out_height = (height + 2 * padding - window) // stride + 1
    out_width = (width + 2 * padding - window) // stride + 1

    @T.prim_func
    def max_pool_2d(
        x: T.Tensor((planes, height, width), "float16"),
        y: T.Tensor((planes, out_height, out_width), "float16"),
    ):
        with T.Kernel(
            T.ceildiv(out_width, block_N), T.ceildiv(out_height, block_M), planes, threads=threads
        ) as (bx, by, plane):
            largest = T.alloc_fragment((block_M, block_N), "float16")

            T.fill(largest, -T.infinity("float16"))
            for kh, kw in T.grid(kernel_size, kernel_size):
                for i, j in T.Parallel(block_M, block_N):
                    row = (by * block_M + i) * stride - padding + kh * dilation
                    column = (bx * block_N + j) * stride - padding + kw * dilation
                    if row >= 0 and row < height and column >= 0 and column < width:
                        largest[i, j] = T.max(largest[i, j], x[plane, row, column])
            T.copy(largest, y[plane, by * block_M, bx * block_N])

    return max_pool_2d


class ModelNew(nn.Module):
    def __init__(self, kernel_size: int, stride: int, padding: int, dilation: int):
        super().__init__()
        self.window = (kernel_size, stride, padding, dilation)
        self.kernels = {}

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        batch, channels, height, width = x.shape
        if x.shape not in self.kernels:
            self.kernels[x.shape] = max_pool_2d_kernel(batch * channels, height, width, *self.window)
        y = self.kernels[x.shape](x.view(batch * channels, height, width))
        return y.view(batch, channels, *y.shape[1:])
