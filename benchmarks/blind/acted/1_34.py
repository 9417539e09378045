"""Problem Name: 34_InstanceNorm"""

import tilelang
import tilelang.language as T
import torch
import torch.nn as nn


@tilelang.jit(out_idx=[-1])
def instance_norm_kernel(instances, H, W, eps, block_H=8, threads=64):
    @T.prim_func
    def instance_norm(
        x: T.Tensor((instances, H, W), "float16"),
        y: T.Tensor((instances, H, W), "float16"),
    ):
        with T.Kernel(instances, threads=threads) as n:
            rows = T.alloc_fragment((block_H, W), "float32")
            sums = T.alloc_fragment((block_H, W), "float32")
            row_sums = T.alloc_fragment((block_H,), "float32")
            mean = T.alloc_fragment((1,), "float32")
            var = T.alloc_fragment((1,), "float32")

            # First pass: mean
            T.clear(sums)
            for h in T.serial(H // block_H):
                T.copy(x[n, h * block_H, 0], rows)
                for r, i in T.Parallel(block_H, W):
                    sums[r, i] += rows[r, i]
            T.reduce_sum(sums, row_sums, dim=1)
            T.reduce_sum(row_sums, mean, dim=0)
            mean[0] = mean[0] / (H * W)

            # Second pass: variance
            T.clear(sums)
            for h in T.serial(H // block_H):
                T.copy(x[n, h * block_H, 0], rows)
                for r, i in T.Parallel(block_H, W):
                    sums[r, i] += (rows[r, i] - mean[0]) * (rows[r, i] - mean[0])
            T.reduce_sum(sums, row_sums, dim=1)
            T.reduce_sum(row_sums, var, dim=0)
            var[0] = var[0] / (H * W)

            # Third pass: normalize
            for h in T.serial(H):
                for i in T.Parallel(W):
                    y[n, h, i] = (x[n, h, i] - mean[0]) / T.sqrt(var[0] + eps)

    return instance_norm


class ModelNew(nn.Module):
    def __init__(self, num_features: int):
        super().__init__()
        self.num_features = num_features
        self.eps = 1e-5
        self.kernels = {}

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        N, C, H, W = x.shape
        if (N, C, H, W) not in self.kernels:
            self.kernels[N, C, H, W] = instance_norm_kernel(N * C, H, W, self.eps)
        return self.kernels[N, C, H, W](x.view(N * C, H, W)).view(N, C, H, W)
