"""One minus the cosine of the angle between two vectors, averaged over the batch."""

import torch
import torch.nn.functional as F
from torch import nn

batch_size = 128
dim = 4096


class Model(nn.Module):
    def forward(self, predictions: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        return torch.mean(1 - F.cosine_similarity(predictions, targets, dim=1))


def get_inputs() -> list[torch.Tensor]:
    return [torch.randn(batch_size, dim), torch.randn(batch_size, dim)]


def get_init_inputs() -> list[object]:
    return []
