"""Problem Name: 28_HardSigmoid"""

import tilelang
import tilelang.language as T
from torch import nn


@tilelang.jit(out_idx=-1)
def hardsigmoid_rows(R, C, chunk=1024):
    @T.prim_func
    def hardsigmoid(src: T.Tensor((R, C), "float16"), dst: T.Tensor((R, C), "float16")):
        # one program per row, walk along the row chunk by chunk
        with T.Kernel(R, threads=128) as r:
            buf = T.alloc_shared((chunk,), "float16")
            res = T.alloc_shared((chunk,), "float16")
            for c in T.serial(T.ceildiv(C, chunk)):
                T.copy(src[r, c * chunk], buf)
                for t in T.Parallel(chunk):
                    res[t] = T.max(0.0, T.min(1.0, T.cast(buf[t], "float32") / 6.0 + 0.5))
                T.copy(res, dst[r, c * chunk])

    return hardsigmoid


class ModelNew(nn.Module):
    def __init__(self):
        super().__init__()

    def forward(self, x):
        fn = hardsigmoid_rows(x.shape[0], x.shape[1])
        return fn(x)
