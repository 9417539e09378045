"""Compiled by a decorator over the prim_func, inside a builder that returns it."""

import tilelang
import tilelang.language as T
import torch
import torch.nn as nn


def build_relu(numel: int, block_size: int = 256, dtype: str = "float16"):
    @tilelang.jit(out_idx=-1)  # compiled when the builder runs
    @T.prim_func
    def relu(
        X: T.Tensor((numel,), dtype),  # flattened input
        Y: T.Tensor((numel,), dtype),
    ):
        zero = T.Cast(dtype, 0)
        with T.Kernel(T.ceildiv(numel, block_size), threads=block_size) as bx:
            tx = T.get_thread_binding(0)
            idx = bx * block_size + tx
            if idx < numel:
                Y[idx] = T.max(X[idx], zero)

    return relu


class ModelNew(nn.Module):
    def __init__(self):
        super().__init__()
        self.kernels = {}

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if x.numel() not in self.kernels:
            self.kernels[x.numel()] = build_relu(x.numel())
        return self.kernels[x.numel()](x.reshape(-1)).view_as(x)


def prim_func():
    return build_relu(4096)
