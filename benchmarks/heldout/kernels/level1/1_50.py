"""Problem Name: 50_conv_standard_2D__square_input__square_kernel"""

import tilelang
import tilelang.language as T
import torch.nn as nn
import torch.nn.functional as F


def conv2d_direct(N, CI, H, W, CO, K, S, OH, OW):
    total = N * CO * OH * OW

    @T.prim_func
    def conv2d(
        x: T.Tensor((N, CI, H, W), "float16"),
        w: T.Tensor((CO, CI, K, K), "float16"),
        b: T.Tensor((CO,), "float16"),
        y: T.Tensor((N, CO, OH, OW), "float16"),
    ):
        with T.Kernel(T.ceildiv(total, 256), threads=256) as bx:
            gid = bx * 256 + T.get_thread_binding(0)
            if gid < total:
                ow = gid % OW
                oh = gid // OW % OH
                oc = gid // (OW * OH) % CO
                n = gid // (OW * OH * CO)
                acc = T.alloc_local((1,), "float32")
                acc[0] = b[oc]
                for ic, kh, kw in T.grid(CI, K, K):
                    acc[0] = acc[0] + T.cast(x[n, ic, oh * S + kh, ow * S + kw], "float32") * T.cast(
                        w[oc, ic, kh, kw], "float32"
                    )
                y[n, oc, oh, ow] = acc[0]

    return conv2d


class ModelNew(nn.Module):
    def __init__(self, num_classes: int = 1000):
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels=3, out_channels=96, kernel_size=11, stride=4, padding=2)
        self.compiled = None

    def forward(self, x):
        x = F.pad(x, (2, 2, 2, 2))
        N, CI, H, W = x.shape
        OH = (H - 11) // 4 + 1
        OW = (W - 11) // 4 + 1
        if self.compiled is None:
            self.compiled = tilelang.compile(
                conv2d_direct(N, CI, H, W, 96, 11, 4, OH, OW), out_idx=[3], target="cuda"
            )
        return self.compiled(x, self.conv1.weight, self.conv1.bias)
