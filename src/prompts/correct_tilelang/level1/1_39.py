"""Problem Name: 39_L2Norm
Evaluation Result: compiled=True correctness=True runtime_stats={'speedup_ratio': 1.7299, 'interval': [1.7231, 1.7521], 'candidate_ms': 0.00778, 'baseline_ms': 0.01336, 'baseline': 'PyTorch eager', 'precision': 'fp16', 'gpu': 'NVIDIA H200', 'pairs': 50, 'trust': 'B'}
Measured By: tilewright 0.1.0 on 2026-11-22 (cuda 13.0, driver 580.159.04, python 3.12.3, tilelang 0.1.15, torch 2.11.0+cu130); kernel ab3b3932e9bd4cd7"""

import tilelang
import tilelang.language as T
import torch
import torch.nn as nn


@tilelang.jit(out_idx=[-1])
def l2_norm_kernel(M, N, block_M=1, threads=1024):
    @T.prim_func
    def l2_norm(x: T.Tensor((M, N), "float16"), y: T.Tensor((M, N), "float16")):
        with T.Kernel(T.ceildiv(M, block_M), threads=threads) as bx:
            # The whole row stays in registers: memory is read once and written once.
            row = T.alloc_fragment((block_M, N), "float32")
            square = T.alloc_fragment((block_M, N), "float32")
            square_sum = T.alloc_fragment((block_M,), "float32")

            T.copy(x[bx * block_M, 0], row)
            for i, j in T.Parallel(block_M, N):
                square[i, j] = row[i, j] * row[i, j]
            T.reduce_sum(square, square_sum, dim=1)
            for i, j in T.Parallel(block_M, N):
                row[i, j] /= T.sqrt(square_sum[i])
            T.copy(row, y[bx * block_M, 0])

    return l2_norm


class ModelNew(nn.Module):
    def __init__(self):
        super().__init__()
        self.kernels = {}

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        M, N = x.shape
        if (M, N) not in self.kernels:
            self.kernels[M, N] = l2_norm_kernel(M, N)
        return self.kernels[M, N](x)
