"""Problem Name: 1_Square_matrix_multiplication
Evaluation Result: compiled=True correctness=True runtime_stats={'speedup_ratio': 0.1318, 'interval': [0.1314, 0.1323], 'candidate_ms': 0.2204, 'baseline_ms': 0.02906, 'baseline': 'PyTorch eager', 'precision': 'fp16', 'gpu': 'NVIDIA H200', 'pairs': 30, 'trust': 'B'}
Measured By: tilewright 0.1.0 on 2026-11-22 (cuda 13.0, driver 580.159.04, python 3.12.3, tilelang 0.1.15, torch 2.11.0+cu130); kernel a4494c5e3dcc38a4"""

import tilelang
import tilelang.language as T
import torch.nn as nn


@tilelang.jit(out_idx=[-1])
def square_matmul(
    N,
    block_M=32,
    block_N=32,
    block_K=16,
    threads=32,
    num_stages=0,
    dtype="float16",
    accum_dtype="float32",
):
    @T.prim_func
    def square_matmul_kernel(
        A: T.Tensor((N, N), dtype),
        B: T.Tensor((N, N), dtype),
        C: T.Tensor((N, N), dtype),
    ):
        with T.Kernel(T.ceildiv(N, block_N), T.ceildiv(N, block_M), threads=threads) as (bx, by):
            A_shared = T.alloc_shared((block_M, block_K), dtype)
            B_shared = T.alloc_shared((block_K, block_N), dtype)
            C_local = T.alloc_fragment((block_M, block_N), accum_dtype)

            T.clear(C_local)
            for k in T.Pipelined(T.ceildiv(N, block_K), num_stages=num_stages):
                T.copy(A[by * block_M, k * block_K], A_shared)
                T.copy(B[k * block_K, bx * block_N], B_shared)
                T.gemm(A_shared, B_shared, C_local)
            T.copy(C_local, C[by * block_M, bx * block_N])

    return square_matmul_kernel


class ModelNew(nn.Module):
    def __init__(self):
        super().__init__()
        self.kernels = {}

    def forward(self, A, B):
        N = A.shape[0]
        if N not in self.kernels:
            self.kernels[N] = square_matmul(N)
        return self.kernels[N](A, B)
