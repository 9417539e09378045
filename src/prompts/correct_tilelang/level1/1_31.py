"""Problem Name: 31_ELU"""

import tilelang
import tilelang.language as T
import torch
import torch.nn as nn

TUNABLES = {"block_N": (512, 1024, 2048, 4096), "threads": (128, 256, 512)}


@tilelang.jit(out_idx=[-1])
def elu_kernel(numel, alpha, block_N=1024, threads=128):
    @T.prim_func
    def elu(x: T.Tensor((numel,), "float16"), y: T.Tensor((numel,), "float16")):
        with T.Kernel(T.ceildiv(numel, block_N), threads=threads) as bx:
            value = T.alloc_fragment((block_N,), "float32")

            T.copy(x[bx * block_N], value)
            for i in T.Parallel(block_N):
                # exp of the negative part only: of a large positive number it would overflow. Near zero exp(x) - 1 is
                # off by 6e-8, which is the smallest number of float16.
                value[i] = T.max(value[i], 0.0) + alpha * (T.exp(T.min(value[i], 0.0)) - 1.0)
            T.copy(value, y[bx * block_N])

    return elu


class ModelNew(nn.Module):
    def __init__(self, alpha: float = 1.0):
        super().__init__()
        self.alpha = alpha
        self.kernels = {}

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        numel = x.numel()
        if numel not in self.kernels:
            self.kernels[numel] = elu_kernel(numel, self.alpha)
        return self.kernels[numel](x.view(-1)).view(x.shape)
