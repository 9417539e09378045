"""Problem Name: 36_RMSNorm"""

import tilelang
import tilelang.language as T
import torch.nn as nn


@tilelang.jit(out_idx=[-1])
def rms_norm(batch, features, height, width, eps, threads=256, dtype="float16", accum_dtype="float32"):
    @T.prim_func
    def rms_norm_kernel(
        X: T.Tensor((batch, features, height, width), dtype),
        Y: T.Tensor((batch, features, height, width), dtype),
    ):
        with T.Kernel(width, T.ceildiv(height, threads), batch, threads=threads) as (bw, bh, bn):
            tx = T.get_thread_binding(0)
            square_sum = T.alloc_local((1,), accum_dtype)
            rms = T.alloc_local((1,), accum_dtype)

            h = bh * threads + tx
            if h < height:
                square_sum[0] = 0.0
                for c in T.serial(features):
                    value = T.cast(X[bn, c, h, bw], accum_dtype)
                    square_sum[0] += value * value
                rms[0] = T.sqrt(square_sum[0] / features + T.float32(eps))
                for c in T.serial(features):
                    Y[bn, c, h, bw] = T.cast(T.cast(X[bn, c, h, bw], accum_dtype) / rms[0], dtype)

    return rms_norm_kernel


class ModelNew(nn.Module):
    def __init__(self, num_features, eps=1e-5):
        super().__init__()
        self.num_features = num_features
        self.eps = eps
        self.kernels = {}

    def forward(self, x):
        shape = tuple(x.shape)
        if shape not in self.kernels:
            self.kernels[shape] = rms_norm(*shape, self.eps)
        return self.kernels[shape](x)
