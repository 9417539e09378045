"""Problem Name: 4_Matrix_vector_multiplication
Evaluation Result: compiled=True correctness=True runtime_stats={'speedup_ratio': 0.037, 'interval': [0.0368, 0.0372], 'candidate_ms': 0.81486, 'baseline_ms': 0.03019, 'baseline': 'PyTorch eager', 'precision': 'fp16', 'gpu': 'NVIDIA H200', 'pairs': 30, 'trust': 'B'}
Measured By: tilewright 0.1.0 on 2026-11-22 (cuda 13.0, driver 580.159.04, python 3.12.3, tilelang 0.1.15, torch 2.11.0+cu130); kernel 959499bfb8983951"""

import tilelang
import tilelang.language as T
import torch.nn as nn


@tilelang.jit(out_idx=[-1])
def matvec(M, K, block_M=32, block_K=128, threads=128, dtype="float16", accum_dtype="float32"):
    @T.prim_func
    def matvec_kernel(
        A: T.Tensor((M, K), dtype),
        B: T.Tensor((K, 1), dtype),
        C: T.Tensor((M, 1), dtype),
    ):
        with T.Kernel(T.ceildiv(M, block_M), threads=threads) as bx:
            A_shared = T.alloc_shared((block_M, block_K), dtype)
            B_shared = T.alloc_shared((block_K, 1), dtype)
            prod = T.alloc_fragment((block_M, block_K), accum_dtype)
            part = T.alloc_fragment((block_M,), accum_dtype)
            acc = T.alloc_fragment((block_M,), accum_dtype)

            T.clear(acc)
            for k in T.serial(T.ceildiv(K, block_K)):
                T.copy(A[bx * block_M, k * block_K], A_shared)
                T.copy(B[k * block_K, 0], B_shared)
                for i, j in T.Parallel(block_M, block_K):
                    prod[i, j] = T.cast(A_shared[i, j], accum_dtype) * T.cast(B_shared[j, 0], accum_dtype)
                T.reduce_sum(prod, part, dim=1)
                for i in T.Parallel(block_M):
                    acc[i] = acc[i] + part[i]
            for i in T.Parallel(block_M):
                if bx * block_M + i < M:
                    C[bx * block_M + i, 0] = T.cast(acc[i], dtype)

    return matvec_kernel


class ModelNew(nn.Module):
    def __init__(self):
        super().__init__()
        self.kernels = {}

    def forward(self, A, B):
        M, K = A.shape
        if (M, K) not in self.kernels:
            self.kernels[(M, K)] = matvec(M, K)
        return self.kernels[(M, K)](A, B)
