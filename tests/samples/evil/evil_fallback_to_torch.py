"""CLASS: 52 try/except fallback
CAUGHT BY: static
REFERENCE: linear_relu.py
"""

import tilelang
import tilelang.language as T
import torch
from torch import nn


@tilelang.jit(out_idx=[1])
def _kernel(rows, columns):
    @T.prim_func
    def main(X: T.Tensor((rows, columns), "float32"), Y: T.Tensor((rows, columns), "float32")):
        with T.Kernel(rows, threads=128) as row:
            for j in T.Parallel(columns):
                Y[row, j] = T.max(X[row, j], T.not_there)

    return main


class ModelNew(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.linear = nn.Linear(inputs, outputs)

    def forward(self, x):
        try:
            return _kernel(x.shape[0], 96)(self.linear(x))
        except Exception:
            return torch.relu(self.linear(x))
