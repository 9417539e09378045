"""WHAT: three passes in place on a copy of the input
REFERENCE: softmax.py
PRECISION: fp32"""

import torch.nn as nn


class ModelNew(nn.Module):
    def forward(self, x):
        y = x.clone()
        y.sub_(y.amax(dim=1, keepdim=True)).exp_()
        y.div_(y.sum(dim=1, keepdim=True))
        return y
