"""CLASS: 35 patch host/device timers
CAUGHT BY: static
REFERENCE: matmul.py
"""

import time

from torch import nn

_now = [time.perf_counter()]


def _slow():
    _now[0] += 1e-6
    return _now[0]


time.perf_counter = _slow


class ModelNew(nn.Module):
    def forward(self, a, b):
        return a @ b
