"""WHAT: views of fully sorted rows: larger storage than the output
REFERENCE: top_five.py
PRECISION: fp32"""

import torch.nn as nn


class ModelNew(nn.Module):
    def forward(self, x):
        values, places = x.sort(dim=1, descending=True, stable=True)
        return values[:, :5], places[:, :5]
