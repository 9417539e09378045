"""What is known of a run beside its attempts: how near each came to the limit, where time went, what a model cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tilewright.records import Standing


@dataclass(frozen=True)
class Roof:
    """What a GPU allows the problem at one workload. `flops` and `flops_per_s` are None where nobody counted."""

    workload: str
    needed_bytes: float
    flops: float | None
    bytes_per_s: float | None
    flops_per_s: float | None
    floor_ms: float
    bound_by: str
    rates: tuple[str, ...]
    """Where the rates are from."""


@dataclass(frozen=True)
class Place:
    """Where an attempt stands below that roof. `asked_bytes`: what it reads and writes as it is written."""

    attempt: int
    workload: str
    ms: float
    asked_bytes: float | None
    estimated: bool


@dataclass(frozen=True)
class ModelUse:
    """What was asked of one language model; `usd` is None where the price isn't known."""

    model: str
    calls: int
    tokens: int
    usd: float | None


@dataclass(frozen=True)
class Known:
    """`standings` and `share_reached` are by the index of the attempt; empty where nothing is known of the GPU."""

    version: str
    roofs: tuple[Roof, ...] = ()
    places: tuple[Place, ...] = ()
    standings: Mapping[int, tuple[Standing, ...]] = field(default_factory=dict)
    share_reached: Mapping[int, float] = field(default_factory=dict)
    models: tuple[ModelUse, ...] = ()
    reproduce: tuple[str, ...] = ()
    """Commands."""
    unchecked: tuple[str, ...] = ()
    """What follows from the run's options: what nobody was asked to verify."""
