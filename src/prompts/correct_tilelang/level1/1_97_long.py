"""Problem Name: 97_ScaledDotProductAttention
Workload: long
"""

import tilelang
import tilelang.language as T
import torch
import torch.nn as nn

LOG2_E = 1.4426950408889634


@tilelang.jit(out_idx=[-1])
def attention_kernel(batch, heads, tokens, dim, block_M=128, block_N=128, threads=256, num_stages=2):
    shape = (batch, heads, tokens, dim)
    # exp(x / sqrt(dim)) as a power of two: one multiplication less for each score.
    scale = LOG2_E / dim**0.5

    @T.prim_func
    def attention(
        Q: T.Tensor(shape, "float16"),
        K: T.Tensor(shape, "float16"),
        V: T.Tensor(shape, "float16"),
        Y: T.Tensor(shape, "float16"),
    ):
        with T.Kernel(T.ceildiv(tokens, block_M), heads, batch, threads=threads) as (bx, h, b):
            Q_shared = T.alloc_shared((block_M, dim), "float16")
            K_shared = T.alloc_shared((block_N, dim), "float16")
            V_shared = T.alloc_shared((block_N, dim), "float16")
            Y_shared = T.alloc_shared((block_M, dim), "float16")
            score = T.alloc_fragment((block_M, block_N), "float32")
            weight = T.alloc_fragment((block_M, block_N), "float16")
            acc = T.alloc_fragment((block_M, dim), "float32")
            row_max = T.alloc_fragment((block_M,), "float32")
            old_max = T.alloc_fragment((block_M,), "float32")
            shrink = T.alloc_fragment((block_M,), "float32")
            tile_sum = T.alloc_fragment((block_M,), "float32")
            row_sum = T.alloc_fragment((block_M,), "float32")

            T.copy(Q[b, h, bx * block_M : (bx + 1) * block_M, :], Q_shared)
            T.clear(acc)
            T.clear(row_sum)
            T.fill(row_max, -T.infinity("float32"))
            for k in T.Pipelined(T.ceildiv(tokens, block_N), num_stages=num_stages):
                T.copy(K[b, h, k * block_N : (k + 1) * block_N, :], K_shared)
                for i, j in T.Parallel(block_M, block_N):
                    score[i, j] = T.if_then_else(k * block_N + j < tokens, 0.0, -T.infinity("float32"))
                T.gemm(Q_shared, K_shared, score, transpose_B=True, policy=T.GemmWarpPolicy.FullRow)

                # The softmax so far is rescaled whenever a row meets a larger score.
                T.copy(row_max, old_max)
                T.reduce_max(score, row_max, dim=1, clear=False)
                for i in T.Parallel(block_M):
                    shrink[i] = T.exp2((old_max[i] - row_max[i]) * scale)
                for i, j in T.Parallel(block_M, block_N):
                    score[i, j] = T.exp2(score[i, j] * scale - row_max[i] * scale)
                T.reduce_sum(score, tile_sum, dim=1)
                for i in T.Parallel(block_M):
                    row_sum[i] = row_sum[i] * shrink[i] + tile_sum[i]
                for i, j in T.Parallel(block_M, dim):
                    acc[i, j] *= shrink[i]

                T.copy(score, weight)
                T.copy(V[b, h, k * block_N : (k + 1) * block_N, :], V_shared)
                T.gemm(weight, V_shared, acc, policy=T.GemmWarpPolicy.FullRow)
            for i, j in T.Parallel(block_M, dim):
                acc[i, j] /= row_sum[i]
            T.copy(acc, Y_shared)
            T.copy(Y_shared, Y[b, h, bx * block_M : (bx + 1) * block_M, :])

    return attention


class ModelNew(nn.Module):
    """Scores stay on the chip, a tile of keys at a time: memory sees only the inputs and the output."""

    def __init__(self):
        super().__init__()
        self.kernels = {}

    def forward(self, Q: torch.Tensor, K: torch.Tensor, V: torch.Tensor) -> torch.Tensor:
        if Q.shape not in self.kernels:
            self.kernels[Q.shape] = attention_kernel(*Q.shape)
        return self.kernels[Q.shape](Q, K, V)
