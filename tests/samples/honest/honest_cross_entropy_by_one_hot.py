"""WHAT: targets as a product with one-hot rows, summed in fp32
REFERENCE: cross_entropy.py
PRECISION: fp16"""

import torch
import torch.nn as nn
import torch.nn.functional as F


class ModelNew(nn.Module):
    def forward(self, logits, target):
        wide = logits.float()
        chosen = (F.one_hot(target, logits.shape[1]) * torch.log_softmax(wide, dim=1)).sum()
        return (-chosen / target.numel()).to(logits.dtype)
