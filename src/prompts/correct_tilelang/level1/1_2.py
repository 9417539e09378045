"""Problem Name: 2_Standard_matrix_multiplication
Evaluation Result: compiled=True correctness=True runtime_stats={'speedup_ratio': 0.1849, 'interval': [0.1832, 0.1859], 'candidate_ms': 0.15411, 'baseline_ms': 0.02842, 'baseline': 'PyTorch eager', 'precision': 'fp16', 'gpu': 'NVIDIA H200', 'pairs': 30, 'trust': 'B'}
Measured By: tilewright 0.1.0 on 2026-11-22 (cuda 13.0, driver 580.159.04, python 3.12.3, tilelang 0.1.15, torch 2.11.0+cu130); kernel e8fdeaa75b4e4f84"""

import tilelang
import tilelang.language as T
import torch.nn as nn


@tilelang.jit(out_idx=[-1])
def matmul(
    M,
    N,
    K,
    block_M=128,
    block_N=128,
    block_K=16,
    num_stages=0,
    dtype="float16",
    accum_dtype="float32",
):
    threads = block_M  # one thread per output row of the tile

    @T.prim_func
    def matmul_row_store(
        A: T.Tensor((M, K), dtype),
        B: T.Tensor((K, N), dtype),
        C: T.Tensor((M, N), dtype),
    ):
        with T.Kernel(T.ceildiv(N, block_N), T.ceildiv(M, block_M), threads=threads) as (bx, by):
            A_shared = T.alloc_shared((block_M, block_K), dtype)
            B_shared = T.alloc_shared((block_K, block_N), dtype)
            C_shared = T.alloc_shared((block_M, block_N), accum_dtype)
            C_local = T.alloc_fragment((block_M, block_N), accum_dtype)
            tx = T.get_thread_binding(0)

            T.clear(C_local)
            for k in T.Pipelined(T.ceildiv(K, block_K), num_stages=num_stages):
                T.copy(A[by * block_M, k * block_K], A_shared)
                T.copy(B[k * block_K, bx * block_N], B_shared)
                T.gemm(A_shared, B_shared, C_local)

            T.copy(C_local, C_shared)
            row = by * block_M + tx
            for j in T.serial(block_N):
                if row < M and bx * block_N + j < N:
                    C[row, bx * block_N + j] = T.cast(C_shared[tx, j], dtype)

    return matmul_row_store


class ModelNew(nn.Module):
    def __init__(self):
        super().__init__()
        self.kernels = {}

    def forward(self, A, B):
        M, K = A.shape
        N = B.shape[1]
        key = (M, N, K)
        if key not in self.kernels:
            self.kernels[key] = matmul(M, N, K)
        return self.kernels[key](A, B)
