"""Problem Name: 37_FrobeniusNorm"""

import tilelang
import tilelang.language as T
import torch
import torch.nn as nn


@tilelang.jit(out_idx=[-1])
def square_sums_kernel(numel, block_N, step_N=4096, threads=256):
    blocks = -(-numel // block_N)

    @T.prim_func
    def square_sums(x: T.Tensor((numel,), "float16"), partials: T.Tensor((blocks,), "float32")):
        with T.Kernel(blocks, threads=threads) as bx:
            element = T.alloc_fragment((step_N,), "float16")
            square_sum = T.alloc_fragment((step_N,), "float32")
            total = T.alloc_fragment((1,), "float32")

            T.clear(square_sum)
            for k in T.serial(block_N // step_N):
                # Past the end the copy reads zeros, which add nothing to the sum.
                T.copy(x[bx * block_N + k * step_N], element)
                for i in T.Parallel(step_N):
                    square_sum[i] += T.cast(element[i], "float32") * element[i]
            T.reduce_sum(square_sum, total, dim=0)
            T.copy(total, partials[bx])

    return square_sums


@tilelang.jit(out_idx=[-1])
def divide_kernel(numel, partial_count, block_N=32768, step_N=4096, threads=256):
    blocks = -(-numel // block_N)

    @T.prim_func
    def divide(
        x: T.Tensor((numel,), "float16"),
        partials: T.Tensor((partial_count,), "float32"),
        y: T.Tensor((numel,), "float16"),
    ):
        with T.Kernel(blocks, threads=threads) as bx:
            partial = T.alloc_fragment((partial_count,), "float32")
            scale = T.alloc_fragment((1,), "float32")
            element = T.alloc_fragment((step_N,), "float16")
            # Backwards: what the pass before read last is still in L2.
            first = (blocks - 1 - bx) * block_N

            # Each block adds up the partial sums itself: cheaper than a launch that does nothing else.
            T.copy(partials, partial)
            T.reduce_sum(partial, scale, dim=0)
            scale[0] = T.rsqrt(scale[0])
            for k in T.serial(block_N // step_N):
                T.copy(x[first + k * step_N], element)
                for i in T.Parallel(step_N):
                    element[i] *= scale[0]
                T.copy(element, y[first + k * step_N])

    return divide


class ModelNew(nn.Module):
    """One pass for the sum of all squares, one that divides: the norm is needed before the first element is."""

    def __init__(self):
        super().__init__()
        self.kernels = {}

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        numel = x.numel()
        if numel not in self.kernels:
            # About eight blocks for each of an H100's multiprocessors, and no more partial sums than that.
            block_N = max(8192, 1 << (numel // 1024 - 1).bit_length())
            self.kernels[numel] = square_sums_kernel(numel, block_N), divide_kernel(numel, -(-numel // block_N))
        square_sums, divide = self.kernels[numel]
        flat = x.view(-1)
        return divide(flat, square_sums(flat)).view(x.shape)
