"""Problem Name: 8_Matmul_with_irregular_shapes"""

import tilelang
import tilelang.language as T
import torch
import torch.nn as nn

TUNABLES = {
    "block_M": (64, 128, 256),
    "block_N": (128, 256),
    "block_K": (64, 128),
    "num_stages": (2, 3, 4),
}


@tilelang.jit(out_idx=[-1])
def padded_rows_kernel(rows, columns, pitch, per_thread=8, threads=128):
    # Bulk copies ask for rows that begin at multiples of 16 bytes. One pass over each operand buys them.
    block_N = per_thread * threads

    @T.prim_func
    def padded_rows(X: T.Tensor((rows, columns), "float16"), Y: T.Tensor((rows, pitch), "float16")):
        with T.Kernel(T.ceildiv(pitch, block_N), rows, threads=threads) as (bx, by):
            value = T.alloc_local((per_thread,), "float16")
            first = bx * block_N + T.get_thread_binding(0)

            # Rows of odd length can be read by single numbers only: neighbouring threads take neighbouring ones,
            # and each has all its loads under way before the first store.
            for i in T.unroll(per_thread):
                value[i] = X[by, T.min(first + i * threads, columns - 1)]
            for i in T.unroll(per_thread):
                if first + i * threads < pitch:
                    Y[by, first + i * threads] = T.if_then_else(first + i * threads < columns, value[i], 0)

    return padded_rows


@tilelang.jit(out_idx=[-1])
def irregular_matmul_kernel(
    M, N, K, pitch_A, pitch_B, block_M=128, block_N=256, block_K=64, threads=256, num_stages=4
):
    @T.prim_func
    def irregular_matmul(
        A: T.Tensor((M, pitch_A), "float16"),
        B: T.Tensor((K, pitch_B), "float16"),
        C: T.Tensor((M, N), "float16"),
    ):
        with T.Kernel(T.ceildiv(N, block_N), T.ceildiv(M, block_M), threads=threads) as (bx, by):
            A_shared = T.alloc_shared((block_M, block_K), "float16")
            B_shared = T.alloc_shared((block_K, block_N), "float16")
            C_local = T.alloc_fragment((block_M, block_N), "float32")
            C_shared = T.alloc_shared((block_M, block_N), "float16")
            T.annotate_layout({C_shared: tilelang.layout.make_swizzled_layout(C_shared)})

            T.use_swizzle(8)
            T.clear(C_local)
            # What a tile has beyond the edges is filled with zeros, so no index is tested.
            for k in T.Pipelined(T.ceildiv(K, block_K), num_stages=num_stages):
                T.copy(A[by * block_M, k * block_K], A_shared)
                T.copy(B[k * block_K, bx * block_N], B_shared)
                T.gemm(A_shared, B_shared, C_local, policy=T.GemmWarpPolicy.FullRow)
            T.copy(C_local, C_shared)
            T.copy(C_shared, C[by * block_M, bx * block_N])

    return irregular_matmul


class ModelNew(nn.Module):
    def __init__(self):
        super().__init__()
        self.kernels = {}

    def forward(self, A: torch.Tensor, B: torch.Tensor) -> torch.Tensor:
        M, K = A.shape
        N = B.shape[1]
        if (M, N, K) not in self.kernels:
            pitch_A, pitch_B = (K + 7) // 8 * 8, (N + 7) // 8 * 8
            self.kernels[M, N, K] = (
                padded_rows_kernel(M, K, pitch_A),
                padded_rows_kernel(K, N, pitch_B),
                irregular_matmul_kernel(M, N, K, pitch_A, pitch_B),
            )
        pad_A, pad_B, matmul = self.kernels[M, N, K]
        return matmul(pad_A(A), pad_B(B))
