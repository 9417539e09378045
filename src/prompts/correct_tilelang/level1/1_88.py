"""Problem Name: 88_MinGPTNewGelu
Evaluation Result: compiled=True correctness=True runtime_stats={'speedup_ratio': 4.4717, 'interval': [4.4311, 4.5194], 'candidate_ms': 0.01074, 'baseline_ms': 0.04806, 'baseline': 'PyTorch eager', 'precision': 'fp16', 'gpu': 'NVIDIA H200', 'pairs': 50, 'trust': 'B'}
Measured By: tilewright 0.1.0 on 2026-11-22 (cuda 13.0, driver 580.159.04, python 3.12.3, tilelang 0.1.15, torch 2.11.0+cu130); kernel 0ed8c6056ba9b9ee"""

import math

import tilelang
import tilelang.language as T
import torch
import torch.nn as nn

SQRT_2_OVER_PI = math.sqrt(2.0 / math.pi)


@tilelang.jit(out_idx=[-1])
def new_gelu_kernel(numel, block_N=2048, threads=256):
    @T.prim_func
    def new_gelu(x: T.Tensor((numel,), "float16"), y: T.Tensor((numel,), "float16")):
        with T.Kernel(T.ceildiv(numel, block_N), threads=threads) as bx:
            value = T.alloc_fragment((block_N,), "float32")

            T.copy(x[bx * block_N], value)
            for i in T.Parallel(block_N):
                inner = SQRT_2_OVER_PI * (value[i] + 0.044715 * value[i] * value[i] * value[i])
                value[i] = 0.5 * value[i] * (1.0 + T.tanh(inner))
            T.copy(value, y[bx * block_N])

    return new_gelu


class ModelNew(nn.Module):
    def __init__(self):
        super().__init__()
        self.kernels = {}

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        numel = x.numel()
        if numel not in self.kernels:
            self.kernels[numel] = new_gelu_kernel(numel)
        return self.kernels[numel](x.view(-1)).view(x.shape)
