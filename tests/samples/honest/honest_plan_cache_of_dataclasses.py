"""WHAT: plans per shape in a dictionary, as dataclasses
REFERENCE: matmul.py
PRECISION: fp32"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import torch
import torch.nn as nn


@dataclass(frozen=True)
class Plan:
    rows: tuple[slice, ...]
    depth: tuple[slice, ...]


@dataclass
class Planner:
    tile: int = 32
    known: dict[tuple[int, int], Plan] = field(default_factory=dict)

    def plan(self, rows: int, depth: int) -> Plan:
        if (rows, depth) not in self.known:
            cuts = [
                tuple(slice(i * self.tile, (i + 1) * self.tile) for i in range(math.ceil(n / self.tile)))
                for n in (rows, depth)
            ]
            self.known[rows, depth] = Plan(*cuts)
        return self.known[rows, depth]


class ModelNew(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.planner = Planner()

    def forward(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        out = a.new_zeros(a.shape[0], b.shape[1])
        plan = self.planner.plan(*a.shape)
        for rows in plan.rows:
            for depth in plan.depth:
                out[rows] += a[rows, depth] @ b[depth]
        return out
