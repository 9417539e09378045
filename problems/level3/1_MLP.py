"""A perceptron with two hidden layers, evaluated for a single sample."""

import torch
import torch.nn as nn

batch_size = 1
input_size = 1000
layer_sizes = [400, 800]
output_size = 500


class Model(nn.Module):
    """Linear layers of the sizes `layer_sizes`, each with ReLU, then a linear layer to `output_size`"""

    def __init__(self, input_size: int, layer_sizes: list[int], output_size: int):
        super().__init__()
        layers = []
        width = input_size
        for size in layer_sizes:
            layers += [nn.Linear(width, size), nn.ReLU()]
            width = size
        layers.append(nn.Linear(width, output_size))
        self.network = nn.Sequential(*layers)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.network(x)


def get_inputs():
    return [torch.randn(batch_size, input_size)]


def get_init_inputs():
    return [input_size, layer_sizes, output_size]
