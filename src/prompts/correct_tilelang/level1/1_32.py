"""Problem Name: 32_HardTanh
Evaluation Result: compiled=True correctness=True runtime_stats={'speedup_ratio': 0.9946, 'interval': [0.989, 1.0056], 'candidate_ms': 0.00582, 'baseline_ms': 0.00576, 'baseline': 'PyTorch eager', 'precision': 'fp16', 'gpu': 'NVIDIA H200', 'pairs': 100, 'trust': 'B'}
Measured By: tilewright 0.1.0 on 2026-11-22 (cuda 13.0, driver 580.159.04, python 3.12.3, tilelang 0.1.15, torch 2.11.0+cu130); kernel c40e844d4e1f7ed2"""

import tilelang
import tilelang.language as T
import torch
import torch.nn as nn


@tilelang.jit(out_idx=[-1])
def hard_tanh_kernel(numel, block_N=2048, threads=256):
    @T.prim_func
    def hard_tanh(x: T.Tensor((numel,), "float16"), y: T.Tensor((numel,), "float16")):
        with T.Kernel(T.ceildiv(numel, block_N), threads=threads) as bx:
            value = T.alloc_fragment((block_N,), "float32")

            T.copy(x[bx * block_N], value)
            for i in T.Parallel(block_N):
                value[i] = T.min(T.max(value[i], -1.0), 1.0)
            T.copy(value, y[bx * block_N])

    return hard_tanh


class ModelNew(nn.Module):
    def __init__(self):
        super().__init__()
        self.kernels = {}

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        numel = x.numel()
        if numel not in self.kernels:
            self.kernels[numel] = hard_tanh_kernel(numel)
        return self.kernels[numel](x.view(-1)).view(x.shape)
