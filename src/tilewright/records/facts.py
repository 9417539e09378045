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


Widths = tuple[tuple[int, int], ...]
"""How many instructions move how many bits in each thread: ((16, 4), (128, 2)) is four of 16 bits and two of 128."""


@dataclass(frozen=True)
class Instructions:
    """Machine instructions of a kernel by kind: how often each stands in the code, not how often it is run."""

    total: int
    wgmma: int = 0
    """Tensor core instructions of a warpgroup (Hopper's wgmma, Blackwell's tcgen05)."""
    mma: int = 0
    """Tensor core instructions of one warp."""
    fp32: int = 0
    """Multiply-adds, additions and products of fp32 outside tensor cores; likewise `fp16` (two at once), `fp64`."""
    fp16: int = 0
    fp64: int = 0
    special: int = 0
    """Reciprocal, square root, exp2, log2, sine, tanh: a quarter of the rate of an addition, or less."""
    integer: int = 0
    """Mostly indices and addresses."""
    conversions: int = 0
    divisions: int = 0
    """Of fp32, rounded exactly: about ten instructions each."""
    shuffles: int = 0
    global_loads: Widths = ()
    """Into registers; these and `global_stores` include what goes through a generic pointer."""
    global_stores: Widths = ()
    shared_loads: Widths = ()
    shared_stores: Widths = ()
    matrix_loads: int = 0
    """ldmatrix: whole 8 x 8 tiles from shared memory; `matrix_stores`: stmatrix."""
    matrix_stores: int = 0
    async_copies: Widths = ()
    """cp.async, from global to shared memory past the registers."""
    tma_loads: int = 0
    tma_stores: int = 0
    local_loads: int = 0
    """From the thread's own memory: spilled registers, or arrays indexed at run time."""
    local_stores: int = 0
    atomics: int = 0
    """In global memory."""
    shared_atomics: int = 0
    barriers: int = 0
    """At which the threads of a block wait for each other."""
    branches: int = 0


Way = Literal["load", "store", "async copy", "atomic", "TMA load", "TMA store"]


@dataclass(frozen=True)
class TensorAccess:
    """A way in which a kernel's machine code reads or writes one tensor of its signature.

    `tensor` is empty where it can't be told which. `widths` of what the TMA moves are empty; `in_loops` holds those
    of `widths` that stand in loops (nothing where `loop_instructions` is None). `lines` are those of the candidate
    that name the tensor as what is read, written or added to: the access is for one of them.
    """

    tensor: str
    way: Way
    widths: Widths = ()
    in_loops: Widths = ()
    lines: tuple[int, ...] = ()


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
    tensor_bytes: float | None = None
    """What `global_bytes` would be if each value were read and written once: what its tensors hold, or less where the
    kernel asks for less of one."""
    coalescing: float | None = None
    """Useful share of the bytes in the 32-byte sectors that the worst heavy access touches, 0 to 1."""
    serial_depth: float | None = None
    """Longest chain of dependent loop iterations that one thread runs."""
    atomics: float | None = None
    uses_tensor_cores: bool | None = None
    asynchronous_copies: bool | None = None
    instructions: Instructions | None = None
    loop_instructions: Instructions | None = None
    """Those of `instructions` that stand in loops which the compiler has not unrolled."""
    accesses: tuple[TensorAccess, ...] | None = None
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
class KernelRun:
    """A kernel on the device in one forward: TileLang's, PyTorch's or a library's, a copy or a fill.

    `device_ms` is for all of its launches. `counters` are what hardware counters said of its longest launch, by the
    names in `docs/json.md`; empty where they were not read.
    """

    name: str
    launches: float
    device_ms: float
    own: bool
    """It is one of the candidate's TileLang kernels."""
    counters: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True)
class RunFacts:
    """What a run on a GPU showed of one forward at one workload.

    `kernels` are longest first; empty where no profiler could be had, or at another workload than the first.
    """

    workload: str
    device_ms: float
    """From the first to the last kernel, the queue kept full."""
    kernels: tuple[KernelRun, ...] = ()
    latency_ms: float | None = None
    """One call on an idle stream, the host's part included."""
    bytes_per_s: float | None = None
    """Inputs, parameters and outputs, each once, over `device_ms`."""
    flops_per_s: float | None = None
    """The reference's operations over `device_ms`."""
    no_counters: str = ""
    """Why hardware counters were not read, where they were asked for."""
    busy_ms: float | None = None
    """What of `device_ms` may have gone into kernels; the rest were gaps between them. None where it is not known."""

    @property
    def gaps_ms(self) -> float | None:
        """In which one kernel had ended and the next not begun."""
        return None if self.busy_ms is None else max(0.0, self.device_ms - self.busy_ms)

    @property
    def host_ms(self) -> float | None:
        """What a single call takes beyond its work on the device: launches, conversions, waits."""
        return None if self.latency_ms is None else max(0.0, self.latency_ms - self.device_ms)


@dataclass(frozen=True)
class Evidence:
    """Facts plus what a run showed; gathered once and carried on."""

    facts: tuple[Facts, ...] = ()
    execution: Execution | None = None
    warnings: tuple[Reason, ...] = ()
    not_checked: tuple[str, ...] = ()
    runs: tuple[RunFacts, ...] = ()
    """One a workload, where it was measured."""
    unread: tuple[str, ...] = ()
    """Facts that could not be had and that no verdict rests on."""


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
