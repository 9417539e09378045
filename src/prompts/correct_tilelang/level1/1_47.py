"""Problem Name: 47_Sum_reduction_over_a_dimension
Evaluation Result: compiled=True correctness=True runtime_stats={'speedup_ratio': 1.0106, 'interval': [0.9978, 1.0173], 'candidate_ms': 0.01494, 'baseline_ms': 0.01507, 'baseline': 'PyTorch eager', 'precision': 'fp16', 'gpu': 'NVIDIA H200', 'pairs': 30, 'trust': 'B'}
Measured By: tilewright 0.1.0 on 2026-11-22 (cuda 13.0, driver 580.159.04, python 3.12.3, tilelang 0.1.15, torch 2.11.0+cu130); kernel 75c845069cbe8c68"""

import tilelang
import tilelang.language as T
import torch.nn as nn


@tilelang.jit(out_idx=[-1])
def sum_over_dim1(batch, length, inner, threads=128, dtype="float16", accum_dtype="float32"):
    @T.prim_func
    def column_sum(
        X: T.Tensor((batch, length, inner), dtype),
        Y: T.Tensor((batch, 1, inner), dtype),
    ):
        with T.Kernel(T.ceildiv(batch * inner, threads), threads=threads) as bx:
            tx = T.get_thread_binding(0)
            total = T.alloc_local((1,), accum_dtype)

            out = bx * threads + tx
            if out < batch * inner:
                b = out % batch
                col = out // batch
                total[0] = 0.0
                for j in T.serial(length):
                    total[0] += T.cast(X[b, j, col], accum_dtype)
                Y[b, 0, col] = T.cast(total[0], dtype)

    return column_sum


class ModelNew(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.dim = dim
        self.kernels = {}

    def forward(self, x):
        shape = tuple(x.shape)
        if shape not in self.kernels:
            self.kernels[shape] = sum_over_dim1(*shape)
        return self.kernels[shape](x)
