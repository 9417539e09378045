"""Problem Name: 99_TripletMarginLoss"""

import tilelang
import tilelang.language as T
import torch
import torch.nn as nn

EPS = 1e-6  # what PyTorch adds to every difference


@tilelang.jit(out_idx=[-1])
def triplet_losses_kernel(rows, dim, margin, threads=256):
    @T.prim_func
    def triplet_losses(
        anchor: T.Tensor((rows, dim), "float16"),
        positive: T.Tensor((rows, dim), "float16"),
        negative: T.Tensor((rows, dim), "float16"),
        losses: T.Tensor((rows,), "float32"),
    ):
        with T.Kernel(rows, threads=threads) as row:
            a = T.alloc_fragment((dim,), "float16")
            p = T.alloc_fragment((dim,), "float16")
            n = T.alloc_fragment((dim,), "float16")
            square = T.alloc_fragment((dim,), "float32")
            to_positive = T.alloc_fragment((1,), "float32")
            to_negative = T.alloc_fragment((1,), "float32")
            loss = T.alloc_fragment((1,), "float32")

            T.copy(anchor[row, 0], a)
            T.copy(positive[row, 0], p)
            T.copy(negative[row, 0], n)
            for j in T.Parallel(dim):
                distance = T.cast(a[j], "float32") - p[j] + EPS
                square[j] = distance * distance
            T.reduce_sum(square, to_positive, dim=0)
            for j in T.Parallel(dim):
                distance = T.cast(a[j], "float32") - n[j] + EPS
                square[j] = distance * distance
            T.reduce_sum(square, to_negative, dim=0)
            loss[0] = T.max(margin + T.sqrt(to_positive[0]) - T.sqrt(to_negative[0]), 0.0)
            T.copy(loss, losses[row])

    return triplet_losses


@tilelang.jit(out_idx=[-1])
def mean_kernel(rows, block_N=128, threads=128):
    @T.prim_func
    def mean_of_losses(losses: T.Tensor((rows,), "float32"), mean: T.Tensor((1,), "float16")):
        with T.Kernel(1, threads=threads) as _:
            partial = T.alloc_fragment((block_N,), "float32")
            total = T.alloc_fragment((1,), "float32")

            T.clear(partial)
            for k in T.serial(T.ceildiv(rows, block_N)):
                for i in T.Parallel(block_N):
                    if k * block_N + i < rows:
                        partial[i] += losses[k * block_N + i]
            T.reduce_sum(partial, total, dim=0)
            total[0] /= rows
            T.copy(total, mean)

    return mean_of_losses


class ModelNew(nn.Module):
    """A block reads a triplet once for both of its distances; then the mean over the rows."""

    def __init__(self, margin: float):
        super().__init__()
        self.margin = margin
        self.kernels = {}

    def forward(self, anchor: torch.Tensor, positive: torch.Tensor, negative: torch.Tensor) -> torch.Tensor:
        rows, dim = anchor.shape
        if (rows, dim) not in self.kernels:
            self.kernels[rows, dim] = triplet_losses_kernel(rows, dim, self.margin), mean_kernel(rows)
        triplet_losses, mean_of_losses = self.kernels[rows, dim]
        return mean_of_losses(triplet_losses(anchor, positive, negative)).view(())
