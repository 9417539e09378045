"""Problem Name: 98_KLDivLoss"""

import tilelang
import tilelang.language as T
import torch
import torch.nn as nn


@tilelang.jit(out_idx=[-1])
def kl_div_partials_kernel(numel, block_N=4096, threads=256):
    blocks = -(-numel // block_N)

    @T.prim_func
    def kl_div_partials(
        predictions: T.Tensor((numel,), "float16"),
        targets: T.Tensor((numel,), "float16"),
        partials: T.Tensor((blocks,), "float32"),
    ):
        with T.Kernel(blocks, threads=threads) as bx:
            predicted = T.alloc_fragment((block_N,), "float16")
            target = T.alloc_fragment((block_N,), "float16")
            divergence = T.alloc_fragment((block_N,), "float32")
            total = T.alloc_fragment((1,), "float32")

            T.copy(predictions[bx * block_N], predicted)
            T.copy(targets[bx * block_N], target)
            for i in T.Parallel(block_N):
                # Where the target is zero nothing is added, also past the end, where the copies read zeros.
                divergence[i] = T.if_then_else(
                    target[i] > 0,
                    target[i] * (T.log(T.cast(target[i], "float32")) - T.log(T.cast(predicted[i], "float32"))),
                    0.0,
                )
            T.reduce_sum(divergence, total, dim=0)
            T.copy(total, partials[bx])

    return kl_div_partials


@tilelang.jit(out_idx=[-1])
def mean_of_partials_kernel(blocks, rows, block_N=128, threads=128):
    @T.prim_func
    def mean_of_partials(partials: T.Tensor((blocks,), "float32"), mean: T.Tensor((1,), "float16")):
        with T.Kernel(1, threads=threads) as _:
            partial = T.alloc_fragment((block_N,), "float32")
            total = T.alloc_fragment((1,), "float32")

            T.clear(partial)
            for k in T.serial(T.ceildiv(blocks, block_N)):
                for i in T.Parallel(block_N):
                    if k * block_N + i < blocks:
                        partial[i] += partials[k * block_N + i]
            T.reduce_sum(partial, total, dim=0)
            total[0] /= rows
            T.copy(total, mean)

    return mean_of_partials


class ModelNew(nn.Module):
    """Logarithms, products and sums of a block in one pass, then the mean over the rows: no atomics."""

    def __init__(self):
        super().__init__()
        self.partials_kernels = {}
        self.mean_kernels = {}

    def forward(self, predictions: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        numel, rows = predictions.numel(), predictions.shape[0]
        if numel not in self.partials_kernels:
            self.partials_kernels[numel] = kl_div_partials_kernel(numel)
        partials = self.partials_kernels[numel](predictions.view(-1), targets.view(-1))

        blocks = partials.shape[0]
        if (blocks, rows) not in self.mean_kernels:
            self.mean_kernels[blocks, rows] = mean_of_partials_kernel(blocks, rows)
        return self.mean_kernels[blocks, rows](partials).view(())
