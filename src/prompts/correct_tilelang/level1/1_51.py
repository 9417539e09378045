"""Problem Name: 51_Argmax_over_a_dimension"""

import math

import tilelang
import tilelang.language as T
import torch
import torch.nn as nn


@tilelang.jit(out_idx=[-1])
def argmax_over_dim_kernel(outer, reduced, inner, block_M=256, block_N=32, threads=256):
    @T.prim_func
    def argmax_over_dim(x: T.Tensor((outer, reduced, inner), "float16"), y: T.Tensor((outer, inner), "int64")):
        with T.Kernel(T.ceildiv(inner, block_N), outer, threads=threads) as (bx, by):
            partial = T.alloc_fragment((block_M, block_N), "float16")
            place = T.alloc_fragment((block_M, block_N), "int32")
            largest = T.alloc_fragment((block_N,), "float16")
            first = T.alloc_fragment((block_N,), "int32")

            # Threads gather their own rows first; only the last two steps talk across threads.
            T.fill(partial, -T.infinity("float16"))
            for i, j in T.Parallel(block_M, block_N):
                place[i, j] = i
            for r in T.serial(T.ceildiv(reduced, block_M)):
                for i, j in T.Parallel(block_M, block_N):
                    if r * block_M + i < reduced and bx * block_N + j < inner:
                        value = x[by, r * block_M + i, bx * block_N + j]
                        place[i, j] = T.if_then_else(value > partial[i, j], r * block_M + i, place[i, j])
                        partial[i, j] = T.max(partial[i, j], value)
            T.reduce_max(partial, largest, dim=0)
            # Of equal values the first one counts.
            for i, j in T.Parallel(block_M, block_N):
                place[i, j] = T.if_then_else(partial[i, j] == largest[j], place[i, j], reduced)
            T.reduce_min(place, first, dim=0)
            for j in T.Parallel(block_N):
                if bx * block_N + j < inner:
                    y[by, bx * block_N + j] = first[j]

    return argmax_over_dim


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
            self.kernels[shape] = argmax_over_dim_kernel(*shape)
        return self.kernels[shape](x.view(shape)).view(kept)
