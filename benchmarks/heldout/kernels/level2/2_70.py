"""Problem Name: 70_Gemm_Sigmoid_Scaling_ResidualAdd"""

import tilelang
import tilelang.language as T
import torch.nn as nn


def get_gemm(M, N, K):
    BM, BN, BK = 32, 64, 32

    @T.prim_func
    def gemm_fp32(
        A: T.Tensor((M, K), "float32"),
        B: T.Tensor((K, N), "float32"),
        C: T.Tensor((M, N), "float32"),
    ):
        with T.Kernel(T.ceildiv(N, BN), T.ceildiv(M, BM), threads=128) as (bx, by):
            As = T.alloc_shared((BM, BK), "float32")
            Bs = T.alloc_shared((BK, BN), "float32")
            Cl = T.alloc_fragment((BM, BN), "float32")
            T.clear(Cl)
            for ko in T.serial(T.ceildiv(K, BK)):
                T.copy(A[by * BM, ko * BK], As)
                T.copy(B[ko * BK, bx * BN], Bs)
                for kk in T.serial(BK):
                    for i, j in T.Parallel(BM, BN):
                        Cl[i, j] += As[i, kk] * Bs[kk, j]
            T.copy(Cl, C[by * BM, bx * BN])

    return gemm_fp32


def get_act(M, N, scale):
    @T.prim_func
    def sigmoid_scale_add(
        C: T.Tensor((M, N), "float32"),
        bias: T.Tensor((N,), "float32"),
        D: T.Tensor((M, N), "float32"),
    ):
        with T.Kernel(M, threads=32) as by:
            for j in T.Parallel(N):
                D[by, j] = (C[by, j] + bias[j]) + scale / (1.0 + T.exp(-(C[by, j] + bias[j])))

    return sigmoid_scale_add


class ModelNew(nn.Module):
    def __init__(self, input_size: int, hidden_size: int, scaling_factor: float):
        super().__init__()
        self.gemm = nn.Linear(input_size, hidden_size)
        self.scaling_factor = scaling_factor
        self.programs = None

    def forward(self, x):
        M, K = x.shape
        N = self.gemm.weight.shape[0]
        if self.programs is None:
            self.programs = (
                tilelang.compile(get_gemm(M, N, K), out_idx=[2]),
                tilelang.compile(get_act(M, N, self.scaling_factor), out_idx=[2]),
            )
        gemm, act = self.programs
        weight = self.gemm.weight.t().contiguous().float()
        c = gemm(x.float(), weight)
        return act(c, self.gemm.bias.float()).half()
