"""Problem Name: 99_Matmul_GELU_Softmax
Evaluation Result: compiled=True correctness=True runtime_stats={'speedup_ratio': 0.9525, 'interval': [0.9417, 0.9594], 'candidate_ms': 0.04822, 'baseline_ms': 0.0457, 'baseline': 'PyTorch eager', 'precision': 'fp16', 'gpu': 'NVIDIA H200', 'pairs': 30, 'trust': 'B'}
Measured By: tilewright 0.1.0 on 2026-11-22 (cuda 13.0, driver 580.159.04, python 3.12.3, tilelang 0.1.15, torch 2.11.0+cu130); kernel b58a0a2bdaf9ba59"""

import tilelang
import tilelang.language as T
import torch
import torch.nn as nn

SQRT_HALF = 0.5**0.5


@tilelang.jit(out_idx=[-1])
def matmul_gelu_kernel(M, N, K, block_M=128, block_N=128, block_K=64, threads=256, num_stages=3):
    @T.prim_func
    def matmul_gelu(
        x: T.Tensor((M, K), "float16"),
        weight: T.Tensor((N, K), "float16"),
        bias: T.Tensor((N,), "float16"),
        activation: T.Tensor((M, N), "float32"),
    ):
        with T.Kernel(T.ceildiv(N, block_N), T.ceildiv(M, block_M), threads=threads) as (bx, by):
            x_shared = T.alloc_shared((block_M, block_K), "float16")
            weight_shared = T.alloc_shared((block_N, block_K), "float16")
            acc = T.alloc_fragment((block_M, block_N), "float32")

            T.use_swizzle(8)
            T.clear(acc)
            for k in T.Pipelined(T.ceildiv(K, block_K), num_stages=num_stages):
                T.copy(x[by * block_M, k * block_K], x_shared)
                T.copy(weight[bx * block_N, k * block_K], weight_shared)
                T.gemm(x_shared, weight_shared, acc, transpose_B=True)
            for i, j in T.Parallel(block_M, block_N):
                acc[i, j] += bias[bx * block_N + j]
                acc[i, j] = 0.5 * acc[i, j] * (1.0 + T.erf(acc[i, j] * SQRT_HALF))
            T.copy(acc, activation[by * block_M, bx * block_N])

    return matmul_gelu


@tilelang.jit(out_idx=[-1])
def softmax_kernel(M, N, block_M=1, threads=256):
    @T.prim_func
    def softmax(x: T.Tensor((M, N), "float32"), y: T.Tensor((M, N), "float16")):
        with T.Kernel(T.ceildiv(M, block_M), threads=threads) as bx:
            row = T.alloc_fragment((block_M, N), "float32")
            row_max = T.alloc_fragment((block_M,), "float32")
            row_sum = T.alloc_fragment((block_M,), "float32")

            T.copy(x[bx * block_M, 0], row)
            T.reduce_max(row, row_max, dim=1)
            for i, j in T.Parallel(block_M, N):
                row[i, j] = T.exp(row[i, j] - row_max[i])
            T.reduce_sum(row, row_sum, dim=1)
            for i, j in T.Parallel(block_M, N):
                row[i, j] /= row_sum[i]
            T.copy(row, y[bx * block_M, 0])

    return softmax


class ModelNew(nn.Module):
    """A row of the softmax spans all column tiles of the product: a kernel of its own, fed in fp32."""

    def __init__(self, in_features: int, out_features: int):
        super().__init__()
        self.linear = nn.Linear(in_features, out_features)
        self.kernels = {}

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        weight, bias = self.linear.weight, self.linear.bias
        M, K = x.shape
        N = weight.shape[0]
        if (M, N, K) not in self.kernels:
            self.kernels[M, N, K] = matmul_gelu_kernel(M, N, K), softmax_kernel(M, N)
        matmul_gelu, softmax = self.kernels[M, N, K]
        return softmax(matmul_gelu(x, weight, bias))
