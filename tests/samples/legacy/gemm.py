"""A matrix product with keywords and pass configurations of 2025."""

import tilelang.language as T
from tilelang import jit


def build_gemm(M, N, K, block_M=128, block_N=128, block_K=32, num_stages=2, threads=128):
    @jit(
        out_idx=[-1],
        execution_backend="dlpack",
        pass_configs={
            "tl.disable_dynamic_tail_split": True,  # K is a multiple of the tile
            "tir.disable_vectorize": False,
            "tl.disable_warp_specialized": True,
        },
    )
    @T.prim_func
    def gemm(
        A: T.Buffer((M, K), "float16"),
        B: T.Buffer((N, K), "float16"),
        C: T.Buffer((M, N), "float16"),
    ):
        with T.Kernel(T.ceildiv(N, block_N), T.ceildiv(M, block_M), threads=threads) as (bx, by):
            A_shared = T.alloc_shared((block_M, block_K), "float16")
            B_shared = T.alloc_shared((block_N, block_K), "float16")
            C_local = T.alloc_fragment((block_M, block_N), "float")
            T.clear(C_local)
            for ko in T.Pipelined(T.ceildiv(K, block_K), num_stages=num_stages):
                T.copy(A[by * block_M, ko * block_K], A_shared, 8)
                T.copy(B[bx * block_N, ko * block_K], B_shared)
                T.gemm(A_shared, B_shared, C_local, transpose_B=True, k_pack=1)
            T.copy(C_local, C[by * block_M, bx * block_N])

    return gemm


def prim_func():
    return build_gemm(256, 256, 256)
