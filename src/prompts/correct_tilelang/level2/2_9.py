"""Problem Name: 9_Matmul_Subtract_Multiply_ReLU
Evaluation Result: compiled=True correctness=True runtime_stats={'speedup_ratio': 0.1876, 'interval': [0.1857, 0.1889], 'candidate_ms': 0.21315, 'baseline_ms': 0.0401, 'baseline': 'PyTorch eager', 'precision': 'fp16', 'gpu': 'NVIDIA H200', 'pairs': 30, 'trust': 'B'}
Measured By: tilewright 0.1.0 on 2026-11-22 (cuda 13.0, driver 580.159.04, python 3.12.3, tilelang 0.1.15, torch 2.11.0+cu130); kernel 407bfe4b28a1f780"""

import tilelang
import tilelang.language as T
import torch.nn as nn


@tilelang.jit(out_idx=[-1])
def linear(
    M,
    N,
    K,
    block_M=64,
    block_N=64,
    block_K=32,
    threads=128,
    num_stages=2,
    dtype="float16",
    accum_dtype="float32",
):
    @T.prim_func
    def linear_kernel(
        X: T.Tensor((M, K), dtype),
        W: T.Tensor((N, K), dtype),
        bias: T.Tensor((N,), dtype),
        Y: T.Tensor((M, N), accum_dtype),
    ):
        with T.Kernel(T.ceildiv(N, block_N), T.ceildiv(M, block_M), threads=threads) as (bx, by):
            X_shared = T.alloc_shared((block_M, block_K), dtype)
            W_shared = T.alloc_shared((block_N, block_K), dtype)
            acc = T.alloc_fragment((block_M, block_N), accum_dtype)

            T.clear(acc)
            for k in T.Pipelined(T.ceildiv(K, block_K), num_stages=num_stages):
                T.copy(X[by * block_M, k * block_K], X_shared)
                T.copy(W[bx * block_N, k * block_K], W_shared)
                T.gemm(X_shared, W_shared, acc, transpose_B=True)
            for i, j in T.Parallel(block_M, block_N):
                acc[i, j] = acc[i, j] + T.cast(bias[bx * block_N + j], accum_dtype)
            T.copy(acc, Y[by * block_M, bx * block_N])

    return linear_kernel


@tilelang.jit(out_idx=[-1])
def subtract(n, value, block=1024, threads=128):
    @T.prim_func
    def subtract_kernel(
        X: T.Tensor((n,), "float32"),
        Y: T.Tensor((n,), "float32"),
    ):
        with T.Kernel(T.ceildiv(n, block), threads=threads) as bx:
            for i in T.Parallel(block):
                if bx * block + i < n:
                    Y[bx * block + i] = X[bx * block + i] - T.float32(value)

    return subtract_kernel


@tilelang.jit(out_idx=[-1])
def multiply(n, value, block=1024, threads=128):
    @T.prim_func
    def multiply_kernel(
        X: T.Tensor((n,), "float32"),
        Y: T.Tensor((n,), "float32"),
    ):
        with T.Kernel(T.ceildiv(n, block), threads=threads) as bx:
            for i in T.Parallel(block):
                if bx * block + i < n:
                    Y[bx * block + i] = X[bx * block + i] * T.float32(value)

    return multiply_kernel


@tilelang.jit(out_idx=[-1])
def relu(n, block=1024, threads=128, dtype="float16"):
    @T.prim_func
    def relu_kernel(
        X: T.Tensor((n,), "float32"),
        Y: T.Tensor((n,), dtype),
    ):
        with T.Kernel(T.ceildiv(n, block), threads=threads) as bx:
            for i in T.Parallel(block):
                if bx * block + i < n:
                    Y[bx * block + i] = T.cast(T.max(X[bx * block + i], T.float32(0)), dtype)

    return relu_kernel


class ModelNew(nn.Module):
    def __init__(self, in_features, out_features, subtract_value, multiply_value):
        super().__init__()
        self.linear = nn.Linear(in_features, out_features)
        self.subtract_value = subtract_value
        self.multiply_value = multiply_value
        self.kernels = {}

    def forward(self, x):
        M, K = x.shape
        N = self.linear.out_features
        if M not in self.kernels:
            self.kernels[M] = (
                linear(M, N, K),
                subtract(M * N, self.subtract_value),
                multiply(M * N, self.multiply_value),
                relu(M * N),
            )
        linear_kernel, subtract_kernel, multiply_kernel, relu_kernel = self.kernels[M]

        y = linear_kernel(x, self.linear.weight, self.linear.bias).view(-1)
        y = subtract_kernel(y)
        y = multiply_kernel(y)
        return relu_kernel(y).view(M, N)
