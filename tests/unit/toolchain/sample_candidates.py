"""A reference and candidates for it, as text: what the gates and the harvest are handed."""

from tilewright.records import Candidate, Problem, Workload

REFERENCE = """
import torch
from torch import nn

rows = 64
columns = 128


class Model(nn.Module):
    def __init__(self, factor):
        super().__init__()
        self.linear = nn.Linear(columns, columns)
        self.factor = factor

    def forward(self, x):
        return self.linear(x) * self.factor


def get_inputs():
    return [torch.randn(rows, columns)]


def get_init_inputs():
    return [2.0]
"""

CANDIDATE = """
import tilelang
import tilelang.language as T
import torch
import torch.nn as nn


@tilelang.jit(out_idx=[-1])
def scaled(rows, columns, factor, dtype="float16"):
    @T.prim_func
    def scale_kernel(X: T.Tensor((rows, columns), dtype), Y: T.Tensor((rows, columns), dtype)):
        with T.Kernel(rows, threads=128) as row:
            for j in T.Parallel(columns):
                Y[row, j] = X[row, j] * factor

    return scale_kernel


class ModelNew(nn.Module):
    def __init__(self, factor):
        super().__init__()
        self.linear = nn.Linear(128, 128)
        self.factor = factor
        self.kernels = {}

    def forward(self, x):
        y = self.linear(x)
        if y.shape not in self.kernels:
            self.kernels[y.shape] = scaled(*y.shape, self.factor)
        return self.kernels[y.shape](y)
"""
KERNEL_LINE = 11

PROBLEM = Problem("scaled linear", REFERENCE)
TWO_SIZES = Problem(
    "scaled linear",
    REFERENCE,
    workloads=(Workload(), Workload("tall", overrides=(("rows", 4096),))),
)


def candidate(*changes: tuple[str, str]) -> Candidate:
    """The sample with pieces of text replaced."""
    source = CANDIDATE
    for old, new in changes:
        assert old in source, old
        source = source.replace(old, new)
    return Candidate(source)
