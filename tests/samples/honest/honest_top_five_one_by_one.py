"""WHAT: values and indices, the largest taken out five times
REFERENCE: top_five.py
PRECISION: fp32"""

import torch
import torch.nn as nn


class ModelNew(nn.Module):
    def forward(self, x):
        left, values, places = x.clone(), [], []
        for _ in range(5):
            value, place = left.max(dim=1, keepdim=True)
            left.scatter_(1, place, float("-inf"))
            values.append(value)
            places.append(place)
        return torch.cat(values, dim=1), torch.cat(places, dim=1)
