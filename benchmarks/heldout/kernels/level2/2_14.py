"""Problem Name: 14_Gemm_Divide_Sum_Scaling"""

import tilelang
import tilelang.language as T
import torch
import torch.nn as nn


@tilelang.jit(out_idx=[-1])
def naive_gemm_div(M, N, K):
    @T.prim_func
    def naive_gemm_div_kernel(
        A: T.Tensor((M, K), "float16"),
        W: T.Tensor((N, K), "float16"),
        Out: T.Tensor((M, N), "float32"),
    ):
        with T.Kernel(T.ceildiv(N, 16), T.ceildiv(M, 16), threads=256) as (bx, by):
            tid = T.get_thread_binding(0)
            row = by * 16 + tid // 16
            col = bx * 16 + tid % 16
            if row < M and col < N:
                val = T.alloc_var("float32", 0.0)
                for k in T.serial(K):
                    val += T.cast(A[row, k], "float32") * T.cast(W[col, k], "float32")
                Out[row, col] = val / 2.0

    return naive_gemm_div_kernel


class ModelNew(nn.Module):
    def __init__(self, input_size: int, hidden_size: int, scaling_factor: float):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(hidden_size, input_size))
        self.scaling_factor = scaling_factor

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        gemm = naive_gemm_div(x.shape[0], self.weight.shape[0], x.shape[1])
        out = gemm(x, self.weight)
        return (out.sum(dim=1, keepdim=True) * self.scaling_factor).to(x.dtype)
