"""Problem Name: 16_Matmul_with_transposed_A
Evaluation Result: compiled=True correctness=True runtime_stats={'speedup_ratio': 0.748, 'interval': [0.7405, 0.7521], 'candidate_ms': 0.03781, 'baseline_ms': 0.02824, 'baseline': 'PyTorch eager', 'precision': 'fp16', 'gpu': 'NVIDIA H200', 'pairs': 30, 'trust': 'B'}
Measured By: tilewright 0.1.0 on 2026-11-22 (cuda 13.0, driver 580.159.04, python 3.12.3, tilelang 0.1.15, torch 2.11.0+cu130); kernel b96cc592a2789910"""

import tilelang
import tilelang.language as T
import torch
import torch.nn as nn


@tilelang.jit(out_idx=[-1])
def matmul_transposed_a_kernel(M, N, K, block_M=128, block_N=128, block_K=64, threads=256, num_stages=3):
    @T.prim_func
    def matmul_transposed_a(
        A: T.Tensor((K, M), "float16"),
        B: T.Tensor((K, N), "float16"),
        C: T.Tensor((M, N), "float16"),
    ):
        with T.Kernel(T.ceildiv(N, block_N), T.ceildiv(M, block_M), threads=threads) as (bx, by):
            # The tile keeps the layout of A in memory; the matrix unit reads it transposed.
            A_shared = T.alloc_shared((block_K, block_M), "float16")
            B_shared = T.alloc_shared((block_K, block_N), "float16")
            C_local = T.alloc_fragment((block_M, block_N), "float32")
            C_shared = T.alloc_shared((block_M, block_N), "float16")

            T.use_swizzle(8)
            T.clear(C_local)
            for k in T.Pipelined(T.ceildiv(K, block_K), num_stages=num_stages):
                T.copy(A[k * block_K, by * block_M], A_shared)
                T.copy(B[k * block_K, bx * block_N], B_shared)
                T.gemm(A_shared, B_shared, C_local, transpose_A=True)
            T.copy(C_local, C_shared)
            T.copy(C_shared, C[by * block_M, bx * block_N])

    return matmul_transposed_a


class ModelNew(nn.Module):
    def __init__(self):
        super().__init__()
        self.kernels = {}

    def forward(self, A: torch.Tensor, B: torch.Tensor) -> torch.Tensor:
        K, M = A.shape
        N = B.shape[1]
        if (M, N, K) not in self.kernels:
            self.kernels[M, N, K] = matmul_transposed_a_kernel(M, N, K)
        return self.kernels[M, N, K](A, B)
