"""Problem Name: 85_conv_depthwise_2D_asymmetric_input_asymmetric_kernel"""

import tilelang
import tilelang.language as T
import torch
import torch.nn as nn


@tilelang.jit(out_idx=[-1])
def depthwise(batch, channels, height, width, kh, kw):
    oh = height - kh + 1
    ow = width - kw + 1

    @T.prim_func
    def depthwise_kernel(
        inp: T.Tensor((batch, channels, height, width), "float32"),
        filt: T.Tensor((channels, kh, kw), "float32"),
        result: T.Tensor((batch, channels, oh, ow), "float32"),
    ):
        with T.Kernel(ow, oh, batch, threads=channels) as (x, y, n):
            c = T.get_thread_binding(0)
            acc = T.alloc_var("float32", 0.0)
            for r in T.serial(kh):
                for s in T.serial(kw):
                    acc += inp[n, c, y + r, x + s] * filt[c, r, s]
            result[n, c, y, x] = acc

    return depthwise_kernel


class ModelNew(nn.Module):
    def __init__(self, in_channels: int, kernel_size_h: int, kernel_size_w: int):
        super().__init__()
        self.conv2d = nn.Conv2d(
            in_channels, in_channels, (kernel_size_h, kernel_size_w), groups=in_channels, bias=False
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        weight = self.conv2d.weight.float().squeeze(1).contiguous()
        b, c, h, w = x.shape
        kernel = depthwise(b, c, h, w, weight.shape[1], weight.shape[2])
        return kernel(x.float().contiguous(), weight).to(x.dtype)
