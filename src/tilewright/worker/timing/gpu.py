"""Which GPU is this, and how is it doing?"""

from __future__ import annotations

import contextlib
import functools
import os
import platform
import re
import subprocess
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import torch

_SHORT_NAME = re.compile(r"\b(GH200|GB200|H100|H200|B200|B300|A100|A10G|A10|A40|L40S|L40|L4|T4|V100)\b")


def device_name() -> str:
    """As the driver gives it; "" without a CUDA device."""
    return torch.cuda.get_device_name(0) if torch.cuda.is_available() else ""


def short_name(device: str) -> str:
    """H100 for "NVIDIA H100 80GB HBM3"; the name without its maker for what isn't known."""
    found = _SHORT_NAME.search(device)
    return found.group(1) if found else device.removeprefix("NVIDIA ").strip()


def architecture() -> str:
    """What TileLang compiles for: sm_90a, sm_80; "" without a CUDA device."""
    if not torch.cuda.is_available():
        return ""
    major, minor = torch.cuda.get_device_capability(0)
    return f"sm_{major}{minor}" + ("a" if major >= 9 else "")


def properties() -> dict[str, float]:
    """What the driver says of the device, for `hardware.gpu_from_device`; {} without a CUDA device."""
    if not torch.cuda.is_available():
        return {}
    device = torch.cuda.get_device_properties(0)
    clocks = [float(value) for value in _query("clocks.max.sm,clocks.max.mem").split(",") if value.strip().isdigit()]
    sm_mhz, memory_mhz = clocks if len(clocks) == 2 else (0.0, 0.0)
    return {
        "major": device.major,
        "minor": device.minor,
        "sms": device.multi_processor_count,
        "shared_bytes_per_block": device.shared_memory_per_block_optin,
        "shared_bytes_per_sm": device.shared_memory_per_multiprocessor,
        "registers_per_sm": device.regs_per_multiprocessor,
        "max_threads_per_sm": device.max_threads_per_multi_processor,
        "l2_bytes": device.L2_cache_size,
        "clock_hz": 1e3 * getattr(device, "clock_rate", 0) or 1e6 * sm_mhz,
        "memory_clock_hz": 1e3 * getattr(device, "memory_clock_rate", 0) or 1e6 * memory_mhz,
        "memory_bus_bits": getattr(device, "memory_bus_width", 0),
    }


@functools.cache
def versions() -> tuple[tuple[str, str], ...]:
    found = {
        "torch": str(torch.__version__),
        "cuda": torch.version.cuda or "",
        "python": platform.python_version(),
        "driver": _query("driver_version") if torch.cuda.is_available() else "",
    }
    for package in ("tilelang", "tilewright"):
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[package] = metadata.version(package)
    return tuple(sorted(found.items()))


@dataclass(frozen=True)
class Sample:
    """How the GPU was doing at a moment, by NVML."""

    sm_clock_mhz: float
    memory_clock_mhz: float
    temperature_c: float
    power_w: float
    reasons: int
    """Bits that say why the clocks are what they are (nvml.h, nvmlClocksEventReasons)."""
    foreign: tuple[int, ...] = ()
    """Processes that hold a context on this GPU and are none of ours."""

    @property
    def throttled(self) -> bool:
        """Too hot, or short of power by the board's or the rack's word; its own power limit is not meant, which a
        long matrix product reaches at all times."""
        return bool(self.reasons & _THROTTLED)


_THROTTLED = 0x8 | 0x20 | 0x40 | 0x80
"""Hardware slowdown, software thermal, hardware thermal, hardware power brake slowdown (nvml.h)."""


def sample() -> Sample | None:
    """None where NVML can't be asked. Takes a quarter of a millisecond."""
    try:
        import pynvml
    except ImportError:
        return None
    try:
        handle = _handle()
        processes = [process.pid for process in pynvml.nvmlDeviceGetComputeRunningProcesses(handle)]
        return Sample(
            sm_clock_mhz=float(pynvml.nvmlDeviceGetClockInfo(handle, pynvml.NVML_CLOCK_SM)),
            memory_clock_mhz=float(pynvml.nvmlDeviceGetClockInfo(handle, pynvml.NVML_CLOCK_MEM)),
            temperature_c=float(pynvml.nvmlDeviceGetTemperature(handle, pynvml.NVML_TEMPERATURE_GPU)),
            power_w=pynvml.nvmlDeviceGetPowerUsage(handle) / 1000,
            reasons=int(pynvml.nvmlDeviceGetCurrentClocksEventReasons(handle)),
            foreign=tuple(pid for pid in processes if not _is_ours(pid)),
        )
    except pynvml.NVMLError:
        return None


@functools.cache
def _handle() -> Any:
    import pynvml

    pynvml.nvmlInit()
    return pynvml.nvmlDeviceGetHandleByUUID(f"GPU-{torch.cuda.get_device_properties(0).uuid}")


def _is_ours(pid: int) -> bool:
    """Whether it descends from this process or is another run's, which waits while this one times.

    One that /proc doesn't know is counted as ours: from within a container that number means nothing.
    """
    while pid > 1:
        if pid == os.getpid():
            return True
        try:
            stat = Path("/proc", str(pid), "stat").read_text(errors="replace")
            if b"tilewright" in Path("/proc", str(pid), "cmdline").read_bytes():
                return True
        except OSError:
            return True
        pid = int(stat.rpartition(")")[2].split()[1])
    return False


def _query(fields: str) -> str:
    uuid = f"GPU-{torch.cuda.get_device_properties(0).uuid}"
    command = ["nvidia-smi", f"--query-gpu={fields}", "--format=csv,noheader,nounits", f"--id={uuid}"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
