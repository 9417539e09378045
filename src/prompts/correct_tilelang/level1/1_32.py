"""Problem Name: 32_HardTanh"""

import tilelang
import tilelang.language as T
import torch
import torch.nn as nn


@tilelang.jit(out_idx=[-1])
def hard_tanh_kernel(numel, block_N=2048, threads=256):
    @T.prim_func
    def hard_tanh(x: T.Tensor((numel,), "float16"), y: T.Tensor((numel,), "float16")):
        with T.Kernel(T.ceildiv(numel, block_N), threads=threads) as bx:
            value = T.alloc_fragment((block_N,), "float32")

            T.copy(x[bx * block_N], value)
            for i in T.Parallel(block_N):
                value[i] = T.min(T.max(value[i], -1.0), 1.0)
            T.copy(value, y[bx * block_N])

    return hard_tanh


class ModelNew(nn.Module):
    def __init__(self):
        super().__init__()
        self.kernels = {}

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        numel = x.numel()
        if numel not in self.kernels:
            self.kernels[numel] = hard_tanh_kernel(numel)
        return self.kernels[numel](x.view(-1)).view(x.shape)
