"""Problem Name: 29_Matmul_Mish_Mish"""

import tilelang
import tilelang.language as T
import torch
import torch.nn as nn


@T.macro
def mish(z):
    # z tanh(log(1 + e^z)) without tanh and log; from 20 on the quotient is 1 in fp32.
    w = T.exp(T.min(z, 20.0))
    return z * (w * (w + 2.0)) / (w * (w + 2.0) + 2.0)


@tilelang.jit(out_idx=[-1], pass_configs={"tl.enable_fast_math": True})
def matmul_mish_mish_kernel(M, N, K, block_M=128, block_N=256, block_K=64, threads=256, num_stages=3):
    @T.prim_func
    def matmul_mish_mish(
        x: T.Tensor((M, K), "float16"),
        weight: T.Tensor((N, K), "float16"),
        bias: T.Tensor((N,), "float16"),
        y: T.Tensor((M, N), "float16"),
    ):
        with T.Kernel(T.ceildiv(N, block_N), T.ceildiv(M, block_M), threads=threads) as (bx, by):
            x_shared = T.alloc_shared((block_M, block_K), "float16")
            weight_shared = T.alloc_shared((block_N, block_K), "float16")
            acc = T.alloc_fragment((block_M, block_N), "float32")
            y_shared = T.alloc_shared((block_M, block_N), "float16")

            T.use_swizzle(8)
            T.clear(acc)
            for k in T.Pipelined(T.ceildiv(K, block_K), num_stages=num_stages):
                T.copy(x[by * block_M, k * block_K], x_shared)
                T.copy(weight[bx * block_N, k * block_K], weight_shared)
                T.gemm(x_shared, weight_shared, acc, transpose_B=True)
            for i, j in T.Parallel(block_M, block_N):
                acc[i, j] += bias[bx * block_N + j]
                acc[i, j] = mish(mish(acc[i, j]))
            T.copy(acc, y_shared)
            T.copy(y_shared, y[by * block_M, bx * block_N])

    return matmul_mish_mish


class ModelNew(nn.Module):
    def __init__(self, in_features: int, out_features: int):
        super().__init__()
        self.linear = nn.Linear(in_features, out_features)
        self.kernels = {}

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        weight, bias = self.linear.weight, self.linear.bias
        M, K = x.shape
        N = weight.shape[0]
        if (M, N, K) not in self.kernels:
            self.kernels[M, N, K] = matmul_mish_mish_kernel(M, N, K)
        return self.kernels[M, N, K](x, weight, bias)
