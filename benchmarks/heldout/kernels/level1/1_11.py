"""Problem Name: 11_4D_tensor_matrix_multiplication"""

import tilelang
import tilelang.language as T
import torch
import torch.nn as nn


@tilelang.jit(out_idx=[-1])
def tensor_matmul_4d(b, i, j, l, k):  # noqa: E741
    @T.prim_func
    def tensor_matmul(
        A: T.Tensor((b, i, j, l), "float16"),
        B: T.Tensor((l, k), "float16"),
        C: T.Tensor((b, i, j, k), "float16"),
    ):
        with T.Kernel(k // 128, j, b * i, threads=128) as (kb, jj, bi):
            kk = kb * 128 + T.get_thread_binding(0)
            acc = T.alloc_local((1,), "float32")
            T.clear(acc)
            for ll in T.serial(l):
                acc[0] += T.cast(A[bi // i, bi % i, jj, ll], "float32") * T.cast(B[ll, kk], "float32")
            C[bi // i, bi % i, jj, kk] = T.cast(acc[0], "float16")

    return tensor_matmul


class ModelNew(nn.Module):
    def __init__(self):
        super().__init__()
        self.kernel = None

    def forward(self, A: torch.Tensor, B: torch.Tensor) -> torch.Tensor:
        if self.kernel is None:
            b, i, j, l = A.shape  # noqa: E741
            self.kernel = tensor_matmul_4d(b, i, j, l, B.shape[1])
        return self.kernel(A, B)
