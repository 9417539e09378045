"""Problem Name: 40_LayerNorm
Evaluation Result: compiled=True correctness=True runtime_stats={'speedup_ratio': 1.8565, 'interval': [1.8555, 1.858], 'candidate_ms': 4.34182, 'baseline_ms': 8.06067, 'baseline': 'PyTorch eager', 'precision': 'fp16', 'gpu': 'NVIDIA H200', 'pairs': 30, 'trust': 'B'}
Measured By: tilewright 0.1.0 on 2026-11-22 (cuda 13.0, driver 580.159.04, python 3.12.3, tilelang 0.1.15, torch 2.11.0+cu130); kernel 77e94bae90ca3d3b"""

import tilelang
import tilelang.language as T
import torch.nn as nn


@tilelang.jit(out_idx=[-1])
def layer_norm(batch, n, eps, block_N=512, threads=128, dtype="float16", accum_dtype="float32"):
    @T.prim_func
    def layer_norm_kernel(
        X: T.Tensor((batch, n), dtype),
        W: T.Tensor((n,), dtype),
        B: T.Tensor((n,), dtype),
        Y: T.Tensor((batch, n), dtype),
    ):
        with T.Kernel(batch, threads=threads) as b:
            tile = T.alloc_fragment((1, block_N), accum_dtype)
            total = T.alloc_fragment((1,), accum_dtype)
            mean = T.alloc_fragment((1,), accum_dtype)
            rstd = T.alloc_fragment((1,), accum_dtype)

            T.clear(total)
            for k in T.serial(T.ceildiv(n, block_N)):
                for i, j in T.Parallel(1, block_N):
                    tile[i, j] = T.if_then_else(
                        k * block_N + j < n, T.cast(X[b + i, k * block_N + j], accum_dtype), 0.0
                    )
                T.reduce_sum(tile, total, dim=1, clear=False)
            for i in T.Parallel(1):
                mean[i] = total[i] / n

            T.clear(total)
            for k in T.serial(T.ceildiv(n, block_N)):
                for i, j in T.Parallel(1, block_N):
                    tile[i, j] = T.if_then_else(
                        k * block_N + j < n, T.cast(X[b + i, k * block_N + j], accum_dtype) - mean[i], 0.0
                    )
                for i, j in T.Parallel(1, block_N):
                    tile[i, j] = tile[i, j] * tile[i, j]
                T.reduce_sum(tile, total, dim=1, clear=False)
            for i in T.Parallel(1):
                rstd[i] = T.rsqrt(total[i] / n + T.float32(eps))

            for k in T.serial(T.ceildiv(n, block_N)):
                for i, j in T.Parallel(1, block_N):
                    if k * block_N + j < n:
                        Y[b + i, k * block_N + j] = T.cast(
                            (T.cast(X[b + i, k * block_N + j], accum_dtype) - mean[i])
                            * rstd[i]
                            * T.cast(W[k * block_N + j], accum_dtype)
                            + T.cast(B[k * block_N + j], accum_dtype),
                            dtype,
                        )

    return layer_norm_kernel


class ModelNew(nn.Module):
    def __init__(self, normalized_shape):
        super().__init__()
        self.ln = nn.LayerNorm(normalized_shape)
        self.kernels = {}

    def forward(self, x):
        batch = x.shape[0]
        n = self.ln.weight.numel()
        if (batch, n) not in self.kernels:
            self.kernels[(batch, n)] = layer_norm(batch, n, self.ln.eps)
        y = self.kernels[(batch, n)](x.view(batch, n), self.ln.weight.view(n), self.ln.bias.view(n))
        return y.view(x.shape)
