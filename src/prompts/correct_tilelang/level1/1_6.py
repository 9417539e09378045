"""Problem Name: 6_Matmul_with_large_K_dimension
Evaluation Result: compiled=True correctness=True runtime_stats={'speedup_ratio': 0.9024, 'interval': [0.8943, 0.9092], 'candidate_ms': 0.05338, 'baseline_ms': 0.04829, 'baseline': 'PyTorch eager', 'precision': 'fp16', 'gpu': 'NVIDIA H200', 'pairs': 30, 'trust': 'B'}
Measured By: tilewright 0.1.0 on 2026-11-22 (cuda 13.0, driver 580.159.04, python 3.12.3, tilelang 0.1.15, torch 2.11.0+cu130); kernel 5767b07154a4823c"""

import tilelang
import tilelang.language as T
import torch
import torch.nn as nn


@tilelang.jit(out_idx=[-1])
def split_k_kernel(M, N, K, split_k=32, block_M=128, block_N=128, block_K=64, threads=256, num_stages=3):
    # Each slice of K is a whole number of block_K steps; steps past K read zeros.
    steps = -(-K // (block_K * split_k))

    @T.prim_func
    def matmul_split_k(
        A: T.Tensor((M, K), "float16"),
        B: T.Tensor((K, N), "float16"),
        partial: T.Tensor((split_k, M, N), "float32"),
    ):
        with T.Kernel(T.ceildiv(N, block_N), T.ceildiv(M, block_M), split_k, threads=threads) as (bx, by, bz):
            A_shared = T.alloc_shared((block_M, block_K), "float16")
            B_shared = T.alloc_shared((block_K, block_N), "float16")
            C_local = T.alloc_fragment((block_M, block_N), "float32")

            T.clear(C_local)
            for k in T.Pipelined(steps, num_stages=num_stages):
                T.copy(A[by * block_M, (bz * steps + k) * block_K], A_shared)
                T.copy(B[(bz * steps + k) * block_K, bx * block_N], B_shared)
                T.gemm(A_shared, B_shared, C_local)
            T.copy(C_local, partial[bz, by * block_M, bx * block_N])

    return matmul_split_k


@tilelang.jit(out_idx=[-1])
def sum_slices_kernel(split_k, numel, block_N=512, threads=128):
    @T.prim_func
    def sum_slices(partial: T.Tensor((split_k, numel), "float32"), C: T.Tensor((numel,), "float16")):
        with T.Kernel(T.ceildiv(numel, block_N), threads=threads) as bx:
            total = T.alloc_fragment((block_N,), "float32")

            T.clear(total)
            for s in T.serial(split_k):
                for i in T.Parallel(block_N):
                    total[i] += partial[s, bx * block_N + i]
            T.copy(total, C[bx * block_N])

    return sum_slices


class ModelNew(nn.Module):
    """The output is too small to fill a GPU: K is split over thread blocks, then the slices are summed."""

    def __init__(self):
        super().__init__()
        self.matmul_kernels = {}
        self.sum_kernels = {}

    def forward(self, A: torch.Tensor, B: torch.Tensor) -> torch.Tensor:
        M, K = A.shape
        N = B.shape[1]
        if (M, N, K) not in self.matmul_kernels:
            self.matmul_kernels[M, N, K] = split_k_kernel(M, N, K)
        partial = self.matmul_kernels[M, N, K](A, B)

        split_k = partial.shape[0]
        if (split_k, M * N) not in self.sum_kernels:
            self.sum_kernels[split_k, M * N] = sum_slices_kernel(split_k, M * N)
        return self.sum_kernels[split_k, M * N](partial.view(split_k, M * N)).view(M, N)
