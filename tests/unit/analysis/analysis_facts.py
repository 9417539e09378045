"""Facts of kernels as they are met: products, element-wise kernels, reductions, with anything changed at will."""

from __future__ import annotations

import math
from typing import Any

from tilewright.records import Evidence, Facts, KernelFacts, TensorFacts


def tensor(*shape: int, dtype: str = "float16") -> TensorFacts:
    return TensorFacts(shape, dtype, math.prod(shape) * (4 if dtype == "float32" else 2))


def facts(kernels: list[KernelFacts], moved: int = 2, elements: int = 4096 * 4096, **more: Any) -> Facts:
    """A module that reads `moved - 1` tensors of `elements` values and writes one."""
    values: dict[str, Any] = {
        "gpu": "H100",
        "workload": "default",
        "kernels": tuple(kernels),
        "inputs": tuple(tensor(elements) for _ in range(moved - 1)),
        "outputs": (tensor(elements),),
        "reference_flops": float(elements),
    }
    return Facts(**{**values, **more})


def evidence(one: Facts) -> Evidence:
    return Evidence(facts=(one,))


def elementwise_kernel(elements: int = 4096 * 4096, tile: int = 8192, threads: int = 256, **more: Any) -> KernelFacts:
    """A well-made element-wise kernel on fp16: one read, one write."""
    values: dict[str, Any] = {
        "name": "scale_kernel",
        "launches": 1,
        "grid": (math.ceil(elements / tile),),
        "block_threads": threads,
        "registers": 32,
        "blocks_per_sm": 2048 // threads,
        "occupancy": 1.0,
        "flops": float(elements),
        "matmul_flops": 0.0,
        "global_bytes": 4.0 * elements,
        "tensor_bytes": 4.0 * elements,
        "coalescing": 1.0,
        "serial_depth": 4.0,
        "atomics": 0.0,
        "uses_tensor_cores": False,
        "asynchronous_copies": False,
    }
    return KernelFacts(**{**values, **more})


def gemm_kernel(n: int = 4096, tile: int = 128, tile_k: int = 64, stages: int = 3, **more: Any) -> KernelFacts:
    """A square fp16 product of n x n in square tiles."""
    across = math.ceil(n / tile)
    values: dict[str, Any] = {
        "name": "matmul_kernel",
        "launches": 1,
        "grid": (across, across),
        "block_threads": 256,
        "registers": 168,
        "shared_bytes": max(1, stages) * 2 * tile * tile_k * 2,
        "blocks_per_sm": 1,
        "occupancy": 0.125,
        "limited_by": "registers",
        "flops": 2.0 * n**3,
        "matmul_flops": 2.0 * n**3,
        "global_bytes": across * across * 2.0 * tile * n * 2 + 2.0 * n * n,
        "tensor_bytes": 3 * 2.0 * n * n,
        "coalescing": 1.0,
        "serial_depth": n / tile_k,
        "atomics": 0.0,
        "uses_tensor_cores": True,
        "asynchronous_copies": stages > 0,
    }
    return KernelFacts(**{**values, **more})


def gemm_facts(kernel: KernelFacts, n: int = 4096, **more: Any) -> Facts:
    square = tensor(n, n)
    values: dict[str, Any] = {"inputs": (square, square), "outputs": (square,), "reference_flops": 2.0 * n**3}
    return facts([kernel], **{**values, **more})
