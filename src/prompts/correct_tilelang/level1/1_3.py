"""Problem Name: 3_Batched_matrix_multiplication
Evaluation Result: compiled=True correctness=True runtime_stats={'speedup_ratio': 0.0245, 'interval': [0.0244, 0.0247], 'candidate_ms': 0.95754, 'baseline_ms': 0.02344, 'baseline': 'PyTorch eager', 'precision': 'fp16', 'gpu': 'NVIDIA H200', 'pairs': 30, 'trust': 'B'}
Measured By: tilewright 0.1.0 on 2026-11-22 (cuda 13.0, driver 580.159.04, python 3.12.3, tilelang 0.1.15, torch 2.11.0+cu130); kernel 2b197ee08ccf61a9"""

import tilelang
import tilelang.language as T
import torch.nn as nn


@tilelang.jit(out_idx=[-1])
def batched_matmul(batch, M, N, K, threads_x=16, threads_y=16, dtype="float16", accum_dtype="float32"):
    @T.prim_func
    def batched_matmul_kernel(
        A: T.Tensor((batch, M, K), dtype),
        B: T.Tensor((batch, K, N), dtype),
        C: T.Tensor((batch, M, N), dtype),
    ):
        with T.Kernel(
            T.ceildiv(N, threads_x), T.ceildiv(M, threads_y), batch, threads=(threads_x, threads_y)
        ) as (bx, by, bz):
            tx = T.get_thread_binding(0)
            ty = T.get_thread_binding(1)
            acc = T.alloc_local((1,), accum_dtype)

            row = by * threads_y + ty
            col = bx * threads_x + tx
            if row < M and col < N:
                acc[0] = 0.0
                for k in T.serial(K):
                    acc[0] += T.cast(A[bz, row, k], accum_dtype) * T.cast(B[bz, k, col], accum_dtype)
                C[bz, row, col] = T.cast(acc[0], dtype)

    return batched_matmul_kernel


class ModelNew(nn.Module):
    def __init__(self):
        super().__init__()
        self.kernels = {}

    def forward(self, A, B):
        batch, M, K = A.shape
        N = B.shape[2]
        key = (batch, M, N, K)
        if key not in self.kernels:
            self.kernels[key] = batched_matmul(batch, M, N, K)
        return self.kernels[key](A, B)
