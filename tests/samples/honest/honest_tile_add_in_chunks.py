"""WHAT: TileLang: flat chunks with a guarded tail, kernels kept per size
REFERENCE: add.py
PRECISION: fp32"""

import tilelang
import tilelang.language as T
import torch.nn as nn


@tilelang.jit(out_idx=[-1])
def added(count, block=384):
    @T.prim_func
    def main(X: T.Tensor((count,), "float32"), Y: T.Tensor((count,), "float32"), Z: T.Tensor((count,), "float32")):
        with T.Kernel(T.ceildiv(count, block), threads=128) as b:
            for i in T.Parallel(block):
                if b * block + i < count:
                    Z[b * block + i] = X[b * block + i] + Y[b * block + i]

    return main


class ModelNew(nn.Module):
    def __init__(self):
        super().__init__()
        self._kernels = {}

    def forward(self, x, y):
        count = x.numel()
        if count not in self._kernels:
            self._kernels[count] = added(count)
        return self._kernels[count](x.view(-1), y.view(-1)).view(x.shape)
