"""Problem Name: 71_Conv2d_Divide_LeakyReLU"""

import tilelang
import tilelang.language as T
import torch
import torch.nn as nn


@tilelang.jit(out_idx=[-1])
def im2col(C, H, W, KS):
    OH, OW = H - KS + 1, W - KS + 1

    @T.prim_func
    def im2col_kernel(img: T.Tensor((C, H, W), "float16"), col: T.Tensor((C * KS * KS, OH * OW), "float16")):
        with T.Kernel(C * KS * KS, threads=64) as r:
            for p in T.Parallel(OH * OW):
                col[r, p] = img[r // (KS * KS), p // OW + r % (KS * KS) // KS, p % OW + r % KS]

    return im2col_kernel


@tilelang.jit(out_idx=[-1])
def gemm_one_image(CO, P, K):
    @T.prim_func
    def gemm_kernel(
        Wm: T.Tensor((CO, K), "float16"),
        col: T.Tensor((K, P), "float16"),
        out: T.Tensor((CO, P), "float32"),
    ):
        with T.Kernel(T.ceildiv(P, 64), T.ceildiv(CO, 64), threads=128) as (bx, by):
            ws = T.alloc_shared((64, 16), "float16")
            cs = T.alloc_shared((16, 64), "float16")
            acc = T.alloc_fragment((64, 64), "float32")
            T.clear(acc)
            for k in T.serial(K // 16):
                T.copy(Wm[by * 64, k * 16], ws)
                T.copy(col[k * 16, bx * 64], cs)
                T.gemm(ws, cs, acc)
            for i, j in T.Parallel(64, 64):
                if bx * 64 + j < P:
                    out[by * 64 + i, bx * 64 + j] = acc[i, j]

    return gemm_kernel


class ModelNew(nn.Module):
    def __init__(self, in_channels: int, out_channels: int, kernel_size: int, divisor: float):
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, kernel_size)
        self.divisor = divisor

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        weight = self.conv.weight
        CO, C, KS, _ = weight.shape
        B, _, H, W = x.shape
        OH, OW = H - KS + 1, W - KS + 1
        flat_weight = weight.reshape(CO, C * KS * KS).contiguous()
        results = []
        for b in range(B):
            col = im2col(C, H, W, KS)(x[b].contiguous())
            results.append(gemm_one_image(CO, OH * OW, C * KS * KS)(flat_weight, col))
        y = torch.stack(results).view(B, CO, OH, OW)
        y = y + self.conv.bias.view(1, -1, 1, 1)
        y = y / self.divisor
        return torch.where(y > 0, y, y * 0.01).half()
