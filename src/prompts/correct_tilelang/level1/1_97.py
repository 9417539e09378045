"""Problem Name: 97_ScaledDotProductAttention"""

import tilelang
import tilelang.language as T
import torch
import torch.nn as nn

LOG2_E = 1.4426950408889634


@tilelang.jit(out_idx=[-1])
def attention_kernel(
    batch, heads, tokens, dim, block_M=64, block_D=512, key_K=64, value_K=32, threads=256, num_stages=2
):
    shape = (batch, heads, tokens, dim)
    # exp(x / sqrt(dim)) as a power of two: one multiplication less for each score.
    scale = LOG2_E / dim**0.5
    steps = -(-tokens // value_K)

    @T.prim_func
    def attention(
        Q: T.Tensor(shape, "float16"),
        K: T.Tensor(shape, "float16"),
        V: T.Tensor(shape, "float16"),
        Y: T.Tensor(shape, "float16"),
    ):
        with T.Kernel(T.ceildiv(tokens, block_M), heads, batch, threads=threads) as (bx, h, b):
            Q_shared = T.alloc_shared((block_M, key_K), "float16")
            K_shared = T.alloc_shared((tokens, key_K), "float16")
            V_shared = T.alloc_shared((value_K, block_D), "float16")
            weight_shared = T.alloc_shared((steps, block_M, value_K), "float16")
            score = T.alloc_fragment((block_M, tokens), "float32")
            row_max = T.alloc_fragment((block_M,), "float32")
            row_sum = T.alloc_fragment((block_M,), "float32")
            acc = T.alloc_fragment((block_M, block_D), "float32")

            # Heads this wide leave no room for a running output, but a block's scores fit into registers whole.
            T.clear(score)
            for k in T.Pipelined(T.ceildiv(dim, key_K), num_stages=num_stages):
                T.copy(Q[b, h, bx * block_M : (bx + 1) * block_M, k * key_K : (k + 1) * key_K], Q_shared)
                T.copy(K[b, h, :, k * key_K : (k + 1) * key_K], K_shared)
                T.gemm(Q_shared, K_shared, score, transpose_B=True, policy=T.GemmWarpPolicy.FullCol)
            T.reduce_max(score, row_max, dim=1)
            for i, j in T.Parallel(block_M, tokens):
                score[i, j] = T.exp2(score[i, j] * scale - row_max[i] * scale)
            T.reduce_sum(score, row_sum, dim=1)
            for i, j in T.Parallel(block_M, tokens):
                weight_shared[j // value_K, i, j % value_K] = score[i, j] / row_sum[i]

            for d in T.serial(T.ceildiv(dim, block_D)):
                T.clear(acc)
                for k in T.Pipelined(steps, num_stages=num_stages):
                    T.copy(V[b, h, k * value_K : (k + 1) * value_K, d * block_D : (d + 1) * block_D], V_shared)
                    T.gemm(weight_shared[k, :, :], V_shared, acc, policy=T.GemmWarpPolicy.FullCol)
                T.copy(acc, Y[b, h, bx * block_M : (bx + 1) * block_M, d * block_D : (d + 1) * block_D])

    return attention


class ModelNew(nn.Module):
    """Scores stay on the chip: memory sees only the inputs and the output."""

    def __init__(self):
        super().__init__()
        self.kernels = {}

    def forward(self, Q: torch.Tensor, K: torch.Tensor, V: torch.Tensor) -> torch.Tensor:
        if Q.shape not in self.kernels:
            self.kernels[Q.shape] = attention_kernel(*Q.shape)
        return self.kernels[Q.shape](Q, K, V)
