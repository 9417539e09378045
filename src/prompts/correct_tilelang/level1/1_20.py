"""Problem Name: 20_LeakyReLU
Evaluation Result: compiled=True correctness=True runtime_stats={'speedup_ratio': 0.9889, 'interval': [0.9779, 1.0055], 'candidate_ms': 0.00579, 'baseline_ms': 0.00566, 'baseline': 'PyTorch eager', 'precision': 'fp16', 'gpu': 'NVIDIA H200', 'pairs': 100, 'trust': 'B'}
Measured By: tilewright 0.1.0 on 2026-11-22 (cuda 13.0, driver 580.159.04, python 3.12.3, tilelang 0.1.15, torch 2.11.0+cu130); kernel 6f95106be9cd41bc"""

import tilelang
import tilelang.language as T
import torch
import torch.nn as nn


@tilelang.jit(out_idx=[-1])
def leaky_relu_kernel(numel, negative_slope, block_N=2048, threads=256):
    @T.prim_func
    def leaky_relu(x: T.Tensor((numel,), "float16"), y: T.Tensor((numel,), "float16")):
        with T.Kernel(T.ceildiv(numel, block_N), threads=threads) as bx:
            value = T.alloc_fragment((block_N,), "float32")

            T.copy(x[bx * block_N], value)
            for i in T.Parallel(block_N):
                value[i] = T.if_then_else(value[i] > 0, value[i], value[i] * negative_slope)
            T.copy(value, y[bx * block_N])

    return leaky_relu


class ModelNew(nn.Module):
    def __init__(self, negative_slope: float = 0.01):
        super().__init__()
        self.negative_slope = negative_slope
        self.kernels = {}

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        numel = x.numel()
        if numel not in self.kernels:
            self.kernels[numel] = leaky_relu_kernel(numel, self.negative_slope)
        return self.kernels[numel](x.view(-1)).view(x.shape)
