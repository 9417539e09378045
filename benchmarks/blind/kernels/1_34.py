"""Problem Name: 34_InstanceNorm"""

import tilelang
import tilelang.language as T
import torch
import torch.nn as nn


@tilelang.jit(out_idx=[-1])
def instance_norm_kernel(instances, H, W, eps, threads=64):
    @T.prim_func
    def instance_norm(
        x: T.Tensor((instances, H, W), "float16"),
        y: T.Tensor((instances, H, W), "float16"),
    ):
        with T.Kernel(instances, threads=threads) as n:
            row = T.alloc_fragment((W,), "float32")
            row_sum = T.alloc_fragment((1,), "float32")
            mean = T.alloc_fragment((1,), "float32")
            var = T.alloc_fragment((1,), "float32")

            # First pass: mean
            T.clear(mean)
            for h in T.serial(H):
                T.copy(x[n, h, 0], row)
                T.reduce_sum(row, row_sum, dim=0)
                mean[0] += row_sum[0]
            mean[0] = mean[0] / (H * W)

            # Second pass: variance
            T.clear(var)
            for h in T.serial(H):
                T.copy(x[n, h, 0], row)
                for i in T.Parallel(W):
                    row[i] = (row[i] - mean[0]) * (row[i] - mean[0])
                T.reduce_sum(row, row_sum, dim=0)
                var[0] += row_sum[0]
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
