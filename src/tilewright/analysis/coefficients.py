"""Which numbers does the time model rest on? They, their units and their sources are in `data/time_model.toml`."""

from __future__ import annotations

import functools
import importlib.resources
import sys
from dataclasses import dataclass, fields

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


@dataclass(frozen=True)
class Coefficients:
    """The values of `data/time_model.toml`, where their units and sources are."""

    launch_us: float
    torch_launch_us: float
    kernel_built_us: float
    memory_peak_share: float
    l2_bytes_per_s_per_sm: float
    dram_latency_ns: float
    l2_latency_ns: float
    l1_latency_ns: float
    rereads_hitting_l1: float
    rereads_missing_l2: float
    sector_waste_reaching_l2: float
    sector_waste_reaching_dram: float
    sector_replay_ns: float
    loads_in_flight: float
    bytes_in_flight_per_thread: float
    tensor_peak_share: float
    half_rate_intensity: float
    warps_to_fill_tensor_cores: float
    small_block_tensor_share: float
    synchronous_tensor_share: float
    fp32_peak_share: float
    warps_to_fill_fp32: float
    iteration_ns: float
    barrier_ns: float
    block_ns: float
    atomic_same_address_ns: float
    atomics_per_s_per_sm: float
    spill_repeats: float
    overlap_loss: float
    interval_factor: float


@functools.cache
def coefficients() -> Coefficients:
    text = importlib.resources.files("tilewright").joinpath("data/time_model.toml").read_text(encoding="utf-8")
    table = tomllib.loads(text)
    return Coefficients(**{f.name: float(table[f.name]["value"]) for f in fields(Coefficients)})
