"""Problem Name: 62_conv_standard_2D__square_input__asymmetric_kernel"""

import tilelang
import tilelang.language as T
import torch
import torch.nn as nn
import torch.nn.functional as F


@tilelang.jit(out_idx=[-1])
def simple_matmul(M, N, K):
    @T.prim_func
    def simple_matmul_kernel(
        A: T.Tensor((M, K), "float16"),
        B: T.Tensor((K, N), "float16"),
        C: T.Tensor((M, N), "float32"),
    ):
        with T.Kernel(M, threads=64) as row:
            C_local = T.alloc_fragment((N,), "float32")
            T.clear(C_local)
            for kk in T.serial(K):
                for j in T.Parallel(N):
                    C_local[j] += T.cast(A[row, kk], "float32") * T.cast(B[kk, j], "float32")
            T.copy(C_local, C[row, 0])

    return simple_matmul_kernel


class ModelNew(nn.Module):
    def __init__(self, in_channels: int, out_channels: int, kernel_size: tuple):
        super().__init__()
        self.conv2d = nn.Conv2d(in_channels, out_channels, kernel_size, bias=False)
        self.kernel_size = kernel_size

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        n, c, h, w = x.shape
        kh, kw = self.kernel_size
        oh, ow = h - kh + 1, w - kw + 1
        # im2col: (n, c*kh*kw, oh*ow) -> (n*oh*ow, c*kh*kw)
        cols = F.unfold(x, (kh, kw)).transpose(1, 2).reshape(n * oh * ow, c * kh * kw).contiguous()
        weight = self.conv2d.weight.reshape(self.conv2d.out_channels, -1).t().contiguous()
        out = simple_matmul(cols.shape[0], weight.shape[1], cols.shape[1])(cols, weight)
        return out.to(x.dtype).view(n, oh, ow, -1).permute(0, 3, 1, 2).contiguous()
