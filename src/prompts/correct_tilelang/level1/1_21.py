"""Problem Name: 21_Sigmoid"""

import tilelang
import tilelang.language as T
import torch
import torch.nn as nn

TUNABLES = {"block_N": (512, 1024, 2048, 4096), "threads": (128, 256, 512)}


@tilelang.jit(out_idx=[-1])
def sigmoid_kernel(numel, block_N=1024, threads=128):
    @T.prim_func
    def sigmoid(x: T.Tensor((numel,), "float16"), y: T.Tensor((numel,), "float16")):
        with T.Kernel(T.ceildiv(numel, block_N), threads=threads) as bx:
            value = T.alloc_fragment((block_N,), "float32")

            T.copy(x[bx * block_N], value)
            for i in T.Parallel(block_N):
                value[i] = T.sigmoid(value[i])
            T.copy(value, y[bx * block_N])

    return sigmoid


class ModelNew(nn.Module):
    def __init__(self):
        super().__init__()
        self.kernels = {}

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        numel = x.numel()
        if numel not in self.kernels:
            self.kernels[numel] = sigmoid_kernel(numel)
        return self.kernels[numel](x.view(-1)).view(x.shape)
