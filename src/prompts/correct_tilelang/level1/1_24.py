"""Problem Name: 24_LogSoftmax
Evaluation Result: compiled=True correctness=True runtime_stats={'speedup_ratio': 1.0235, 'interval': [1.0117, 1.0315], 'candidate_ms': 0.00818, 'baseline_ms': 0.00838, 'baseline': 'PyTorch eager', 'precision': 'fp16', 'gpu': 'NVIDIA H200', 'pairs': 30, 'trust': 'B'}
Measured By: tilewright 0.1.0 on 2026-11-22 (cuda 13.0, driver 580.159.04, python 3.12.3, tilelang 0.1.15, torch 2.11.0+cu130); kernel fc1b4e333b4a19e8"""

import tilelang
import tilelang.language as T
import torch
import torch.nn as nn


@tilelang.jit(out_idx=[-1])
def log_softmax_kernel(M, N, block_M=1, threads=1024):
    @T.prim_func
    def log_softmax(x: T.Tensor((M, N), "float16"), y: T.Tensor((M, N), "float16")):
        with T.Kernel(T.ceildiv(M, block_M), threads=threads) as bx:
            # The whole row stays in registers: memory is read once and written once.
            row = T.alloc_fragment((block_M, N), "float32")
            exponential = T.alloc_fragment((block_M, N), "float32")
            row_max = T.alloc_fragment((block_M,), "float32")
            row_sum = T.alloc_fragment((block_M,), "float32")

            T.copy(x[bx * block_M, 0], row)
            T.reduce_max(row, row_max, dim=1)
            for i, j in T.Parallel(block_M, N):
                exponential[i, j] = T.exp(row[i, j] - row_max[i])
            T.reduce_sum(exponential, row_sum, dim=1)
            for i, j in T.Parallel(block_M, N):
                row[i, j] = row[i, j] - row_max[i] - T.log(row_sum[i])
            T.copy(row, y[bx * block_M, 0])

    return log_softmax


class ModelNew(nn.Module):
    def __init__(self, dim: int = 1):
        super().__init__()
        self.dim = dim
        self.kernels = {}

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        rows = x.movedim(self.dim, -1).contiguous()
        M, N = rows.numel() // rows.shape[-1], rows.shape[-1]
        if (M, N) not in self.kernels:
            self.kernels[M, N] = log_softmax_kernel(M, N)
        return self.kernels[M, N](rows.view(M, N)).view(rows.shape).movedim(-1, self.dim)
