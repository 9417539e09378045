"""Problem Name: 34_InstanceNorm"""

import tilelang
import tilelang.language as T
import torch
import torch.nn as nn


@tilelang.jit(out_idx=[-1])
def instance_norm_kernel(planes, numel, eps, threads=512):
    @T.prim_func
    def instance_norm(x: T.Tensor((planes, numel), "float16"), y: T.Tensor((planes, numel), "float16")):
        with T.Kernel(planes, threads=threads) as plane:
            # The plane stays in registers, as fp16 since fp32 wouldn't fit: memory is read once and written once.
            pixel = T.alloc_fragment((numel,), "float16")
            term = T.alloc_fragment((numel,), "float32")
            mean = T.alloc_fragment((1,), "float32")
            scale = T.alloc_fragment((1,), "float32")

            T.copy(x[plane, 0], pixel)
            for i in T.Parallel(numel):
                term[i] = pixel[i]
            T.reduce_sum(term, mean, dim=0)
            mean[0] /= numel
            for i in T.Parallel(numel):
                term[i] = (pixel[i] - mean[0]) * (pixel[i] - mean[0])
            T.reduce_sum(term, scale, dim=0)
            scale[0] = T.rsqrt(scale[0] / numel + eps)
            for i in T.Parallel(numel):
                pixel[i] = (pixel[i] - mean[0]) * scale[0]
            T.copy(pixel, y[plane, 0])

    return instance_norm


class ModelNew(nn.Module):
    def __init__(self, num_features: int):
        super().__init__()
        self.inorm = nn.InstanceNorm2d(num_features)
        self.kernels = {}

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        shape = (x.shape[0] * x.shape[1], x.shape[2] * x.shape[3])
        if shape not in self.kernels:
            self.kernels[shape] = instance_norm_kernel(*shape, self.inorm.eps)
        return self.kernels[shape](x.view(shape)).view(x.shape)
