"""Problem Name: 98_KLDivLoss"""

import tilelang
import tilelang.language as T
import torch
import torch.nn as nn


@tilelang.jit(out_idx=[-1])
def pointwise_kl_kernel(rows, cols, threads=128):
    @T.prim_func
    def pointwise_kl(
        predictions: T.Tensor((rows, cols), "float16"),
        targets: T.Tensor((rows, cols), "float16"),
        terms: T.Tensor((rows, cols), "float32"),
    ):
        with T.Kernel(T.ceildiv(cols, threads), rows, threads=threads) as (bx, row):
            for i in T.Parallel(threads):
                terms[row, bx * threads + i] = T.if_then_else(
                    targets[row, bx * threads + i] > T.float16(0),
                    T.cast(targets[row, bx * threads + i], "float32")
                    * (
                        T.log(T.cast(targets[row, bx * threads + i], "float32"))
                        - T.log(T.cast(predictions[row, bx * threads + i], "float32"))
                    ),
                    0.0,
                )

    return pointwise_kl


@tilelang.jit(out_idx=[-1])
def sum_kernel(numel, blocks, divisor, dtype, threads):
    share = numel // blocks

    @T.prim_func
    def sum_all(terms: T.Tensor((numel,), "float32"), sums: T.Tensor((blocks,), dtype)):
        with T.Kernel(blocks, threads=threads) as bx:
            chunk = T.alloc_fragment((threads,), "float32")
            part = T.alloc_fragment((1,), "float32")
            total = T.alloc_fragment((1,), "float32")
            T.clear(total)
            for k in T.serial(share // threads):
                T.copy(terms[bx * share + k * threads], chunk)
                T.reduce_sum(chunk, part, dim=0)
                total[0] += part[0]
            sums[bx] = total[0] / divisor

    return sum_all


class ModelNew(nn.Module):
    def __init__(self):
        super().__init__()
        self.kernels = {}

    def forward(self, predictions: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        rows, cols = predictions.shape
        if (rows, cols) not in self.kernels:
            self.kernels[rows, cols] = (
                pointwise_kl_kernel(rows, cols),
                sum_kernel(rows * cols, 128, 1, "float32", threads=256),
                sum_kernel(128, 1, rows, "float16", threads=128),
            )
        pointwise, sum_parts, sum_all = self.kernels[rows, cols]
        terms = pointwise(predictions, targets)
        return sum_all(sum_parts(terms.view(-1))).view(())
