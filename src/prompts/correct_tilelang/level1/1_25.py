"""Problem Name: 25_Swish
Evaluation Result: compiled=True correctness=True runtime_stats={'speedup_ratio': 0.3921, 'interval': [0.3776, 0.4061], 'candidate_ms': 0.02336, 'baseline_ms': 0.0093, 'baseline': 'PyTorch eager', 'precision': 'fp16', 'gpu': 'NVIDIA H200', 'pairs': 100, 'trust': 'B'}
Measured By: tilewright 0.1.0 on 2026-11-22 (cuda 13.0, driver 580.159.04, python 3.12.3, tilelang 0.1.15, torch 2.11.0+cu130); kernel 480ffdc557e0593a"""

import tilelang
import tilelang.language as T
import torch.nn as nn


@tilelang.jit(out_idx=[-1])
def swish(n, per_thread=64, threads=128, dtype="float16"):
    block = per_thread * threads

    @T.prim_func
    def swish_kernel(
        X: T.Tensor((n,), dtype),
        Y: T.Tensor((n,), dtype),
    ):
        with T.Kernel(T.ceildiv(n, block), threads=threads) as bx:
            tx = T.get_thread_binding(0)
            start = bx * block + tx * per_thread
            for i in T.serial(per_thread):
                if start + i < n:
                    value = T.cast(X[start + i], "float32")
                    Y[start + i] = T.cast(value / (1.0 + T.exp(-value)), dtype)

    return swish_kernel


class ModelNew(nn.Module):
    def __init__(self):
        super().__init__()
        self.kernels = {}

    def forward(self, x):
        n = x.numel()
        if n not in self.kernels:
            self.kernels[n] = swish(n)
        return self.kernels[n](x.view(-1)).view(x.shape)
