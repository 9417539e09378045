"""Problem Name: 1_MLP
Evaluation Result: compiled=True correctness=True runtime_stats={'speedup_ratio': 1.5045, 'interval': [1.4922, 1.5138], 'candidate_ms': 0.01418, 'baseline_ms': 0.02128, 'baseline': 'PyTorch eager', 'precision': 'fp16', 'gpu': 'NVIDIA H200', 'pairs': 60, 'trust': 'B'}
Measured By: tilewright 0.1.0 on 2026-11-22 (cuda 13.0, driver 580.159.04, python 3.12.3, tilelang 0.1.15, torch 2.11.0+cu130); kernel 9f89ee09bc87752d"""

import tilelang
import tilelang.language as T
import torch
import torch.nn as nn


@tilelang.jit(out_idx=[-1])
def linear_kernel(batch, N, K, relu, block_N=4, block_K=1024, threads=128):
    # With one sample every weight is used once: reading them is the whole cost, tensor cores cannot help.
    @T.prim_func
    def linear(
        x: T.Tensor((batch, K), "float16"),
        weight: T.Tensor((N, K), "float16"),
        bias: T.Tensor((N,), "float16"),
        y: T.Tensor((batch, N), "float16"),
    ):
        with T.Kernel(T.ceildiv(N, block_N), batch, threads=threads) as (bx, by):
            product = T.alloc_fragment((block_N, block_K), "float32")
            total = T.alloc_fragment((block_N,), "float32")

            T.clear(product)
            for k in T.serial(T.ceildiv(K, block_K)):
                for i, j in T.Parallel(block_N, block_K):
                    if bx * block_N + i < N and k * block_K + j < K:
                        value = T.cast(x[by, k * block_K + j], "float32")
                        product[i, j] += value * weight[bx * block_N + i, k * block_K + j]
            T.reduce_sum(product, total, dim=1)
            for i in T.Parallel(block_N):
                if bx * block_N + i < N:
                    total[i] += bias[bx * block_N + i]
                    y[by, bx * block_N + i] = T.if_then_else(relu, T.max(total[i], 0.0), total[i])

    return linear


class ModelNew(nn.Module):
    def __init__(self, input_size: int, layer_sizes: list[int], output_size: int):
        super().__init__()
        layers = []
        width = input_size
        for size in layer_sizes:
            layers += [nn.Linear(width, size), nn.ReLU()]
            width = size
        layers.append(nn.Linear(width, output_size))
        self.network = nn.Sequential(*layers)
        self.kernels = {}

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        linears = [layer for layer in self.network if isinstance(layer, nn.Linear)]
        for layer in linears:
            relu = layer is not linears[-1]
            key = (x.shape[0], layer.out_features, layer.in_features, relu)
            if key not in self.kernels:
                self.kernels[key] = linear_kernel(*key)
            x = self.kernels[key](x, layer.weight, layer.bias)
        return x
