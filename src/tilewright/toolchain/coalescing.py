"""Which share of the memory sectors that a warp touches does it use?

Device memory moves in sectors of 32 bytes. The measure is the bytes that the lanes of a warp ask for over the bytes
of the sectors that they touch, at most 1: lanes that read one address together waste nothing."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tilewright.hardware import WARP_SIZE
from tilewright.toolchain.indexmath import MOST_COMBINATIONS, Axis, NotComputable, Values, evaluate, samples

SECTOR_BYTES = 32  # CUDA C++ Best Practices Guide, "Coalesced Access to Global Memory"


@dataclass(frozen=True)
class Access:
    """How many bytes all threads together ask for at one place, and the share of their sectors that they use."""

    bytes: float
    share: float | None


def sector_share(
    indices: Sequence[Any], strides: Sequence[float], itemsize: float, axes: Sequence[Axis], shared_out: bool
) -> float | None:
    """The share for an access by threads, seen at one warp in the middle of things; None where the address can't be
    computed.

    With `shared_out` the lanes are neighbours in the fused T.Parallel axes, the innermost fastest, as TileLang maps
    them; without, they are neighbours in threadIdx, and what is vectorised inside one thread is asked for at once."""
    lanes = _lanes(axes, shared_out)
    try:
        address = _address(indices, strides, lanes)
    except NotComputable:
        return None
    count = max((values.size for values in lanes.values() if values.ndim), default=1)
    touched = np.unique(np.broadcast_to(address, (count,)) * itemsize // SECTOR_BYTES)
    return min(1.0, count * itemsize / (touched.size * SECTOR_BYTES))


def distinct_share(
    indices: Sequence[Any], strides: Sequence[float], lanes: Sequence[Axis], axes: Sequence[Axis]
) -> float:
    """Distinct addresses over accesses, when a block's lanes ask at once: i // 100 is the same for neighbours."""
    if math.prod(max(1.0, lane.extent) for lane in lanes) > MOST_COMBINATIONS:
        return 1.0
    values = {axis.var: np.asarray(0) for axis in axes} | samples(lanes)
    try:
        address = _address(indices, strides, values)
    except NotComputable:
        return 1.0
    return float(np.unique(address).size / max(address.size, *(v.size for v in values.values())))


def tile_share(extents: Sequence[float], shape: Sequence[float], itemsize: float) -> float:
    """The share for a tile copy: whole rows of the tile are contiguous, and rows join where the tile is as wide as
    the buffer."""
    run = 1.0
    for extent, size in zip(reversed(extents), reversed(shape)):
        run *= extent
        if extent < size:
            break
    contiguous = run * itemsize
    return min(1.0, contiguous / (math.ceil(contiguous / SECTOR_BYTES) * SECTOR_BYTES))


def _address(indices: Sequence[Any], strides: Sequence[float], values: Mapping[Any, Values]) -> Values:
    """In elements from the start of the buffer."""
    address: Values = np.asarray(0)
    for index, stride in zip(indices, strides):
        address = address + evaluate(index, values) * stride
    return address


def _lanes(axes: Sequence[Axis], shared_out: bool) -> dict[Any, Values]:
    """The value of every axis for the lanes of one warp: those that tell lanes apart run, the others stand."""
    kinds = ("parallel", "vector") if shared_out else ("thread", "vector")
    running = [axis for axis in axes if axis.kind in kinds]
    if not shared_out:  # threadIdx.x is fastest, and what one thread vectorises faster still
        threads = [axis for axis in running if axis.kind == "thread"]
        running = [*reversed(threads), *(axis for axis in running if axis.kind == "vector")]
    vector = math.prod(round(axis.extent) for axis in running if axis.kind == "vector")
    total = math.prod(max(1, round(axis.extent)) for axis in running)
    position = np.arange(min(WARP_SIZE * max(1, vector), total))
    values: dict[Any, Values] = {axis.var: np.asarray(0) for axis in axes}
    for axis in reversed(running):
        extent = max(1, round(axis.extent))
        values[axis.var] = position % extent
        position = position // extent
    return values
