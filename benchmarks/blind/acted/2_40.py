"""Problem Name: 40_Matmul_Scaling_ResidualAdd"""

import tilelang
import tilelang.language as T
import torch
import torch.nn as nn


@tilelang.jit(out_idx=[-1])
def linear_kernel(M, N, K, block=32, block_K=32, threads=128):
    @T.prim_func
    def linear(
        x: T.Tensor((M, K), "float16"),
        weight: T.Tensor((N, K), "float16"),
        bias: T.Tensor((N,), "float16"),
        y: T.Tensor((M, N), "float16"),
    ):
        with T.Kernel(T.ceildiv(N, block), T.ceildiv(M, block), threads=threads) as (bx, by):
            x_shared = T.alloc_shared((block, block_K), "float16")
            w_shared = T.alloc_shared((block, block_K), "float16")
            acc = T.alloc_fragment((block, block), "float32")

            T.clear(acc)
            for ko in T.Pipelined(T.ceildiv(K, block_K), num_stages=3):
                T.copy(x[by * block, ko * block_K], x_shared)
                T.copy(weight[bx * block, ko * block_K], w_shared)
                T.gemm(x_shared, w_shared, acc, transpose_B=True)

            for i, j in T.Parallel(block, block):
                y[by * block + i, bx * block + j] = acc[i, j] + bias[bx * block + j]

    return linear


@tilelang.jit(out_idx=[-1])
def scale_kernel(numel, factor, threads=256):
    @T.prim_func
    def scale(x: T.Tensor((numel,), "float16"), y: T.Tensor((numel,), "float16")):
        with T.Kernel(T.ceildiv(numel, threads), threads=threads) as bx:
            for i in T.Parallel(threads):
                y[bx * threads + i] = x[bx * threads + i] * factor

    return scale


@tilelang.jit(out_idx=[-1])
def add_kernel(numel, threads=256):
    @T.prim_func
    def add(
        a: T.Tensor((numel,), "float16"),
        b: T.Tensor((numel,), "float16"),
        y: T.Tensor((numel,), "float16"),
    ):
        with T.Kernel(T.ceildiv(numel, threads), threads=threads) as bx:
            for i in T.Parallel(threads):
                y[bx * threads + i] = a[bx * threads + i] + b[bx * threads + i]

    return add


class ModelNew(nn.Module):
    def __init__(self, in_features: int, out_features: int, scaling_factor: float):
        super().__init__()
        self.matmul = nn.Linear(in_features, out_features)
        self.scaling_factor = scaling_factor
        self.kernels = {}

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        M, K = x.shape
        N = self.matmul.weight.shape[0]
        if (M, N, K) not in self.kernels:
            self.kernels[M, N, K] = (
                linear_kernel(M, N, K),
                scale_kernel(M * N, self.scaling_factor),
                add_kernel(M * N),
            )
        linear, scale, add = self.kernels[M, N, K]
        y = linear(x, self.matmul.weight.half(), self.matmul.bias.half())
        original = y.clone()
        scaled = scale(y.view(-1))
        return add(scaled, original.view(-1)).view(M, N)
