"""Problem Name: 1_Conv2D_ReLU_BiasAdd"""

import tilelang
import tilelang.language as T
import torch
import torch.nn as nn


@tilelang.jit(out_idx=[-1])
def conv3x3(batch, cin, h, w, cout, ksz):
    ho = h - ksz + 1
    wo = w - ksz + 1

    @T.prim_func
    def conv_main(
        img: T.Tensor((batch, cin, h, w), "float16"),
        flt: T.Tensor((cout, cin, ksz, ksz), "float16"),
        bias: T.Tensor((cout,), "float16"),
        out: T.Tensor((batch, cout, ho, wo), "float16"),
    ):
        with T.Kernel(ho, cout, batch, threads=32) as (y, oc, n):
            acc = T.alloc_fragment((wo,), "float32")
            for x in T.Parallel(wo):
                acc[x] = T.cast(bias[oc], "float32")
            for c in T.serial(cin):
                for ky in T.serial(ksz):
                    for kx in T.serial(ksz):
                        for x in T.Parallel(wo):
                            acc[x] += T.cast(img[n, c, y + ky, x + kx], "float32") * T.cast(
                                flt[oc, c, ky, kx], "float32"
                            )
            for x in T.Parallel(wo):
                out[n, oc, y, x] = T.cast(acc[x], "float16")

    return conv_main


class ModelNew(nn.Module):
    def __init__(self, in_channels: int, out_channels: int, kernel_size: int, bias_shape: tuple):
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, kernel_size)
        self.bias = nn.Parameter(torch.randn(bias_shape))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        w = self.conv.weight
        k = conv3x3(x.shape[0], x.shape[1], x.shape[2], x.shape[3], w.shape[0], w.shape[2])
        out = k(x, w, self.conv.bias)
        out = torch.relu(out)
        return out + self.bias
