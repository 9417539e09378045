"""What was found out about a candidate without timing it, and what that says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Category = Literal["memory", "compute", "parallelism", "algorithmic", "host"]
Severity = Literal["critical", "high", "medium", "low"]


@dataclass(frozen=True)
class Reason:
    """Why a gate said no, or what it warns of. `line` is in the candidate's source."""

    rule: str
    message: str
    line: int | None = None
    action: str = ""


@dataclass(frozen=True)
class KernelFacts:
    """One TileLang kernel of a candidate at its real shapes, compiled for one GPU.

    `flops` counts multiply-adds as two, those of tile products again in `matmul_flops`; `global_bytes` is
    what the kernel as written reads and writes in device memory, every time it does. All of them over the
    whole grid, for one launch. None means not known (never zero).
    """

    name: str
    launches: int
    grid: tuple[int, ...]
    block_threads: int
    registers: int | None = None
    spill_bytes: int | None = None
    stack_bytes: int | None = None
    shared_bytes: int = 0
    blocks_per_sm: int | None = None
    occupancy: float | None = None
    limited_by: str = ""
    flops: float | None = None
    matmul_flops: float | None = None
    global_bytes: float | None = None
    coalescing: float | None = None
    """Useful share of the bytes in the 32-byte sectors that the worst heavy access touches, 0 to 1."""
    serial_depth: float | None = None
    """Longest chain of dependent loop iterations that one thread runs."""
    atomics: float | None = None
    uses_tensor_cores: bool | None = None
    asynchronous_copies: bool | None = None
    code_hash: str = ""
    """Hash of the generated CUDA source."""
    line: int | None = None


@dataclass(frozen=True)
class TensorFacts:
    """A tensor that crosses the module's border."""

    shape: tuple[int, ...]
    dtype: str
    bytes: int


@dataclass(frozen=True)
class Facts:
    """What the source, the lowered functions and the binary say of a candidate, per workload."""

    gpu: str
    workload: str
    kernels: tuple[KernelFacts, ...]
    inputs: tuple[TensorFacts, ...] = ()
    parameters: tuple[TensorFacts, ...] = ()
    outputs: tuple[TensorFacts, ...] = ()
    torch_ops: tuple[tuple[str, int], ...] = ()
    """Operations of one forward that PyTorch runs itself, with their counts."""
    torch_bytes: float = 0.0
    torch_flops: float = 0.0
    reference_flops: float | None = None
    kernels_built_in_forward: int = 0
    """Kernel constructions in the second call of forward (none is right)."""
    seconds: float = 0.0


@dataclass(frozen=True)
class Execution:
    """What of a candidate was executed on a CPU, and against what."""

    blocks: int
    of: int
    batch_reduced: str = ""
    """Empty, or what was made smaller, such as "batch_size 128 -> 2"."""
    error_ratio: float | None = None
    """Largest error over the error PyTorch itself makes at the task's dtype against float64."""
    warnings: tuple[Reason, ...] = ()
    not_checked: tuple[str, ...] = ()
    """What was not executed, and why."""
    seconds: float = 0.0


@dataclass(frozen=True)
class Evidence:
    """Facts plus what a run showed; gathered once and carried on."""

    facts: tuple[Facts, ...] = ()
    execution: Execution | None = None
    warnings: tuple[Reason, ...] = ()
    not_checked: tuple[str, ...] = ()


@dataclass(frozen=True)
class Finding:
    """Something that holds a kernel back, with the numbers that show it."""

    rule: str
    category: Category
    severity: Severity
    message: str
    action: str
    evidence: tuple[tuple[str, float | str], ...] = ()
    line: int | None = None
    saves: float = 0.0
    """Estimated share of the kernel's time that fixing it could save, 0 to 1. The sort key."""
