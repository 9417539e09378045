"""What do the tools answer? Records whose docstrings are the fields' descriptions in the tools' schemas."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict


class Record(BaseModel):
    """With the docstrings under its fields as their descriptions."""

    model_config = ConfigDict(use_attribute_docstrings=True, frozen=True)


class Kernel(Record):
    kernel: str
    """Its path: what the other tools take."""
    problem: str
    speedup_ratio: float | None
    """Over PyTorch eager, measured on a GPU; null where nobody measured."""
    category: str
    """SLOW (below 0.8), MODERATE, GOOD (above 1.2) or UNMEASURED."""


class Kernels(Record):
    kernels: list[Kernel]
    left_out: int
    """How many more there are; a larger `count` shows them."""


class Example(Record):
    path: str
    problem: str
    why: str
    """What it has in common with what was asked for."""
    techniques: list[str]
    """What makes it fast, by name."""
    speedup_ratio: float | None
    """Over PyTorch eager, measured."""
    source: str


class Answer(Record):
    """Of a tool whose work takes longer than a call should."""

    job: str
    """What `get_answer` takes while `state` is working."""
    state: Literal["done", "working"]
    next: str
    """What to do now."""
    result: dict[str, Any] | None = None


class Best(Record):
    attempt: int
    candidate: str
    outcome: str
    """In words, with the interval or marked as an estimate."""
    speedup_ratio: float | None
    """Over the baseline, measured on a GPU; null for an estimate."""
    interval: tuple[float, float] | None
    """95 % confidence."""
    estimated_ms: float | None
    """Of an estimate; no speedup follows from it."""
    over_seed: float | None
    """How many times as fast as the kernel the run began with: measured, or a ratio of estimates."""


class BestKernel(Best):
    run: str
    source: str
    """The whole file, without results in its header."""


class Tried(Record):
    attempt: int
    turn: int
    phase: str
    """seed: the kernel as it was. structure: another way to compute it. knobs: other tile sizes and the like."""
    hypothesis: str
    outcome: str
    """measured, estimated, rejected, compile_failed, wrong, crashed, timed_out, unscorable or abandoned."""
    text: str
    """What became of it, in words."""


class RunState(Record):
    run: str
    """What the other tools take."""
    kernel: str
    state: Literal["running", "ended", "unfinished"]
    """unfinished: nobody works on it here; `resume_run` goes on with it."""
    stop_reason: str
    stop_detail: str
    doing: str
    """What a running one does just now."""
    attempts: int
    last: list[Tried]
    """The newest attempts, the oldest of them first."""
    best: Best | None
    saved: str | None
    """The kernel file that the run left, where it is known."""
    seconds: float
    next: str
    """What to do now."""


class Runs(Record):
    runs: list[RunState]
    left_out: int


class History(Record):
    run: str
    attempts: list[dict[str, Any]]
    """Each with hypothesis, code_change (a diff against its parent), outcome, findings and what was measured."""
    left_out: int
    """How many come after these; ask with a larger `first`."""


class Learned(Record):
    id: int
    run: str
    text: str
    condition: str
    """When it holds."""
    ratio: float | None
    gpu: str
