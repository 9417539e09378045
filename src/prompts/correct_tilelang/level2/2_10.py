"""Problem Name: 10_ConvTranspose2d_MaxPool_Hardtanh_Mean_Tanh
Evaluation Result: compiled=True correctness=True runtime_stats={'speedup_ratio': 0.2769, 'interval': [0.2763, 0.2776], 'candidate_ms': 0.40469, 'baseline_ms': 0.11211, 'baseline': 'PyTorch eager', 'precision': 'fp16', 'gpu': 'NVIDIA H200', 'pairs': 30, 'trust': 'B'}
Measured By: tilewright 0.1.0 on 2026-11-22 (cuda 13.0, driver 580.159.04, python 3.12.3, tilelang 0.1.15, torch 2.11.0+cu130); kernel 33bcd613d8d5b829"""

import tilelang
import tilelang.language as T
import torch.nn as nn
import torch.nn.functional as F


@tilelang.jit(out_idx=[-1])
def pool_clamp_mean_tanh(
    batch,
    channels,
    height,
    width,
    pool_size,
    pool_stride,
    min_val,
    max_val,
    samples_per_block=8,
    threads=64,
    dtype="float16",
    accum_dtype="float32",
):
    out_h = (height - pool_size) // pool_stride + 1
    out_w = (width - pool_size) // pool_stride + 1

    @T.prim_func
    def pool_clamp_mean_tanh_kernel(
        X: T.Tensor((batch, channels, height, width), dtype),
        Y: T.Tensor((batch, channels, 1, 1), dtype),
    ):
        with T.Kernel(
            T.ceildiv(channels, threads),
            T.ceildiv(batch, samples_per_block),
            threads=threads,
        ) as (bc, bn):
            tx = T.get_thread_binding(0)
            largest = T.alloc_local((1,), accum_dtype)
            total = T.alloc_local((1,), accum_dtype)

            c = bc * threads + tx
            for s in T.serial(samples_per_block):
                n = bn * samples_per_block + s
                if n < batch and c < channels:
                    total[0] = 0.0
                    for oh, ow in T.grid(out_h, out_w):
                        largest[0] = -T.infinity(accum_dtype)
                        for ph, pw in T.grid(pool_size, pool_size):
                            largest[0] = T.max(
                                largest[0],
                                T.cast(X[n, c, oh * pool_stride + ph, ow * pool_stride + pw], accum_dtype),
                            )
                        total[0] += T.min(T.max(largest[0], T.float32(min_val)), T.float32(max_val))
                    Y[n, c, 0, 0] = T.cast(T.tanh(total[0] / (out_h * out_w)), dtype)

    return pool_clamp_mean_tanh_kernel


class ModelNew(nn.Module):
    def __init__(
        self,
        in_channels,
        out_channels,
        kernel_size,
        stride,
        padding,
        maxpool_kernel_size,
        maxpool_stride,
        hardtanh_min,
        hardtanh_max,
    ):
        super().__init__()
        self.conv_transpose = nn.ConvTranspose2d(
            in_channels, out_channels, kernel_size, stride=stride, padding=padding
        )
        self.stride = stride
        self.padding = padding
        self.maxpool_kernel_size = maxpool_kernel_size
        self.maxpool_stride = maxpool_stride
        self.hardtanh_min = hardtanh_min
        self.hardtanh_max = hardtanh_max

    def forward(self, x):
        weight = self.conv_transpose.weight.float().contiguous().half()
        bias = self.conv_transpose.bias.float().contiguous().half()
        y = F.conv_transpose2d(x.half(), weight, bias, stride=self.stride, padding=self.padding)

        batch, channels, height, width = y.shape
        kernel = pool_clamp_mean_tanh(
            batch,
            channels,
            height,
            width,
            self.maxpool_kernel_size,
            self.maxpool_stride,
            self.hardtanh_min,
            self.hardtanh_max,
        )
        return kernel(y.contiguous())
