"""Problem Name: 69_conv_transposed_2D__asymmetric_input__asymmetric_kernel"""

import tilelang
import tilelang.language as T
import torch
import torch.nn as nn


@tilelang.jit(out_idx=[2])
def conv_transpose2d(B, Cin, Hin, Win, Cout, Kh, Kw):
    Hout = Hin + Kh - 1
    Wout = Win + Kw - 1
    threads = (Wout + 31) // 32 * 32

    @T.prim_func
    def deconv(
        X: T.Tensor((B, Cin, Hin, Win), "float16"),
        Wt: T.Tensor((Cin, Cout, Kh, Kw), "float16"),
        Y: T.Tensor((B, Cout, Hout, Wout), "float16"),
    ):
        # gather formulation, thread = one output pixel
        with T.Kernel(Hout, Cout, B, threads=threads) as (ho, co, b):
            wo = T.get_thread_binding(0)
            s = T.alloc_local((1,), "float32")
            s[0] = T.float32(0)
            if wo < Wout:
                for ci in T.serial(Cin):
                    for p in T.serial(Kh):
                        for q in T.serial(Kw):
                            if ho >= p and ho - p < Hin and wo >= q and wo - q < Win:
                                s[0] += X[b, ci, ho - p, wo - q].astype("float32") * Wt[ci, co, p, q].astype(
                                    "float32"
                                )
                Y[b, co, ho, wo] = s[0].astype("float16")

    return deconv


class ModelNew(nn.Module):
    def __init__(self, in_channels: int, out_channels: int, kernel_size: tuple):
        super().__init__()
        self.conv_transpose2d = nn.ConvTranspose2d(in_channels, out_channels, kernel_size, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        w = self.conv_transpose2d.weight
        fn = conv_transpose2d(x.shape[0], x.shape[1], x.shape[2], x.shape[3], w.shape[1], w.shape[2], w.shape[3])
        return fn(x, w)
