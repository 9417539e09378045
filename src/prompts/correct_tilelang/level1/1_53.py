"""Problem Name: 53_Min_reduction_over_a_dimension"""

import math

import tilelang
import tilelang.language as T
import torch
import torch.nn as nn


@tilelang.jit(out_idx=[-1])
def min_over_dim_kernel(outer, reduced, inner, block_M=256, block_N=32, threads=256):
    @T.prim_func
    def min_over_dim(x: T.Tensor((outer, reduced, inner), "float16"), y: T.Tensor((outer, inner), "float16")):
        with T.Kernel(T.ceildiv(inner, block_N), outer, threads=threads) as (bx, by):
            partial = T.alloc_fragment((block_M, block_N), "float16")
            smallest = T.alloc_fragment((block_N,), "float16")

            # Threads gather their own rows first; only the last step talks across threads, for the eight columns
            # of a thread at once.
            T.fill(partial, T.infinity("float16"))
            for r in T.serial(T.ceildiv(reduced, block_M)):
                for i, j in T.Parallel(block_M, block_N):
                    if r * block_M + i < reduced and bx * block_N + j < inner:
                        partial[i, j] = T.min(partial[i, j], x[by, r * block_M + i, bx * block_N + j])
            T.reduce_min(partial, smallest, dim=0, batch=8)
            T.copy(smallest, y[by, bx * block_N])

    return min_over_dim


class ModelNew(nn.Module):
    def __init__(self, dim: int):
        super().__init__()
        self.dim = dim
        self.kernels = {}

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        dim = self.dim % x.dim()
        kept = x.shape[:dim] + x.shape[dim + 1 :]
        shape = (math.prod(x.shape[:dim]), x.shape[dim], math.prod(x.shape[dim + 1 :]))
        if shape not in self.kernels:
            self.kernels[shape] = min_over_dim_kernel(*shape)
        return self.kernels[shape](x.view(shape)).view(kept)
