"""Problem Name: 45_Gemm_Sigmoid_LogSumExp"""

import tilelang
import tilelang.language as T
import torch
import torch.nn as nn

TS = 16


@tilelang.jit(out_idx=[-1])
def tiled_linear(M, N, K, use_sigmoid):
    """Classic CUDA tiling: 16x16 threads, one output each."""

    @T.prim_func
    def linear(
        X: T.Tensor((M, K), "float16"),
        W: T.Tensor((N, K), "float16"),
        Bias: T.Tensor((N,), "float16"),
        Y: T.Tensor((M, N), "float16"),
    ):
        with T.Kernel(N // TS, M // TS, threads=(TS, TS)) as (bx, by):
            tx = T.get_thread_binding(0)
            ty = T.get_thread_binding(1)
            Xs = T.alloc_shared((TS, TS), "float16")
            Ws = T.alloc_shared((TS, TS), "float16")
            acc = T.alloc_local((1,), "float32")
            acc[0] = T.cast(Bias[bx * TS + tx], "float32")
            for t in T.serial(K // TS):
                Xs[ty, tx] = X[by * TS + ty, t * TS + tx]
                Ws[ty, tx] = W[bx * TS + ty, t * TS + tx]
                T.sync_threads()
                for k in T.serial(TS):
                    acc[0] += T.cast(Xs[ty, k], "float32") * T.cast(Ws[tx, k], "float32")
                T.sync_threads()
            if use_sigmoid:
                Y[by * TS + ty, bx * TS + tx] = 1.0 / (1.0 + T.exp(-acc[0]))
            else:
                Y[by * TS + ty, bx * TS + tx] = acc[0]

    return linear


class ModelNew(nn.Module):
    def __init__(self, input_size: int, hidden_size: int, output_size: int):
        super().__init__()
        self.linear1 = nn.Linear(input_size, hidden_size)
        self.linear2 = nn.Linear(hidden_size, output_size)

    def _linear(self, x, layer, use_sigmoid):
        rows = x.shape[0]
        padded = (rows + TS - 1) // TS * TS
        if padded != rows:
            x = torch.nn.functional.pad(x, (0, 0, 0, padded - rows))
        kernel = tiled_linear(padded, layer.weight.shape[0], layer.weight.shape[1], use_sigmoid)
        return kernel(x, layer.weight, layer.bias)[:rows]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self._linear(x, self.linear1, True)
        x = self._linear(x, self.linear2, False)
        return torch.logsumexp(x, dim=1)
