"""What CUDA source does TileLang make of a kernel for a GPU, and how would it be launched?

Needs no GPU: the target is named outright. Nothing is compiled here, so a machine without nvcc can ask too."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import tilelang
from tvm import tirx
from tvm.target import Target

from tilewright.hardware import Gpu


@dataclass(frozen=True)
class Launch:
    """How one device function is launched. A grid extent that only the call's arguments decide is None.

    `block_threads` is what the generated code launches: where TileLang specialises warps, it is more than the kernel
    asked for. `dynamic_shared_bytes` is what the launcher asks the driver for."""

    symbol: str
    grid: tuple[int | None, int | None, int | None]
    block_threads: int
    dynamic_shared_bytes: int


@dataclass(frozen=True)
class Lowered:
    """Generated CUDA source and the launches in it, in the order of the device functions."""

    source: str
    launches: tuple[Launch, ...]

    @property
    def code_hash(self) -> str:
        return hashlib.sha256(self.source.encode()).hexdigest()[:16]


def cuda_target(gpu: Gpu) -> dict[str, str]:
    """TileLang's target for a GPU. The same dictionary, and so the same cache key, as on the GPU's own host: a
    Hopper card resolves to sm_90a there, and plain sm_90 lacks the instructions of warp-specialised kernels."""
    return {"kind": "cuda", "arch": gpu.arch}


def lower(prim_func: tirx.PrimFunc, gpu: Gpu, pass_configs: Mapping[str, Any] | None = None) -> Lowered:
    """Generate CUDA source; raises what TileLang raises when it refuses the kernel."""
    target = Target(cuda_target(gpu))
    config = {getattr(key, "value", key): value for key, value in (pass_configs or {}).items()}
    with tilelang.transform.PassContext(opt_level=3, config=config), target:
        artifact = tilelang.lower(prim_func, target=target, enable_device_compile=False)
    return lowered_from(artifact)


def lowered_from(artifact: Any) -> Lowered:
    """Read source and launches out of TileLang's compiled artifact."""
    launches = [_launch(function) for _, function in artifact.device_mod.functions.items()]
    return Lowered(source=str(artifact.kernel_source), launches=tuple(sorted(launches, key=_order)))


def _launch(function: tirx.PrimFunc) -> Launch:
    extents = function.attrs["thread_extent"]
    threads = [_constant(extents.get(f"threadIdx.{axis}", 1)) or 1 for axis in "xyz"]
    grid = [_constant(extents.get(f"blockIdx.{axis}", 1)) for axis in "xyz"]
    return Launch(
        symbol=str(function.attrs["global_symbol"]),
        grid=(grid[0], grid[1], grid[2]),
        block_threads=threads[0] * threads[1] * threads[2],
        dynamic_shared_bytes=_constant(function.attrs.get("dyn_shared_memory_buf", 0)) or 0,
    )


def _order(launch: Launch) -> tuple[int, str]:
    """TileLang numbers a function's kernels main_kernel, main_kernel_1, main_kernel_2, ..."""
    suffix = launch.symbol.rpartition("_kernel")[2].strip("_")
    return (int(suffix) if suffix.isdigit() else 0, launch.symbol)


def _constant(value: Any) -> int | None:
    if isinstance(value, tirx.IntImm):
        return int(value.value)
    return value if isinstance(value, int) else None
