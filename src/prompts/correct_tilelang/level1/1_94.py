"""Problem Name: 94_MSELoss
Evaluation Result: compiled=True correctness=True runtime_stats={'speedup_ratio': 0.0193, 'interval': [0.0192, 0.0193], 'candidate_ms': 0.93115, 'baseline_ms': 0.01794, 'baseline': 'PyTorch eager', 'precision': 'fp16', 'gpu': 'NVIDIA H200', 'pairs': 30, 'trust': 'B'}
Measured By: tilewright 0.1.0 on 2026-11-22 (cuda 13.0, driver 580.159.04, python 3.12.3, tilelang 0.1.15, torch 2.11.0+cu130); kernel a934553c5e82ef2b"""

import tilelang
import tilelang.language as T
import torch
import torch.nn as nn


@tilelang.jit
def squared_error(n, block=1024, threads=256, dtype="float16", accum_dtype="float64"):
    @T.prim_func
    def squared_error_kernel(
        P: T.Tensor((n,), dtype),
        Q: T.Tensor((n,), dtype),
        Total: T.Tensor((1,), accum_dtype),
    ):
        with T.Kernel(T.ceildiv(n, block), threads=threads) as bx:
            tx = T.get_thread_binding(0)
            for i in T.serial(block // threads):
                idx = bx * block + i * threads + tx
                if idx < n:
                    diff = T.cast(P[idx], accum_dtype) - T.cast(Q[idx], accum_dtype)
                    T.atomic_add(Total[0], diff * diff)

    return squared_error_kernel


class ModelNew(nn.Module):
    def __init__(self):
        super().__init__()
        self.kernels = {}

    def forward(self, predictions, targets):
        n = predictions.numel()
        if n not in self.kernels:
            self.kernels[n] = squared_error(n)
        total = torch.zeros(1, device=predictions.device, dtype=torch.float64)
        self.kernels[n](predictions.view(-1), targets.view(-1), total)
        return (total[0] / n).to(predictions.dtype)
