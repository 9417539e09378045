"""Problem Name: 51_Argmax_over_a_dimension"""

import tilelang
import tilelang.language as T
import torch
import torch.nn as nn


@tilelang.jit(out_idx=[-1])
def argmax_kernel(rows, length, threads=32):
    @T.prim_func
    def argmax(x: T.Tensor((rows, length), "float16"), index: T.Tensor((rows,), "int64")):
        with T.Kernel(T.ceildiv(rows, threads), threads=threads) as bx:
            tx = T.get_thread_binding()
            row = bx * threads + tx
            best = T.alloc_local((1,), "float32")
            best_index = T.alloc_local((1,), "int32")
            if row < rows:
                best[0] = x[row, 0]
                best_index[0] = 0
                for i in T.serial(length):
                    if x[row, i] > best[0]:
                        best[0] = x[row, i]
                        best_index[0] = i
                index[row] = best_index[0]

    return argmax


class ModelNew(nn.Module):
    def __init__(self, dim: int):
        super().__init__()
        self.dim = dim
        self.kernels = {}

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        # Move the reduced dimension to the end so that rows are contiguous.
        moved = x.movedim(self.dim, -1)
        shape = moved.shape[:-1]
        length = moved.shape[-1]
        flat = moved.contiguous().view(-1, length)
        rows = flat.shape[0]
        if (rows, length) not in self.kernels:
            self.kernels[rows, length] = argmax_kernel(rows, length)
        index = self.kernels[rows, length](flat)
        return index.view(shape)
