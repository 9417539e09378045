"""Problem Name: 37_FrobeniusNorm_"""

import tilelang
import tilelang.language as T
import torch
import torch.nn as nn


@tilelang.jit
def sum_of_squares_kernel(numel, per_thread=64, threads=128):
    block = per_thread * threads

    @T.prim_func
    def sum_of_squares(x: T.Tensor((numel,), "float16"), total: T.Tensor((1,), "float32")):
        with T.Kernel(T.ceildiv(numel, block), threads=threads) as bx:
            tx = T.get_thread_binding()
            partial = T.alloc_local((1,), "float32")
            value = T.alloc_local((1,), "float32")
            partial[0] = 0.0
            for i in T.serial(per_thread):
                idx = bx * block + tx * per_thread + i
                if idx < numel:
                    value[0] = x[idx]
                    partial[0] += value[0] * value[0]
            T.atomic_add(total[0], partial[0])

    return sum_of_squares


@tilelang.jit(out_idx=[-1])
def divide_kernel(numel, per_thread=8, threads=256):
    block = per_thread * threads

    @T.prim_func
    def divide(
        x: T.Tensor((numel,), "float16"),
        total: T.Tensor((1,), "float32"),
        y: T.Tensor((numel,), "float16"),
    ):
        with T.Kernel(T.ceildiv(numel, block), threads=threads) as bx:
            for i in T.Parallel(block):
                if bx * block + i < numel:
                    y[bx * block + i] = x[bx * block + i] / T.sqrt(total[0])

    return divide


class ModelNew(nn.Module):
    def __init__(self):
        super().__init__()
        self.sum_kernels = {}
        self.divide_kernels = {}

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        flat = x.contiguous().view(-1)
        numel = flat.numel()
        if numel not in self.sum_kernels:
            self.sum_kernels[numel] = sum_of_squares_kernel(numel)
            self.divide_kernels[numel] = divide_kernel(numel)
        total = torch.zeros(1, dtype=torch.float32, device=x.device)
        self.sum_kernels[numel](flat, total)
        return self.divide_kernels[numel](flat, total).view(x.shape)
