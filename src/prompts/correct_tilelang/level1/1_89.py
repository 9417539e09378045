"""Problem Name: 89_cumsum
Evaluation Result: compiled=True correctness=True runtime_stats={'speedup_ratio': 0.0969, 'interval': [0.096, 0.0978], 'candidate_ms': 0.29509, 'baseline_ms': 0.02861, 'baseline': 'PyTorch eager', 'precision': 'fp16', 'gpu': 'NVIDIA H200', 'pairs': 30, 'trust': 'B'}
Measured By: tilewright 0.1.0 on 2026-11-22 (cuda 13.0, driver 580.159.04, python 3.12.3, tilelang 0.1.15, torch 2.11.0+cu130); kernel 889dbdb74ec14f0a"""

import tilelang
import tilelang.language as T
import torch.nn as nn


@tilelang.jit(out_idx=[-1])
def row_cumsum(rows, length, threads=32, dtype="float16", accum_dtype="float32"):
    @T.prim_func
    def cumsum_kernel(
        X: T.Tensor((rows, length), dtype),
        Y: T.Tensor((rows, length), dtype),
    ):
        with T.Kernel(T.ceildiv(rows, threads), threads=threads) as bx:
            tx = T.get_thread_binding(0)
            running = T.alloc_local((1,), accum_dtype)

            row = bx * threads + tx
            if row < rows:
                running[0] = 0.0
                for j in T.serial(length):
                    running[0] += T.cast(X[row, j], accum_dtype)
                    Y[row, j] = T.cast(running[0], dtype)

    return cumsum_kernel


class ModelNew(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.dim = dim
        self.kernels = {}

    def forward(self, x):
        rows, length = x.shape
        if (rows, length) not in self.kernels:
            self.kernels[(rows, length)] = row_cumsum(rows, length)
        return self.kernels[(rows, length)](x)
