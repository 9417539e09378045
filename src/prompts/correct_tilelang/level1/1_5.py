"""Problem Name: 5_Matrix_scalar_multiplication"""

import tilelang
import tilelang.language as T
import torch.nn as nn


@tilelang.jit(out_idx=[-1])
def scale_matrix(M, N, s, threads=32, dtype="float16"):
    @T.prim_func
    def scale_kernel(
        A: T.Tensor((M, N), dtype),
        C: T.Tensor((M, N), dtype),
    ):
        with T.Kernel(T.ceildiv(N, threads), M, threads=threads) as (bx, by):
            tx = T.get_thread_binding(0)
            col = bx * threads + tx
            if col < N:
                C[by, col] = T.cast(T.cast(A[by, col], "float32") * T.float32(s), dtype)

    return scale_kernel


class ModelNew(nn.Module):
    def __init__(self):
        super().__init__()
        self.kernels = {}

    def forward(self, A, s):
        M, N = A.shape
        key = (M, N, float(s))
        if key not in self.kernels:
            self.kernels[key] = scale_matrix(M, N, float(s))
        return self.kernels[key](A)
