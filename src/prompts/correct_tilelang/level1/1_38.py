"""Problem Name: 38_L1Norm
Evaluation Result: compiled=True correctness=True runtime_stats={'speedup_ratio': 0.0858, 'interval': [0.0841, 0.0878], 'candidate_ms': 0.15694, 'baseline_ms': 0.01349, 'baseline': 'PyTorch eager', 'precision': 'fp16', 'gpu': 'NVIDIA H200', 'pairs': 100, 'trust': 'B'}
Measured By: tilewright 0.1.0 on 2026-11-22 (cuda 13.0, driver 580.159.04, python 3.12.3, tilelang 0.1.15, torch 2.11.0+cu130); kernel 632a839231807120"""

import tilelang
import tilelang.language as T
import torch.nn as nn


@tilelang.jit(out_idx=[-1])
def l1_norm(rows, dim, threads=256, dtype="float16", accum_dtype="float32"):
    @T.prim_func
    def l1_norm_kernel(
        X: T.Tensor((rows, dim), dtype),
        Y: T.Tensor((rows, dim), dtype),
    ):
        with T.Kernel(rows, threads=threads) as row:
            tx = T.get_thread_binding(0)
            norm = T.alloc_shared((1,), accum_dtype)
            acc = T.alloc_local((1,), accum_dtype)

            if tx == 0:
                acc[0] = 0.0
                for j in T.serial(dim):
                    acc[0] += T.abs(T.cast(X[row, j], accum_dtype))
                norm[0] = acc[0]
            T.sync_threads()

            for j in T.serial(T.ceildiv(dim, threads)):
                col = j * threads + tx
                if col < dim:
                    Y[row, col] = T.cast(T.cast(X[row, col], accum_dtype) / norm[0], dtype)

    return l1_norm_kernel


class ModelNew(nn.Module):
    def __init__(self):
        super().__init__()
        self.kernels = {}

    def forward(self, x):
        rows, dim = x.shape
        if (rows, dim) not in self.kernels:
            self.kernels[(rows, dim)] = l1_norm(rows, dim)
        return self.kernels[(rows, dim)](x)
