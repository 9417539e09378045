"""Problem Name: 95_CrossEntropyLoss"""

import tilelang
import tilelang.language as T
import torch
import torch.nn as nn


@tilelang.jit(out_idx=[-1])
def loss_partials_kernel(rows, classes, block_M=32, threads=128):
    blocks = -(-rows // block_M)
    padded = 1 << (classes - 1).bit_length()

    @T.prim_func
    def loss_partials(
        logits: T.Tensor((rows, classes), "float16"),
        targets: T.Tensor((rows,), "int64"),
        partials: T.Tensor((blocks,), "float32"),
    ):
        with T.Kernel(blocks, threads=threads) as bx:
            logit = T.alloc_fragment((block_M, padded), "float32")
            row_max = T.alloc_fragment((block_M,), "float32")
            row_sum = T.alloc_fragment((block_M,), "float32")
            loss = T.alloc_fragment((block_M,), "float32")
            total = T.alloc_fragment((1,), "float32")

            for i, c in T.Parallel(block_M, padded):
                logit[i, c] = T.if_then_else(
                    bx * block_M + i < rows and c < classes,
                    T.cast(logits[bx * block_M + i, c], "float32"),
                    -T.infinity("float32"),
                )
            T.reduce_max(logit, row_max, dim=1)
            for i, c in T.Parallel(block_M, padded):
                logit[i, c] = T.exp(logit[i, c] - row_max[i])
            T.reduce_sum(logit, row_sum, dim=1)
            for i in T.Parallel(block_M):
                loss[i] = 0.0
                if bx * block_M + i < rows:
                    # The target's score is read again, from a line that the cache holds.
                    target_logit = logits[bx * block_M + i, targets[bx * block_M + i]]
                    loss[i] = T.log(row_sum[i]) + row_max[i] - target_logit
            T.reduce_sum(loss, total, dim=0)
            T.copy(total, partials[bx])

    return loss_partials


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
    """Log-sum-exp, the target's score and the sum of a block's losses in one pass, then the mean: no atomics."""

    def __init__(self):
        super().__init__()
        self.partials_kernels = {}
        self.mean_kernels = {}

    def forward(self, predictions: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        rows, classes = predictions.shape
        if (rows, classes) not in self.partials_kernels:
            self.partials_kernels[rows, classes] = loss_partials_kernel(rows, classes)
        partials = self.partials_kernels[rows, classes](predictions, targets)

        blocks = partials.shape[0]
        if (blocks, rows) not in self.mean_kernels:
            self.mean_kernels[blocks, rows] = mean_of_partials_kernel(blocks, rows)
        return self.mean_kernels[blocks, rows](partials).view(())
