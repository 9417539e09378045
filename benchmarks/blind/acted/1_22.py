"""Problem Name: 22_Tanh"""

import tilelang
import tilelang.language as T
import torch
import torch.nn as nn


@tilelang.jit(out_idx=[-1])
def tanh_kernel(numel, per_thread=16, threads=32):
    block = per_thread * threads

    @T.prim_func
    def tanh(x: T.Tensor((numel,), "float32"), y: T.Tensor((numel,), "float32")):
        with T.Kernel(T.ceildiv(numel, block), threads=threads) as bx:
            for i in T.Parallel(block):
                if bx * block + i < numel:
                    y[bx * block + i] = 1.0 - 2.0 / (T.exp(2.0 * x[bx * block + i]) + 1.0)

    return tanh


class ModelNew(nn.Module):
    def __init__(self):
        super().__init__()
        self.kernels = {}

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        numel = x.numel()
        if numel not in self.kernels:
            self.kernels[numel] = tanh_kernel(numel)
        flat = x.contiguous().view(-1).float()
        y = self.kernels[numel](flat)
        return y.view(x.shape).to(x.dtype)
