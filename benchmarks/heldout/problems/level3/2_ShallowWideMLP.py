"""Three linear layers with ReLU between; 1024 to 2048, 2048 and 1000, far from KernelBench's 16384 and 32768."""

import torch
import torch.nn as nn

batch_size = 128
input_size = 1024
hidden_layer_sizes = [2048, 2048]
output_size = 1000


class Model(nn.Module):
    def __init__(self, input_size: int, hidden_layer_sizes: list[int], output_size: int):
        super().__init__()
        layers: list[nn.Module] = []
        current = input_size
        for hidden in hidden_layer_sizes:
            layers.append(nn.Linear(current, hidden))
            layers.append(nn.ReLU())
            current = hidden
        layers.append(nn.Linear(current, output_size))
        self.network = nn.Sequential(*layers)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.network(x)


def get_inputs():
    return [torch.randn(batch_size, input_size)]


def get_init_inputs():
    return [input_size, hidden_layer_sizes, output_size]
