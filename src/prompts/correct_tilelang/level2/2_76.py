"""Problem Name: 76_Gemm_Add_ReLU
Evaluation Result: compiled=True correctness=True runtime_stats={'speedup_ratio': 1.6733, 'interval': [1.6421, 1.6986], 'candidate_ms': 0.00893, 'baseline_ms': 0.01509, 'baseline': 'PyTorch eager', 'precision': 'fp16', 'gpu': 'NVIDIA H200', 'pairs': 100, 'trust': 'B'}
Measured By: tilewright 0.1.0 on 2026-11-22 (cuda 13.0, driver 580.159.04, python 3.12.3, tilelang 0.1.15, torch 2.11.0+cu130); kernel bdf0ebf01913b989"""

import tilelang
import tilelang.language as T
import torch
import torch.nn as nn


@tilelang.jit(out_idx=[-1])
def gemm_add_relu_kernel(M, N, K, block_M=64, block_N=32, block_K=128, threads=128, num_stages=3):
    @T.prim_func
    def gemm_add_relu(
        x: T.Tensor((M, K), "float16"),
        weight: T.Tensor((N, K), "float16"),
        bias: T.Tensor((N,), "float16"),
        y: T.Tensor((M, N), "float16"),
    ):
        # Small tiles: with 128x128 ones this problem would occupy a handful of multiprocessors.
        with T.Kernel(T.ceildiv(N, block_N), T.ceildiv(M, block_M), threads=threads) as (bx, by):
            x_shared = T.alloc_shared((block_M, block_K), "float16")
            weight_shared = T.alloc_shared((block_N, block_K), "float16")
            acc = T.alloc_fragment((block_M, block_N), "float32")
            y_shared = T.alloc_shared((block_M, block_N), "float16")

            T.clear(acc)
            for k in T.Pipelined(T.ceildiv(K, block_K), num_stages=num_stages):
                T.copy(x[by * block_M, k * block_K], x_shared)
                T.copy(weight[bx * block_N, k * block_K], weight_shared)
                T.gemm(x_shared, weight_shared, acc, transpose_B=True)
            for i, j in T.Parallel(block_M, block_N):
                acc[i, j] = T.max(acc[i, j] + bias[bx * block_N + j], 0.0)
            T.copy(acc, y_shared)
            T.copy(y_shared, y[by * block_M, bx * block_N])

    return gemm_add_relu


class ModelNew(nn.Module):
    def __init__(self, in_features: int, out_features: int, bias_shape: tuple[int, ...]):
        super().__init__()
        self.gemm = nn.Linear(in_features, out_features, bias=False)
        self.bias = nn.Parameter(torch.randn(bias_shape))
        self.kernels = {}

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        weight = self.gemm.weight
        M, K = x.shape
        N = weight.shape[0]
        if (M, N, K) not in self.kernels:
            self.kernels[M, N, K] = gemm_add_relu_kernel(M, N, K)
        return self.kernels[M, N, K](x, weight, self.bias)
