"""Problem Name: 23_Softmax
Evaluation Result: compiled=True correctness=True runtime_stats={'speedup_ratio': 0.5411, 'interval': [0.5381, 0.5472], 'candidate_ms': 0.01797, 'baseline_ms': 0.00974, 'baseline': 'PyTorch eager', 'precision': 'fp16', 'gpu': 'NVIDIA H200', 'pairs': 50, 'trust': 'B'}
Measured By: tilewright 0.1.0 on 2026-11-22 (cuda 13.0, driver 580.159.04, python 3.12.3, tilelang 0.1.15, torch 2.11.0+cu130); kernel 28a1390ec0410d5a"""

import tilelang
import tilelang.language as T
import torch.nn as nn


@tilelang.jit(out_idx=[-1])
def row_max(rows, dim, block_N=1024, threads=128, dtype="float16"):
    @T.prim_func
    def row_max_kernel(
        X: T.Tensor((rows, dim), dtype),
        Max: T.Tensor((rows,), "float32"),
    ):
        with T.Kernel(rows, threads=threads) as row:
            tile = T.alloc_fragment((1, block_N), "float32")
            best = T.alloc_fragment((1,), "float32")

            T.fill(best, -T.infinity("float32"))
            for k in T.serial(T.ceildiv(dim, block_N)):
                for i, j in T.Parallel(1, block_N):
                    tile[i, j] = T.if_then_else(
                        k * block_N + j < dim,
                        T.cast(X[row + i, k * block_N + j], "float32"),
                        -T.infinity("float32"),
                    )
                T.reduce_max(tile, best, dim=1, clear=False)
            T.copy(best, Max[row])

    return row_max_kernel


@tilelang.jit(out_idx=[-2, -1])
def exp_and_sum(rows, dim, block_N=1024, threads=128, dtype="float16"):
    @T.prim_func
    def exp_sum_kernel(
        X: T.Tensor((rows, dim), dtype),
        Max: T.Tensor((rows,), "float32"),
        Exp: T.Tensor((rows, dim), "float32"),
        Sum: T.Tensor((rows,), "float32"),
    ):
        with T.Kernel(rows, threads=threads) as row:
            tile = T.alloc_fragment((1, block_N), "float32")
            total = T.alloc_fragment((1,), "float32")

            T.clear(total)
            for k in T.serial(T.ceildiv(dim, block_N)):
                for i, j in T.Parallel(1, block_N):
                    tile[i, j] = T.if_then_else(
                        k * block_N + j < dim,
                        T.exp(T.cast(X[row + i, k * block_N + j], "float32") - Max[row + i]),
                        0.0,
                    )
                for i, j in T.Parallel(1, block_N):
                    if k * block_N + j < dim:
                        Exp[row + i, k * block_N + j] = tile[i, j]
                T.reduce_sum(tile, total, dim=1, clear=False)
            T.copy(total, Sum[row])

    return exp_sum_kernel


@tilelang.jit(out_idx=[-1])
def divide_rows(rows, dim, block_N=1024, threads=128, dtype="float16"):
    @T.prim_func
    def divide_kernel(
        Exp: T.Tensor((rows, dim), "float32"),
        Sum: T.Tensor((rows,), "float32"),
        Y: T.Tensor((rows, dim), dtype),
    ):
        with T.Kernel(T.ceildiv(dim, block_N), rows, threads=threads) as (bx, row):
            for j in T.Parallel(block_N):
                if bx * block_N + j < dim:
                    Y[row, bx * block_N + j] = T.cast(Exp[row, bx * block_N + j] / Sum[row], dtype)

    return divide_kernel


class ModelNew(nn.Module):
    def __init__(self):
        super().__init__()
        self.kernels = {}

    def forward(self, x):
        shape = tuple(x.shape)
        if shape not in self.kernels:
            self.kernels[shape] = (row_max(*shape), exp_and_sum(*shape), divide_rows(*shape))
        max_kernel, exp_sum_kernel, divide_kernel = self.kernels[shape]

        row_maximum = max_kernel(x)
        exps, row_sum = exp_sum_kernel(x, row_maximum)
        return divide_kernel(exps, row_sum)
