"""Problem Name: 14_Matmul_for_upper_triangular_matrices"""

import tilelang
import tilelang.language as T
import torch
import torch.nn as nn


@tilelang.jit(out_idx=[-1])
def matmul_kernel(N, block_M=64, block_N=64, block_K=32, threads=128):
    @T.prim_func
    def matmul(
        A: T.Tensor((N, N), "float16"),
        B: T.Tensor((N, N), "float16"),
        C: T.Tensor((N, N), "float16"),
    ):
        with T.Kernel(T.ceildiv(N, block_N), T.ceildiv(N, block_M), threads=threads) as (bx, by):
            A_shared = T.alloc_shared((block_M, block_K), "float16")
            B_shared = T.alloc_shared((block_K, block_N), "float16")
            C_local = T.alloc_fragment((block_M, block_N), "float32")

            T.clear(C_local)
            for k in T.Pipelined(T.ceildiv(N, block_K), num_stages=3):
                for i, j in T.Parallel(block_M, block_K):
                    A_shared[i, j] = A[by * block_M + i, k * block_K + j]
                for i, j in T.Parallel(block_K, block_N):
                    B_shared[i, j] = B[k * block_K + i, bx * block_N + j]
                T.gemm(A_shared, B_shared, C_local)

            for i, j in T.Parallel(block_M, block_N):
                C[by * block_M + i, bx * block_N + j] = C_local[i, j]

    return matmul


class ModelNew(nn.Module):
    def __init__(self):
        super().__init__()
        self.kernels = {}

    def forward(self, A: torch.Tensor, B: torch.Tensor) -> torch.Tensor:
        N = A.shape[0]
        if N not in self.kernels:
            self.kernels[N] = matmul_kernel(N)
        C = self.kernels[N](A, B)
        return torch.triu(C)
