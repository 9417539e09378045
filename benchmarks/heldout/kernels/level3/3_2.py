"""Problem Name: 2_ShallowWideMLP"""

import tilelang
import tilelang.language as T
import torch
import torch.nn as nn


def linear_program(M, N, K):
    @T.prim_func
    def linear_fn(
        X: T.Tensor((M, K), "float16"),
        W: T.Tensor((K, N), "float16"),
        Y: T.Tensor((M, N), "float32"),
    ):
        with T.Kernel(T.ceildiv(N, 64), M, threads=64) as (bn, m):
            n = bn * 64 + T.get_thread_binding(0)
            acc = T.alloc_var("float32", 0.0)
            if n < N:
                for k in T.serial(K):
                    acc += T.cast(X[m, k], "float32") * T.cast(W[k, n], "float32")
                Y[m, n] = acc

    return linear_fn


class ModelNew(nn.Module):
    def __init__(self, input_size: int, hidden_layer_sizes: list, output_size: int):
        super().__init__()
        layers = []
        prev = input_size
        for h in hidden_layer_sizes:
            layers += [nn.Linear(prev, h), nn.ReLU()]
            prev = h
        layers.append(nn.Linear(prev, output_size))
        self.network = nn.Sequential(*layers)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for layer in self.network:
            if isinstance(layer, nn.Linear):
                M, K = x.shape
                N = layer.out_features
                kernel = tilelang.compile(linear_program(M, N, K), out_idx=[-1])
                y = kernel(x.contiguous(), layer.weight.t().contiguous())
                x = (y + layer.bias.float()).half()
            else:
                x = torch.clamp(x, min=0.0)
        return x
