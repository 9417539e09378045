"""Problem Name: 26_GELU
Evaluation Result: compiled=True correctness=True runtime_stats={'speedup_ratio': 0.9918, 'interval': [0.9892, 1.0052], 'candidate_ms': 0.00592, 'baseline_ms': 0.00586, 'baseline': 'PyTorch eager', 'precision': 'fp16', 'gpu': 'NVIDIA H200', 'pairs': 90, 'trust': 'B'}
Measured By: tilewright 0.1.0 on 2026-11-22 (cuda 13.0, driver 580.159.04, python 3.12.3, tilelang 0.1.15, torch 2.11.0+cu130); kernel 48c7a28a96e7873d"""

import tilelang
import tilelang.language as T
import torch
import torch.nn as nn

SQRT_HALF = 0.5**0.5


@tilelang.jit(out_idx=[-1])
def gelu_kernel(numel, block_N=2048, threads=256):
    @T.prim_func
    def gelu(x: T.Tensor((numel,), "float16"), y: T.Tensor((numel,), "float16")):
        with T.Kernel(T.ceildiv(numel, block_N), threads=threads) as bx:
            value = T.alloc_fragment((block_N,), "float32")

            T.copy(x[bx * block_N], value)
            for i in T.Parallel(block_N):
                value[i] = 0.5 * value[i] * (1.0 + T.erf(value[i] * SQRT_HALF))
            T.copy(value, y[bx * block_N])

    return gelu


class ModelNew(nn.Module):
    def __init__(self):
        super().__init__()
        self.kernels = {}

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        numel = x.numel()
        if numel not in self.kernels:
            self.kernels[numel] = gelu_kernel(numel)
        return self.kernels[numel](x.view(-1)).view(x.shape)
