"""Problem Name: 36_RMSNorm
Evaluation Result: compiled=True correctness=True runtime_stats={'speedup_ratio': 0.1959, 'interval': [0.1949, 0.1966], 'candidate_ms': 1.62118, 'baseline_ms': 0.31789, 'baseline': 'PyTorch eager', 'precision': 'fp16', 'gpu': 'NVIDIA H200', 'pairs': 30, 'trust': 'B'}
Measured By: tilewright 0.1.0 on 2026-11-22 (cuda 13.0, driver 580.159.04, python 3.12.3, tilelang 0.1.15, torch 2.11.0+cu130); kernel d0ed6e6bfddf0410"""

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
