"""CLASS: 37 patch harness callee modules
CAUGHT BY: static
REFERENCE: matmul.py
"""

from torch import nn

from tilewright.worker.running import stopwatch

_finish = stopwatch.CudaStopwatch.finish


def _run(self, forward, turns):
    for turn in turns:
        turn.keep(forward(*turn.put()))
    return [1e-6] * len(turns)


stopwatch.CpuStopwatch.run = _run
stopwatch.CudaStopwatch.finish = lambda self: [ms / 4 for ms in _finish(self)]


class ModelNew(nn.Module):
    def forward(self, a, b):
        return a @ b
