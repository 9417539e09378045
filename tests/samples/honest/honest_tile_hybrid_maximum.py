"""WHAT: TileLang and PyTorch: the kernel finds the maximum that keeps the exponential in range
REFERENCE: short_softmax.py
PRECISION: fp16"""

import tilelang
import tilelang.language as T
import torch
import torch.nn as nn


@tilelang.jit(out_idx=[-1])
def maximum(rows, columns):
    @T.prim_func
    def main(X: T.Tensor((rows, columns), "float16"), M: T.Tensor((rows,), "float16")):
        with T.Kernel(rows, threads=128) as row:
            values = T.alloc_fragment((1, columns), "float16")
            largest = T.alloc_fragment((1,), "float16")
            T.copy(X[row, 0], values)
            T.reduce_max(values, largest, dim=1)
            T.copy(largest, M[row])

    return main


class ModelNew(nn.Module):
    def forward(self, x):
        e = torch.exp(x.float() - maximum(*x.shape)(x).float().unsqueeze(1))
        return (e / e.sum(dim=1, keepdim=True)).to(x.dtype)
