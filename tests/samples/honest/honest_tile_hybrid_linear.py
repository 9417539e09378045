"""WHAT: TileLang and PyTorch: cuBLAS's product, the kernel does what follows it
REFERENCE: linear_relu.py
PRECISION: fp16"""

import tilelang
import tilelang.language as T
import torch
import torch.nn as nn


@tilelang.jit(out_idx=[-1])
def finished(rows, columns):
    @T.prim_func
    def main(
        P: T.Tensor((rows, columns), "float16"),
        bias: T.Tensor((columns,), "float16"),
        Y: T.Tensor((rows, columns), "float16"),
    ):
        with T.Kernel(rows, threads=64) as row:
            for j in T.Parallel(columns):
                wide = T.cast(P[row, j], "float32") + T.cast(bias[j], "float32")
                Y[row, j] = T.cast(T.max(wide, 0.0) * 0.5, "float16")

    return main


class ModelNew(nn.Module):
    def __init__(self, features, width):
        super().__init__()
        self.linear = nn.Linear(features, width)

    def forward(self, x):
        product = torch.matmul(x, self.linear.weight.t())
        return finished(*product.shape)(product, self.linear.bias)
