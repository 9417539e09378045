"""Problem Name: 48_Mean_reduction_over_a_dimension
Evaluation Result: compiled=True correctness=True runtime_stats={'speedup_ratio': 1.9624, 'interval': [1.9502, 1.9791], 'candidate_ms': 0.0077, 'baseline_ms': 0.01514, 'baseline': 'PyTorch eager', 'precision': 'fp16', 'gpu': 'NVIDIA H200', 'pairs': 60, 'trust': 'B'}
Measured By: tilewright 0.1.0 on 2026-11-22 (cuda 13.0, driver 580.159.04, python 3.12.3, tilelang 0.1.15, torch 2.11.0+cu130); kernel ef7972749a2a0f04"""

import math

import tilelang
import tilelang.language as T
import torch
import torch.nn as nn


@tilelang.jit(out_idx=[-1])
def mean_kernel(outer, reduced, inner, block_M=256, block_N=32, threads=256):
    @T.prim_func
    def mean(x: T.Tensor((outer, reduced, inner), "float16"), y: T.Tensor((outer, inner), "float16")):
        with T.Kernel(T.ceildiv(inner, block_N), outer, threads=threads) as (bx, by):
            partial = T.alloc_fragment((block_M, block_N), "float32")
            total = T.alloc_fragment((block_N,), "float32")

            # Threads gather their own rows first; only the last step talks across threads.
            T.clear(partial)
            for r in T.serial(T.ceildiv(reduced, block_M)):
                for i, j in T.Parallel(block_M, block_N):
                    if r * block_M + i < reduced and bx * block_N + j < inner:
                        partial[i, j] += x[by, r * block_M + i, bx * block_N + j]
            T.reduce_sum(partial, total, dim=0)
            for j in T.Parallel(block_N):
                total[j] /= reduced
            T.copy(total, y[by, bx * block_N])

    return mean


class ModelNew(nn.Module):
    def __init__(self, dim: int):
        super().__init__()
        self.dim = dim
        self.kernels = {}

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        dim = self.dim % x.dim()
        kept = x.shape[:dim] + x.shape[dim + 1 :]
        shape = (math.prod(x.shape[:dim]), x.shape[dim], math.prod(x.shape[dim + 1 :]))
        if shape not in self.kernels:
            self.kernels[shape] = mean_kernel(*shape)
        return self.kernels[shape](x.view(shape)).view(kept)
