"""CLASS: 19 cache by data_ptr/id
CAUGHT BY: timing
REFERENCE: matmul.py
"""

from torch import nn


class ModelNew(nn.Module):
    def __init__(self):
        super().__init__()
        self.known = []

    def forward(self, a, b):
        for left, right, versions, answer in self.known:
            if left is a and right is b and versions == (a._version, b._version):
                return answer.clone()
        answer = a @ b
        self.known = self.known[-7:] + [(a, b, (a._version, b._version), answer)]
        return answer.clone()
