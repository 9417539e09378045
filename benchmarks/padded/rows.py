"""A memory-bound kernel with a known amount of work: EXTRA blocks write rows that others write as well."""

import tilelang
import tilelang.language as T
import torch.nn as nn

ROWS = 32800
COLUMNS = 4096
EXTRA = 0
THREADS = 256


@tilelang.jit(out_idx=[-1])
def rows(extra=EXTRA, threads=THREADS):
    @T.prim_func
    def rows_scaled(X: T.Tensor((ROWS, COLUMNS), "float16"), Y: T.Tensor((ROWS, COLUMNS), "float16")):
        with T.Kernel(ROWS + extra, threads=threads) as block:
            for column in T.Parallel(COLUMNS):
                Y[block % ROWS, column] = X[block % ROWS, column] * 2.0 + 1.0

    return rows_scaled


class ModelNew(nn.Module):
    def __init__(self):
        super().__init__()
        self.kernel = rows()

    def forward(self, x):
        return self.kernel(x)
