"""Problem Name: 59_Matmul_Swish_Scaling"""

import tilelang as tl
import tilelang.language as T
import torch
import torch.nn as nn


@tl.jit(out_idx=[3])
def swish_linear(m, n, k, scale):
    bm, bn = 32, 32

    @T.prim_func
    def fused(
        x: T.Tensor((m, k), "float16"),
        w: T.Tensor((n, k), "float16"),
        bias: T.Tensor((n,), "float16"),
        out: T.Tensor((m, n), "float16"),
    ):
        with T.Kernel(T.ceildiv(m, bm), T.ceildiv(n, bn), threads=128) as (pm, pn):
            c = T.alloc_fragment((bm, bn), "float32")
            T.fill(c, 0)
            # rank-1 updates straight from global memory
            for kk in T.serial(k):
                for i, j in T.Parallel(bm, bn):
                    if pm * bm + i < m:
                        c[i, j] = c[i, j] + T.cast(x[pm * bm + i, kk], "float32") * T.cast(
                            w[pn * bn + j, kk], "float32"
                        )
            for i, j in T.Parallel(bm, bn):
                if pm * bm + i < m:
                    c[i, j] = c[i, j] + T.cast(bias[pn * bn + j], "float32")
                    out[pm * bm + i, pn * bn + j] = c[i, j] / (1.0 + T.exp(-c[i, j])) * scale

    return fused


class ModelNew(nn.Module):
    def __init__(self, in_features: int, out_features: int, scaling_factor: float):
        super().__init__()
        self.matmul = nn.Linear(in_features, out_features)
        self.scaling_factor = scaling_factor
        self.kernels = {}

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        m, k = x.shape
        n = self.matmul.out_features
        if m not in self.kernels:
            self.kernels[m] = swish_linear(m, n, k, self.scaling_factor)
        return self.kernels[m](x, self.matmul.weight, self.matmul.bias)
