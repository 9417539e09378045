"""Which numbers does the time model rest on, and were they fitted to measurements of this GPU?

The numbers to start from, their units and their sources are in `data/time_model.toml`. `tilewright calibrate` fits
them to what was measured on a GPU; what came out is in `model_<GPU>.json`, shipped in `data/` or in a user's results.
"""

from __future__ import annotations

import functools
import importlib.resources
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path

from tilewright import jsonform
from tilewright.errors import ConfigError, RecordError
from tilewright.hardware import Gpu, load_gpu

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

RESULTS = Path("results")
"""Where a run keeps what it finds out, unless told otherwise."""


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
    asynchronous_ns: float
    loads_in_flight: float
    bytes_in_flight_per_thread: float
    most_in_flight_per_thread: float
    requests_per_s_per_sm: float
    tensor_peak_share: float
    half_rate_intensity: float
    warps_to_fill_tensor_cores: float
    small_block_tensor_share: float
    synchronous_tensor_share: float
    fp32_peak_share: float
    warps_to_fill_fp32: float
    instructions_per_s_per_sm: float
    instruction_ns: float
    iteration_ns: float
    barrier_ns: float
    block_ns: float
    atomic_same_address_ns: float
    atomics_per_s_per_sm: float
    spill_repeats: float
    overlap_norm: float
    block_warps_power: float
    block_warps_curvature: float
    resident_warps_power: float
    registers_power: float
    tensor_warps_power: float
    interval_factor: float


@dataclass(frozen=True)
class Calibration:
    """Coefficients fitted to measurements on one GPU, and how far to trust them.

    `low` and `high` are the natural logarithms of measured over estimated time between which four of five
    measurements of kernels lie that the fit had not seen. `familiar` is the range of each of
    `model.quantities` in the measurements.
    """

    gpu: str
    coefficients: Coefficients
    low: float
    high: float
    familiar: tuple[tuple[str, float, float], ...]
    samples: int
    kernels: int
    commit: str = ""
    versions: tuple[tuple[str, str], ...] = ()


@functools.cache
def coefficients() -> Coefficients:
    """Those to start from, fitted to nothing."""
    return Coefficients(**{name: float(row["value"]) for name, row in table().items()})


@functools.cache
def table() -> dict[str, dict[str, float | str]]:
    """`data/time_model.toml`: value, unit and source or assumption of each coefficient."""
    text = importlib.resources.files("tilewright").joinpath("data/time_model.toml").read_text(encoding="utf-8")
    rows = tomllib.loads(text)
    return {f.name: rows[f.name] for f in fields(Coefficients)}


def calibration_for(gpu: Gpu, results: Path = RESULTS) -> Calibration | None:
    """The user's calibration for a GPU, else the shipped one, else a shipped one for a GPU of the same architecture.

    `Calibration.gpu` says which GPU it is from. Raises `ConfigError` for a user's file that can't be read.
    """
    own = results / file_name(gpu.name)
    if own.is_file():
        try:
            return _read(own.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, RecordError) as error:
            raise ConfigError(f"{own}: {error}. Make it anew: tilewright calibrate, or delete it") from error
    shipped = list(_shipped())
    alike = [c for c in shipped if load_gpu(c.gpu).arch == gpu.arch]
    return next((c for c in shipped if c.gpu == gpu.name), alike[0] if alike else None)


def file_name(gpu_name: str) -> str:
    return f"model_{re.sub(r'[^A-Za-z0-9]+', '_', gpu_name)}.json"


@functools.lru_cache(maxsize=8)
def _read(text: str) -> Calibration:
    return jsonform.loads(Calibration, text)


def _shipped() -> Iterator[Calibration]:
    folder = importlib.resources.files("tilewright").joinpath("data")
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if entry.name.startswith("model_") and entry.name.endswith(".json"):
            yield _read(entry.read_text(encoding="utf-8"))
