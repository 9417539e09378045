"""A 3 x 3 convolution over channels last, as a matrix product whose left side is gathered tile by tile."""

import tilelang
import tilelang.language as T
import torch.nn as nn

TUNABLES = {
    "block_M": (64, 128, 256),
    "block_N": (64, 128, 256),
    "block_K": (32, 64),
    "num_stages": (0, 1, 2, 3),
    "threads": (128, 256),
}


@tilelang.jit(out_idx=[-1])
def convolution(
    batch, height, width, channels, filters, block_M=64, block_N=64, block_K=32, num_stages=0, threads=128
):
    pixels, depth = batch * height * width, 9 * channels

    @T.prim_func
    def convolution_kernel(
        X: T.Tensor((batch, height, width, channels), "float16"),
        W: T.Tensor((filters, depth), "float16"),
        Y: T.Tensor((pixels, filters), "float16"),
    ):
        with T.Kernel(T.ceildiv(filters, block_N), T.ceildiv(pixels, block_M), threads=threads) as (bx, by):
            X_shared = T.alloc_shared((block_M, block_K), "float16")
            W_shared = T.alloc_shared((block_N, block_K), "float16")
            Y_local = T.alloc_fragment((block_M, block_N), "float32")
            Y_shared = T.alloc_shared((block_M, block_N), "float16")

            T.clear(Y_local)
            for k in T.Pipelined(T.ceildiv(depth, block_K), num_stages=num_stages):
                for i, j in T.Parallel(block_M, block_K):
                    pixel, place = by * block_M + i, k * block_K + j
                    row = pixel // width % height + place // channels // 3 - 1
                    column = pixel % width + place // channels % 3 - 1
                    inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
                    X_shared[i, j] = T.if_then_else(
                        inside, X[pixel // (height * width), row, column, place % channels], T.float16(0)
                    )
                T.copy(W[bx * block_N, k * block_K], W_shared)
                T.gemm(X_shared, W_shared, Y_local, transpose_B=True)
            T.copy(Y_local, Y_shared)
            T.copy(Y_shared, Y[by * block_M, bx * block_N])

    return convolution_kernel


class ModelNew(nn.Module):
    def __init__(self):
        super().__init__()
        self.kernels = {}

    def forward(self, x, weight):
        filters = weight.shape[0]
        sizes = (*x.shape, filters)
        if sizes not in self.kernels:
            self.kernels[sizes] = convolution(*sizes)
        return self.kernels[sizes](x, weight.view(filters, -1)).view(*x.shape[:3], filters)
