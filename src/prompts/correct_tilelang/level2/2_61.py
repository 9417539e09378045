"""Problem Name: 61_ConvTranspose3d_ReLU_GroupNorm
Evaluation Result: compiled=True correctness=True runtime_stats={'speedup_ratio': 0.5902, 'interval': [0.5876, 0.5917], 'candidate_ms': 0.22054, 'baseline_ms': 0.13011, 'baseline': 'PyTorch eager', 'precision': 'fp16', 'gpu': 'NVIDIA H200', 'pairs': 30, 'trust': 'B'}
Measured By: tilewright 0.1.0 on 2026-11-22 (cuda 13.0, driver 580.159.04, python 3.12.3, tilelang 0.1.15, torch 2.11.0+cu130); kernel ad1b7946e22f36aa"""

import tilelang
import tilelang.language as T
import torch.nn as nn
import torch.nn.functional as F


@tilelang.jit(out_idx=[-1])
def relu(n, block=1024, threads=128):
    @T.prim_func
    def relu_kernel(
        X: T.Tensor((n,), "float32"),
        Y: T.Tensor((n,), "float32"),
    ):
        with T.Kernel(T.ceildiv(n, block), threads=threads) as bx:
            for i in T.Parallel(block):
                if bx * block + i < n:
                    Y[bx * block + i] = T.max(X[bx * block + i], T.float32(0))

    return relu_kernel


@tilelang.jit(out_idx=[-1])
def group_norm(batch, groups, group_channels, spatial, eps, threads=128):
    group_size = group_channels * spatial

    @T.prim_func
    def group_norm_kernel(
        X: T.Tensor((batch, groups, group_size), "float32"),
        W: T.Tensor((groups * group_channels,), "float32"),
        B: T.Tensor((groups * group_channels,), "float32"),
        Y: T.Tensor((batch, groups, group_size), "float32"),
    ):
        with T.Kernel(groups, batch, threads=threads) as (g, n):
            tx = T.get_thread_binding(0)
            partial = T.alloc_shared((group_channels,), "float32")
            stats = T.alloc_shared((2,), "float32")
            acc = T.alloc_local((1,), "float32")

            if tx < group_channels:
                acc[0] = 0.0
                for i in T.serial(spatial):
                    acc[0] += X[n, g, tx * spatial + i]
                partial[tx] = acc[0]
            T.sync_threads()
            if tx == 0:
                acc[0] = 0.0
                for c in T.serial(group_channels):
                    acc[0] += partial[c]
                stats[0] = acc[0] / group_size
            T.sync_threads()

            if tx < group_channels:
                acc[0] = 0.0
                for i in T.serial(spatial):
                    acc[0] += (X[n, g, tx * spatial + i] - stats[0]) * (X[n, g, tx * spatial + i] - stats[0])
                partial[tx] = acc[0]
            T.sync_threads()
            if tx == 0:
                acc[0] = 0.0
                for c in T.serial(group_channels):
                    acc[0] += partial[c]
                stats[1] = T.rsqrt(acc[0] / group_size + T.float32(eps))
            T.sync_threads()

            for k in T.serial(T.ceildiv(group_size, threads)):
                i = k * threads + tx
                if i < group_size:
                    c = g * group_channels + i // spatial
                    Y[n, g, i] = (X[n, g, i] - stats[0]) * stats[1] * W[c] + B[c]

    return group_norm_kernel


class ModelNew(nn.Module):
    def __init__(self, in_channels, out_channels, kernel_size, groups, bias=False):
        super().__init__()
        self.conv_transpose = nn.ConvTranspose3d(in_channels, out_channels, kernel_size, bias=bias)
        self.group_norm = nn.GroupNorm(num_groups=groups, num_channels=out_channels)
        self.groups = groups
        self.kernels = {}

    def forward(self, x):
        y = F.conv_transpose3d(x, self.conv_transpose.weight, self.conv_transpose.bias)
        y = y.float().contiguous()
        batch, channels = y.shape[:2]
        spatial = y[0, 0].numel()

        key = tuple(y.shape)
        if key not in self.kernels:
            self.kernels[key] = (
                relu(y.numel()),
                group_norm(batch, self.groups, channels // self.groups, spatial, self.group_norm.eps),
            )
        relu_kernel, norm_kernel = self.kernels[key]

        z = relu_kernel(y.view(-1)).view(batch, self.groups, -1)
        z = norm_kernel(z, self.group_norm.weight.float(), self.group_norm.bias.float())
        return z.view(y.shape).half()
