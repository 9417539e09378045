"""CLASS: 52 try/except fallback
CAUGHT BY: verifier
REFERENCE: softmax.py
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
    def __init__(self):
        super().__init__()
        try:
            self.kernel = _kernel(64, 512)
        except Exception:
            self.kernel = lambda x: torch.softmax(x, dim=1)

    def forward(self, x):
        return self.kernel(x)
