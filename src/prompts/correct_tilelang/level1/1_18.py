"""Problem Name: 18_Matmul_with_transposed_both"""

import tilelang
import tilelang.language as T
import torch
import torch.nn as nn

TUNABLES = {
    "block_M": (64, 128, 256),
    "block_N": (64, 128, 256),
    "block_K": (64, 128),
    "threads": (128, 256),
    "num_stages": (2, 3, 4),
}


@tilelang.jit(out_idx=[-1])
def matmul_transposed_both_kernel(M, N, K, block_M=128, block_N=128, block_K=128, threads=256, num_stages=3):
    @T.prim_func
    def matmul_transposed_both(
        A: T.Tensor((K, M), "float16"),
        B: T.Tensor((N, K), "float16"),
        C: T.Tensor((M, N), "float16"),
    ):
        with T.Kernel(T.ceildiv(N, block_N), T.ceildiv(M, block_M), threads=threads) as (bx, by):
            # The tiles keep the layouts of memory; the matrix unit reads both transposed.
            A_shared = T.alloc_shared((block_K, block_M), "float16")
            B_shared = T.alloc_shared((block_N, block_K), "float16")
            C_local = T.alloc_fragment((block_M, block_N), "float32")
            C_shared = T.alloc_shared((block_M, block_N), "float16")

            T.use_swizzle(4)
            T.clear(C_local)
            for k in T.Pipelined(T.ceildiv(K, block_K), num_stages=num_stages):
                T.copy(A[k * block_K, by * block_M], A_shared)
                T.copy(B[bx * block_N, k * block_K], B_shared)
                T.gemm(
                    A_shared,
                    B_shared,
                    C_local,
                    transpose_A=True,
                    transpose_B=True,
                    policy=T.GemmWarpPolicy.FullRow,
                )
            T.copy(C_local, C_shared)
            T.copy(C_shared, C[by * block_M, bx * block_N])

    return matmul_transposed_both


class ModelNew(nn.Module):
    def __init__(self):
        super().__init__()
        self.kernels = {}

    def forward(self, A: torch.Tensor, B: torch.Tensor) -> torch.Tensor:
        K, M = A.shape
        N = B.shape[0]
        if (M, N, K) not in self.kernels:
            self.kernels[M, N, K] = matmul_transposed_both_kernel(M, N, K)
        return self.kernels[M, N, K](A, B)
