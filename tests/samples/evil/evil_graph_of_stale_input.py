"""CLASS: 31 CUDA graph replay of stale input
CAUGHT BY: verifier
REFERENCE: linear_relu.py
NEEDS: cuda
"""

import torch
from torch import nn


class ModelNew(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.linear = nn.Linear(inputs, outputs)
        self.graph = None

    def forward(self, x):
        if self.graph is None:
            torch.relu(self.linear(x))
            torch.cuda.synchronize()
            self.given = x.clone()
            self.graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(self.graph):
                self.out = torch.relu(self.linear(self.given))
        self.graph.replay()
        return self.out.clone()
