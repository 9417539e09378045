"""What does a GPU offer: how many multiprocessors, how much shared memory, which rates?"""

from __future__ import annotations

import difflib
import functools
import importlib.resources
import os
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Literal

from tilewright.errors import ConfigError
from tilewright.records import Precision

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

# Compute capabilities 7.5 to 10.0: CUDA C++ Programming Guide, technical specifications per compute capability.
WARP_SIZE = 32
MAX_THREADS_PER_BLOCK = 1024
MAX_REGISTERS_PER_THREAD = 255

_OTHER_VENDORS = re.compile(r"mi\d|gfx|rx-|radeon|gaudi|max-1|arc|tpu|trainium|ascend|m[1-9]\b")


@dataclass(frozen=True)
class Gpu:
    """A GPU's limits and rates, from `data/gpus.toml`, which names the source of each number.

    `shared_bytes_per_block` is the most that a kernel may ask for (the opt-in limit). Rates are peaks: bytes/s of
    device memory, FLOP/s with a multiply-add counted as two; `tensor_flops` is fp16 and bf16, dense. The `measured_`
    values were reached on a real device, and are None where nobody measured; `measured_launch_s` is what the device's
    clock reads for an empty kernel. `probed`: they come from the very device at hand; where that was tried in vain,
    `not_probed` says why.
    """

    name: str
    vendor: str
    arch: str
    sms: int
    shared_bytes_per_block: int
    shared_bytes_per_sm: int
    registers_per_sm: int
    max_threads_per_sm: int
    max_blocks_per_sm: int
    l2_bytes: int
    memory_bytes_per_s: float
    tensor_flops: float
    fp32_flops: float
    tf32_flops: float | None = None
    measured_copy_bytes_per_s: float | None = None
    measured_tensor_flops: float | None = None
    measured_tf32_flops: float | None = None
    measured_fp32_flops: float | None = None
    measured_launch_s: float | None = None
    probed: bool = False
    not_probed: str = ""
    aliases: tuple[str, ...] = ()
    device_names: tuple[str, ...] = ()

    @property
    def calibrated(self) -> bool:
        """Whether its rates were measured, so that an estimate rests on more than a data sheet."""
        return self.measured_copy_bytes_per_s is not None

    @property
    def has_async_copies(self) -> bool:
        """cp.async came with compute capability 8.0."""
        return self._capability >= 80

    @property
    def _capability(self) -> int:
        return int(self.arch.removeprefix("sm_").rstrip("af"))

    def matmul_flops_per_s(self, precision: Precision) -> float:
        """The peak of the unit that does matrix products at a precision."""
        peaks = {"tensor": self.tensor_flops, "tf32": self.tf32_flops, "fp32": self.fp32_flops}
        return peaks[self._matmul_unit(precision)] or self.fp32_flops

    def measured_matmul_flops_per_s(self, precision: Precision) -> float | None:
        """What was reached of that peak. Where only fp16 or bf16 products were measured, the unit that does fp32 ones
        is taken to reach the same share of its own."""
        unit = self._matmul_unit(precision)
        measured = {
            "tensor": self.measured_tensor_flops,
            "tf32": self.measured_tf32_flops,
            "fp32": self.measured_fp32_flops,
        }[unit]
        if measured is None and self.measured_tensor_flops:
            return self.matmul_flops_per_s(precision) * self.measured_tensor_flops / self.tensor_flops
        return measured

    def _matmul_unit(self, precision: Precision) -> Literal["tensor", "tf32", "fp32"]:
        """fp32 products run as TF32 where that exists; bf16 ones on the ordinary pipelines before 8.0."""
        if precision == "fp32":
            return "tf32" if self.tf32_flops else "fp32"
        return "fp32" if precision == "bf16" and self._capability < 80 else "tensor"


@dataclass(frozen=True)
class Ceilings:
    """What a device reached when it was probed (`worker.timing.probe`), in bytes/s, FLOP/s and seconds.

    Device to device copies count what they read and what they write. None where it has no such unit.
    """

    copy_bytes_per_s: float
    fp16_flops: float
    fp32_flops: float
    launch_s: float
    bf16_flops: float | None = None
    tf32_flops: float | None = None


def cores() -> int:
    """Of the CPU: those that this process may use, where the system tells."""
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def load_gpu(name: str) -> Gpu:
    """The GPU of a short name or alias, upper or lower case; `ConfigError` names the known ones.

    One that `known_as` names goes first, then one that was added to this process, then the table's of that name.
    """
    wanted = _folded(name)
    gpus = (*_KNOWN.get(), *_ADDED.values(), *all_gpus())
    found = next((gpu for gpu in gpus if wanted in {_folded(gpu.name), *map(_folded, gpu.aliases)}), None)
    if found and found.vendor == "NVIDIA":
        return found
    known = list(dict.fromkeys(gpu.name for gpu in (*all_gpus(), *_ADDED.values()) if gpu.vendor == "NVIDIA"))
    if found or _OTHER_VENDORS.match(wanted):
        raise ConfigError(
            f"GPU {name!r} is unsupported: TileLang kernels are compiled for NVIDIA GPUs here; "
            f"checking and estimating work with --gpu H100. Known: {', '.join(known)}"
        )
    near = difflib.get_close_matches(name.upper(), known, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    raise ConfigError(f"unknown GPU {name!r}; known: {', '.join(known)}.{hint}")


def gpu_for_device_name(device_name: str) -> Gpu | None:
    """The GPU that the driver's device name means, such as "NVIDIA H100 80GB HBM3"; None for one not in the table.

    Exact names only: an "H100 PCIe" or "H100 NVL" has other clocks, memory and multiprocessors than the H100 here."""
    wanted = _folded(device_name)
    return next((gpu for gpu in (*_ADDED.values(), *all_gpus()) if wanted in map(_folded, gpu.device_names)), None)


def add_gpu(gpu: Gpu) -> None:
    """Make a GPU known to this process under its name; one of that name in the table is replaced."""
    _ADDED[_folded(gpu.name)] = gpu


@contextmanager
def known_as(gpu: Gpu | None) -> Iterator[None]:
    """Within the block this is the GPU of its name, also in threads that take its context over; None changes nothing.

    So runs that go on side by side may each know a GPU by what it reached when they began.
    """
    token = _KNOWN.set((gpu, *_KNOWN.get()) if gpu else _KNOWN.get())
    try:
        yield
    finally:
        _KNOWN.reset(token)


def add_gpus(path: Path) -> None:
    """Make the rows of a file like `data/gpus.toml` known to this process. `ConfigError` says what is wrong in it."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
        for name, entry in table.items():
            add_gpu(_gpu(name, entry))
    except OSError as error:
        raise ConfigError(f"the table of GPUs {path} can't be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, TypeError, AttributeError) as error:
        needed = ", ".join(f.name for f in fields(Gpu) if "probed" not in f.name and f.name != "name")
        raise ConfigError(f"the table of GPUs {path}: {error}. A row holds: {needed}") from error


def with_ceilings(gpu: Gpu, reached: Ceilings) -> Gpu:
    """The GPU with what the device at hand reached in place of what the table says others did.

    fp16 and bf16 products are the same unit's, so that the faster of them is its rate. A peak that the driver doesn't
    tell is taken to be what was reached.
    """
    tensor_flops = max(reached.fp16_flops, reached.bf16_flops or 0.0)
    return replace(
        gpu,
        memory_bytes_per_s=gpu.memory_bytes_per_s or reached.copy_bytes_per_s,
        tensor_flops=gpu.tensor_flops or tensor_flops,
        tf32_flops=gpu.tf32_flops or reached.tf32_flops,
        fp32_flops=gpu.fp32_flops or reached.fp32_flops,
        measured_copy_bytes_per_s=reached.copy_bytes_per_s,
        measured_tensor_flops=tensor_flops,
        measured_tf32_flops=reached.tf32_flops,
        measured_fp32_flops=reached.fp32_flops,
        measured_launch_s=reached.launch_s,
        probed=True,
    )


def gpu_from_device(name: str, properties: Mapping[str, float]) -> Gpu:
    """A GPU that isn't in the table, from what its driver says (`worker.gpu.properties`).

    Limits are the device's own. Rates are derived: the memory's from its clock and bus width, the others from
    the multiprocessors' clock and the operations per clock of their compute capability. `ConfigError` below 7.5.
    """
    major, minor = int(properties["major"]), int(properties["minor"])
    known = [row for row in _PER_CAPABILITY if row[0] <= (major, minor)]
    if not known:
        raise ConfigError(f"{name} has compute capability {major}.{minor}; kernels are compiled for 7.5 and newer")
    _, blocks, fp32_per_clock, tensor_per_clock = known[-1]
    sms, clock = int(properties["sms"]), properties["clock_hz"]
    tensor_flops = 2 * tensor_per_clock * sms * clock
    return Gpu(
        name=name,
        vendor="NVIDIA",
        arch=f"sm_{major}{minor}" + ("a" if major >= 9 else ""),
        sms=sms,
        shared_bytes_per_block=int(properties["shared_bytes_per_block"]),
        shared_bytes_per_sm=int(properties["shared_bytes_per_sm"]),
        registers_per_sm=int(properties["registers_per_sm"]),
        max_threads_per_sm=int(properties["max_threads_per_sm"]),
        max_blocks_per_sm=blocks,
        l2_bytes=int(properties["l2_bytes"]),
        memory_bytes_per_s=2 * properties["memory_clock_hz"] * properties["memory_bus_bits"] / 8,
        tensor_flops=tensor_flops,
        tf32_flops=tensor_flops / 2 if major >= 8 else None,
        fp32_flops=2 * fp32_per_clock * sms * clock,
        device_names=(name,),
    )


_ADDED: dict[str, Gpu] = {}
_KNOWN: ContextVar[tuple[Gpu, ...]] = ContextVar("known_as", default=())

# Compute capability from which on it holds: resident blocks per multiprocessor (CUDA C++ Programming Guide, technical
# specifications), and multiply-adds per clock and multiprocessor in fp32 and, dense, on the tensor cores in fp16 with
# fp32 accumulation (the architectures' white papers; for 8.6 and later consumer parts the rate of those parts). TF32
# has half of that rate in all of them.
_PER_CAPABILITY = (
    ((7, 5), 16, 64, 512),
    ((8, 0), 32, 64, 1024),
    ((8, 6), 16, 128, 256),
    ((8, 9), 24, 128, 512),
    ((9, 0), 32, 128, 2048),
    ((10, 0), 32, 128, 4096),
    ((12, 0), 24, 128, 512),
)


@functools.cache
def all_gpus() -> tuple[Gpu, ...]:
    """Every GPU in `data/gpus.toml`, in its order."""
    text = importlib.resources.files("tilewright").joinpath("data/gpus.toml").read_text(encoding="utf-8")
    return tuple(_gpu(name, entry) for name, entry in tomllib.loads(text).items())


def _gpu(name: str, entry: dict[str, object]) -> Gpu:
    lists = {key: tuple(value) if isinstance(value, list) else value for key, value in entry.items()}
    return Gpu(name=name, **lists)  # type: ignore[arg-type]


def _folded(name: str) -> str:
    return name.strip().lower().replace("_", "-").replace(" ", "-")
