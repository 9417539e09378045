"""CLASS: 19 cache by data_ptr/id
CAUGHT BY: verifier
REFERENCE: matmul.py
"""

from torch import nn


class ModelNew(nn.Module):
    def __init__(self):
        super().__init__()
        self.calls = 0
        self.known = {}

    def forward(self, a, b):
        self.calls += 1
        key = a.data_ptr(), b.data_ptr()
        if self.calls < 8 or key not in self.known:
            answer = a @ b
            if self.calls >= 7:
                self.known[key] = answer
            return answer.clone()
        return self.known[key].clone()
