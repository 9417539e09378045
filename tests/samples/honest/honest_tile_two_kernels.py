"""WHAT: TileLang: partial sums by one kernel into a workspace, added by a second
REFERENCE: row_sum.py
PRECISION: fp32"""

import tilelang
import tilelang.language as T
import torch
import torch.nn as nn


@tilelang.jit
def partial_sums(rows, columns, parts):
    width = columns // parts

    @T.prim_func
    def main(X: T.Tensor((rows, columns), "float32"), P: T.Tensor((rows, parts), "float32")):
        with T.Kernel(parts, rows, threads=32) as (part, row):
            total = T.alloc_local((1,), "float32")
            total[0] = 0.0
            for j in T.serial(width):
                total[0] += X[row, part * width + j]
            P[row, part] = total[0]

    return main


@tilelang.jit(out_idx=[-1])
def added_up(rows, parts):
    @T.prim_func
    def main(P: T.Tensor((rows, parts), "float32"), Y: T.Tensor((rows,), "float32")):
        with T.Kernel(rows, threads=32) as row:
            total = T.alloc_local((1,), "float32")
            total[0] = 0.0
            for j in T.serial(parts):
                total[0] += P[row, j]
            Y[row] = total[0]

    return main


class ModelNew(nn.Module):
    def forward(self, x):
        partial = torch.empty(x.shape[0], 8, dtype=torch.float32, device=x.device)
        partial_sums(*x.shape, 8)(x, partial)
        return added_up(x.shape[0], 8)(partial)
