"""Problem Name: 96_HuberLoss
Evaluation Result: compiled=True correctness=True runtime_stats={'speedup_ratio': 1.6409, 'interval': [1.6199, 1.6642], 'candidate_ms': 0.00931, 'baseline_ms': 0.01456, 'baseline': 'PyTorch eager', 'precision': 'fp16', 'gpu': 'NVIDIA H200', 'pairs': 100, 'trust': 'B'}
Measured By: tilewright 0.1.0 on 2026-11-22 (cuda 13.0, driver 580.159.04, python 3.12.3, tilelang 0.1.15, torch 2.11.0+cu130); kernel 8c85609c10f75a95"""

import tilelang
import tilelang.language as T
import torch
import torch.nn as nn


@tilelang.jit(out_idx=[-1])
def huber_partials_kernel(numel, block_N=4096, threads=256):
    blocks = -(-numel // block_N)

    @T.prim_func
    def huber_partials(
        predictions: T.Tensor((numel,), "float16"),
        targets: T.Tensor((numel,), "float16"),
        partials: T.Tensor((blocks,), "float32"),
    ):
        with T.Kernel(blocks, threads=threads) as bx:
            loss = T.alloc_fragment((block_N,), "float32")
            target = T.alloc_fragment((block_N,), "float32")
            total = T.alloc_fragment((1,), "float32")

            # Past the end both copies read zeros, which add nothing to the sum.
            T.copy(predictions[bx * block_N], loss)
            T.copy(targets[bx * block_N], target)
            for i in T.Parallel(block_N):
                distance = T.abs(loss[i] - target[i])
                loss[i] = T.if_then_else(distance < 1.0, 0.5 * distance * distance, distance - 0.5)
            T.reduce_sum(loss, total, dim=0)
            T.copy(total, partials[bx])

    return huber_partials


@tilelang.jit(out_idx=[-1])
def mean_of_partials_kernel(blocks, numel, block_N=1024, threads=128):
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
            total[0] /= numel
            T.copy(total, mean)

    return mean_of_partials


class ModelNew(nn.Module):
    """Sums of blocks first, then their mean: no atomics, so the result is the same on every run."""

    def __init__(self):
        super().__init__()
        self.partials_kernels = {}
        self.mean_kernels = {}

    def forward(self, predictions: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        numel = predictions.numel()
        if numel not in self.partials_kernels:
            self.partials_kernels[numel] = huber_partials_kernel(numel)
        partials = self.partials_kernels[numel](predictions.view(-1), targets.view(-1))

        blocks = partials.shape[0]
        if (blocks, numel) not in self.mean_kernels:
            self.mean_kernels[blocks, numel] = mean_of_partials_kernel(blocks, numel)
        return self.mean_kernels[blocks, numel](partials).view(())
