"""Problem Name: 7_Matmul_with_small_K_dimension
Evaluation Result: compiled=True correctness=True runtime_stats={'speedup_ratio': 1.0301, 'interval': [1.0227, 1.0341], 'candidate_ms': 0.1661, 'baseline_ms': 0.17133, 'baseline': 'PyTorch eager', 'precision': 'fp16', 'gpu': 'NVIDIA H200', 'pairs': 32, 'trust': 'B'}
Measured By: tilewright 0.1.0 on 2026-11-22 (cuda 13.0, driver 580.159.04, python 3.12.3, tilelang 0.1.15, torch 2.11.0+cu130); kernel 0f66dee290529f10"""

import tilelang
import tilelang.language as T
import torch
import torch.nn as nn


@tilelang.jit(out_idx=[-1])
def matmul_small_k_kernel(M, N, K, block_M=128, block_N=128, block_K=32, threads=256, num_stages=0):
    @T.prim_func
    def matmul_small_k(
        A: T.Tensor((M, K), "float16"),
        B: T.Tensor((K, N), "float16"),
        C: T.Tensor((M, N), "float16"),
    ):
        with T.Kernel(T.ceildiv(N, block_N), T.ceildiv(M, block_M), threads=threads) as (bx, by):
            A_shared = T.alloc_shared((block_M, block_K), "float16")
            B_shared = T.alloc_shared((block_K, block_N), "float16")
            C_local = T.alloc_fragment((block_M, block_N), "float32")
            C_shared = T.alloc_shared((block_M, block_N), "float16")

            # With one step over K there is nothing to pipeline. Without stages a block needs fewer registers:
            # two share a multiprocessor, and one loads while the other stores.
            T.clear(C_local)
            for k in T.Pipelined(T.ceildiv(K, block_K), num_stages=num_stages):
                T.copy(A[by * block_M, k * block_K], A_shared)
                T.copy(B[k * block_K, bx * block_N], B_shared)
                T.gemm(A_shared, B_shared, C_local)
            # Writing C is nearly all of the work: through shared memory it leaves in whole rows of the tile.
            T.copy(C_local, C_shared)
            T.copy(C_shared, C[by * block_M, bx * block_N])

    return matmul_small_k


class ModelNew(nn.Module):
    def __init__(self):
        super().__init__()
        self.kernels = {}

    def forward(self, A: torch.Tensor, B: torch.Tensor) -> torch.Tensor:
        M, K = A.shape
        N = B.shape[1]
        if (M, N, K) not in self.kernels:
            self.kernels[M, N, K] = matmul_small_k_kernel(M, N, K)
        return self.kernels[M, N, K](A, B)
