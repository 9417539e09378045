"""What tilewright knows, as frozen records: problems, candidates, facts, evaluations, attempts, runs.

Standard library only. Every record turns into JSON and back with ``tilewright.jsonform``.
Sequences are tuples, so records are hashable and can't be changed after they were stored.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import ClassVar, Literal

KnobValue = bool | int | float | str | None
Precision = Literal["fp16", "bf16", "fp32"]
Form = Literal["module", "function"]
Effort = Literal["quick", "full", "confirm"]
Category = Literal["memory", "compute", "parallelism", "algorithmic", "host"]
Severity = Literal["critical", "high", "medium", "low"]


def content_id(*parts: object) -> str:
    """The identity of content: sha256 over the JSON of its parts, first 16 hex digits."""
    text = json.dumps(parts, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


# ---------------------------------------------------------------- what is to be solved


@dataclass(frozen=True)
class InputSpec:
    """One input of a function-form problem: shape and dtype ("fp16", "bf16", "fp32", "int32", "int64")."""

    shape: tuple[int, ...]
    dtype: str


@dataclass(frozen=True)
class Workload:
    """A named size of a problem.

    `overrides` are module-level constants of the reference that are set before `get_inputs` and
    `get_init_inputs` are called; `inputs` are the shapes where the reference is a plain function.
    """

    name: str = "default"
    weight: float = 1.0
    overrides: tuple[tuple[str, int], ...] = ()
    inputs: tuple[InputSpec, ...] = ()


@dataclass(frozen=True)
class SupportFile:
    """A module beside a kernel or reference that it imports: relative path and text."""

    path: str
    text: str


@dataclass(frozen=True)
class Problem:
    """A PyTorch reference: what the right answer is, and at which sizes it is asked for."""

    name: str
    source: str
    level: int | None = None
    problem_id: int | None = None
    precision: Precision = "fp16"
    workloads: tuple[Workload, ...] = (Workload(),)
    form: Form = "module"
    entry_point: str = "Model"
    support: tuple[SupportFile, ...] = ()

    @property
    def id(self) -> str:
        sizes = [[w.name, w.weight, w.overrides, [[i.shape, i.dtype] for i in w.inputs]] for w in self.workloads]
        support = [[f.path, f.text] for f in self.support]
        return content_id(self.source, self.precision, self.form, self.entry_point, sizes, support)


# ---------------------------------------------------------------- what is proposed


@dataclass(frozen=True)
class Knob:
    """A value in a kernel's source that may be changed without changing what it computes.

    `name` is unique in the file: the constant's or parameter's name, `factory.parameter` where two
    factories share one, or `call@line` for a literal. `start` and `end` are byte offsets of the value in
    the UTF-8 source. `choices` include the present value. `declared` knobs come from `TUNABLES`.
    """

    name: str
    kind: Literal["tile", "threads", "stages", "swizzle", "flag", "other"]
    value: KnobValue
    choices: tuple[KnobValue, ...]
    line: int
    start: int
    end: int
    declared: bool = False


@dataclass(frozen=True)
class Candidate:
    """A kernel proposed for a problem. Its identity is its content, not who proposed it."""

    source: str
    form: Form = "module"
    entry_point: str = "ModelNew"
    parent: str | None = None
    proposer: str = "user"
    hypothesis: str = ""
    knobs: tuple[tuple[str, KnobValue], ...] = ()
    structure: str | None = None
    """Id of the candidate whose knobs were set to make this one; None when the structure is its own."""
    support: tuple[SupportFile, ...] = ()

    @property
    def id(self) -> str:
        return content_id(self.source, self.form, self.entry_point, [[f.path, f.text] for f in self.support])

    @property
    def structure_id(self) -> str:
        return self.structure or self.id


# ---------------------------------------------------------------- what was found out


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
class Mismatch:
    """The first wrong value of an output and what the wrong values have in common."""

    message: str
    workload: str = "default"
    output: int = 0
    index: tuple[int, ...] = ()
    got: str = ""
    expected: str = ""
    pattern: str = ""
    cause: str = ""
    error_ratio: float | None = None
    seed: int | None = None


@dataclass(frozen=True)
class WorkloadTiming:
    """Interleaved times of candidate and baseline at one workload.

    `pairs` are (candidate_ms, baseline_ms) in the order they were taken; `ratio` is the median of
    baseline_ms / candidate_ms over the pairs, [low, high] its 95 % bootstrap interval.
    """

    workload: str
    weight: float
    pairs: tuple[tuple[float, float], ...]
    ratio: float
    low: float
    high: float
    candidate_ms: float
    baseline_ms: float


@dataclass(frozen=True)
class Measurement:
    """A speedup taken on a GPU: the weighted geometric mean of the workloads' ratios, with its interval."""

    speedup_ratio: float
    low: float
    high: float
    timings: tuple[WorkloadTiming, ...]
    baseline: str
    gpu: str
    device: str
    versions: tuple[tuple[str, str], ...]
    clock: str
    checked_calls: int
    error_ratio: float | None
    trust: Literal["A", "B", "C"]
    trust_notes: tuple[str, ...] = ()
    conditions: tuple[tuple[str, float], ...] = ()
    """Readings around the timing: sm_clock_mhz, temperature_c, power_w, where the driver gives them."""
    stopped_early: bool = False


@dataclass(frozen=True)
class WorkloadEstimate:
    """What a model expects of a candidate at one workload; no measurement."""

    workload: str
    weight: float
    candidate_ms: float
    low_ms: float
    high_ms: float
    floor_ms: float
    bound_by: str


@dataclass(frozen=True)
class Estimate:
    """An expected time from a model. It holds no speedup and can't be turned into one."""

    estimates: tuple[WorkloadEstimate, ...]
    gpu: str
    model: str
    calibrated: bool


@dataclass(frozen=True)
class Rejected:
    outcome: ClassVar[str] = "rejected"
    gate: str
    reasons: tuple[Reason, ...]


@dataclass(frozen=True)
class CompileFailed:
    outcome: ClassVar[str] = "compile_failed"
    message: str
    line: int | None = None
    action: str = ""


@dataclass(frozen=True)
class Wrong:
    outcome: ClassVar[str] = "wrong"
    mismatch: Mismatch
    checked_calls: int = 0


@dataclass(frozen=True)
class Crashed:
    outcome: ClassVar[str] = "crashed"
    message: str


@dataclass(frozen=True)
class TimedOut:
    outcome: ClassVar[str] = "timed_out"
    message: str
    seconds: float


@dataclass(frozen=True)
class Unscorable:
    """The problem's fault, not the candidate's."""

    outcome: ClassVar[str] = "unscorable"
    message: str


@dataclass(frozen=True)
class Verified:
    """Right, and no time was taken on a GPU. `cpu_ratio` where it ran natively on a CPU."""

    outcome: ClassVar[str] = "verified"
    checked_calls: int
    error_ratio: float | None
    cpu_ratio: float | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Estimated:
    outcome: ClassVar[str] = "estimated"
    estimate: Estimate


@dataclass(frozen=True)
class Measured:
    outcome: ClassVar[str] = "measured"
    measurement: Measurement


Evaluation = Rejected | CompileFailed | Wrong | Crashed | TimedOut | Unscorable | Verified | Estimated | Measured
EVALUATIONS: tuple[type, ...] = (
    Rejected, CompileFailed, Wrong, Crashed, TimedOut, Unscorable, Verified, Estimated, Measured,
)  # fmt: skip


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


# ---------------------------------------------------------------- what is remembered


@dataclass(frozen=True)
class Cost:
    seconds: float = 0.0
    gpu_seconds: float = 0.0
    usd: float = 0.0
    tokens: int = 0


@dataclass(frozen=True)
class Attempt:
    """One candidate's way through gates and evaluator. `evaluation` is None when it was abandoned."""

    index: int
    turn: int
    phase: Literal["seed", "structure", "knobs"]
    candidate: Candidate
    evaluation: Evaluation | None
    evidence: Evidence = Evidence()
    findings: tuple[Finding, ...] = ()
    cost: Cost = Cost()
    error: str = ""
    """Why the attempt was abandoned: the machinery's failure, not the candidate's."""


@dataclass(frozen=True)
class Lesson:
    """What an attempt taught, with the condition under which it holds."""

    text: str
    condition: str
    ratio: float | None = None
    gpu: str = ""


@dataclass(frozen=True)
class Run:
    """An ordered list of attempts at one problem, and why it stopped."""

    id: str
    problem: Problem
    kernel_path: str
    settings: tuple[tuple[str, str], ...]
    """Option and value as JSON; `tilewright.config` reads them back."""
    evaluator: str
    gpu: str
    started: str
    attempts: tuple[Attempt, ...] = ()
    stop_reason: str = ""
    stop_detail: str = ""
    seconds: float = 0.0
    notes: tuple[str, ...] = ()
    line_offset: int = 0
    """Added to a line of the seed's source to get the kernel file's, whose header says more."""


@dataclass(frozen=True)
class Job:
    """What an evaluator is handed."""

    candidate: Candidate
    problem: Problem
    evidence: Evidence = Evidence()
    effort: Effort = "full"
    gpu: str = ""
    incumbent_ratio: float | None = None
    deadline_s: float = 120.0
    policy: Literal["report", "own-kernels"] = "report"


@dataclass(frozen=True)
class Example:
    """A kernel shown to a proposer, with what was measured of it."""

    path: str
    problem: str
    source: str
    score: float
    speedup_ratio: float | None = None


@dataclass(frozen=True)
class Brief:
    """What a proposer is told. `parent` is the attempt to grow from, `history` all before it, in order."""

    problem: Problem
    parent: Attempt
    history: tuple[Attempt, ...]
    turn: int
    phase: Literal["structure", "knobs"]
    gpu: str
    limit: int
    """How many candidates are wanted at most."""
    examples: tuple[Example, ...] = ()
    guidelines: tuple[str, ...] = ()
    lessons: tuple[Lesson, ...] = field(default=())
