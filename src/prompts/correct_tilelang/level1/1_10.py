"""Problem Name: 10_3D_tensor_matrix_multiplication
Evaluation Result: compiled=True correctness=True runtime_stats={'speedup_ratio': 0.7013, 'interval': [0.6998, 0.7029], 'candidate_ms': 0.10989, 'baseline_ms': 0.07715, 'baseline': 'PyTorch eager', 'precision': 'fp16', 'gpu': 'NVIDIA H200', 'pairs': 30, 'trust': 'B'}
Measured By: tilewright 0.1.0 on 2026-11-22 (cuda 13.0, driver 580.159.04, python 3.12.3, tilelang 0.1.15, torch 2.11.0+cu130); kernel f785e1f82b526c38"""

import tilelang
import tilelang.language as T
import torch
import torch.nn as nn


@tilelang.jit(out_idx=[-1])
def matmul_3d_kernel(batch, M, N, K, block_M=128, block_N=128, block_K=64, threads=256, num_stages=3):
    # B is shared by the whole batch, so the batch and the rows are one dimension.
    rows = batch * M

    @T.prim_func
    def matmul_3d(
        A: T.Tensor((rows, K), "float16"),
        B: T.Tensor((K, N), "float16"),
        C: T.Tensor((rows, N), "float16"),
    ):
        with T.Kernel(T.ceildiv(N, block_N), T.ceildiv(rows, block_M), threads=threads) as (bx, by):
            A_shared = T.alloc_shared((block_M, block_K), "float16")
            B_shared = T.alloc_shared((block_K, block_N), "float16")
            C_local = T.alloc_fragment((block_M, block_N), "float32")
            C_shared = T.alloc_shared((block_M, block_N), "float16")

            T.use_swizzle(8)
            T.clear(C_local)
            for k in T.Pipelined(T.ceildiv(K, block_K), num_stages=num_stages):
                T.copy(A[by * block_M, k * block_K], A_shared)
                T.copy(B[k * block_K, bx * block_N], B_shared)
                T.gemm(A_shared, B_shared, C_local)
            T.copy(C_local, C_shared)
            T.copy(C_shared, C[by * block_M, bx * block_N])

    return matmul_3d


class ModelNew(nn.Module):
    def __init__(self):
        super().__init__()
        self.kernels = {}

    def forward(self, A: torch.Tensor, B: torch.Tensor) -> torch.Tensor:
        batch, M, K = A.shape
        N = B.shape[1]
        if (batch, M, N, K) not in self.kernels:
            self.kernels[batch, M, N, K] = matmul_3d_kernel(batch, M, N, K)
        return self.kernels[batch, M, N, K](A.view(batch * M, K), B).view(batch, M, N)
