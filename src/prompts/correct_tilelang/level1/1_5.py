"""Problem Name: 5_Matrix_scalar_multiplication
Evaluation Result: compiled=True correctness=True runtime_stats={'speedup_ratio': 0.0551, 'interval': [0.0548, 0.0552], 'candidate_ms': 1.26496, 'baseline_ms': 0.06965, 'baseline': 'PyTorch eager', 'precision': 'fp16', 'gpu': 'NVIDIA H200', 'pairs': 30, 'trust': 'B'}
Measured By: tilewright 0.1.0 on 2026-11-22 (cuda 13.0, driver 580.159.04, python 3.12.3, tilelang 0.1.15, torch 2.11.0+cu130); kernel 8998656320573365"""

import tilelang
import tilelang.language as T
import torch.nn as nn


@tilelang.jit(out_idx=[-1])
def scale_matrix(M, N, s, threads=32, dtype="float16"):
    @T.prim_func
    def scale_kernel(
        A: T.Tensor((M, N), dtype),
        C: T.Tensor((M, N), dtype),
    ):
        with T.Kernel(T.ceildiv(N, threads), M, threads=threads) as (bx, by):
            tx = T.get_thread_binding(0)
            col = bx * threads + tx
            if col < N:
                C[by, col] = T.cast(T.cast(A[by, col], "float32") * T.float32(s), dtype)

    return scale_kernel


class ModelNew(nn.Module):
    def __init__(self):
        super().__init__()
        self.kernels = {}

    def forward(self, A, s):
        M, N = A.shape
        key = (M, N, float(s))
        if key not in self.kernels:
            self.kernels[key] = scale_matrix(M, N, float(s))
        return self.kernels[key](A)
