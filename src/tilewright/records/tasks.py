"""What is to be solved: a problem, its sizes, the knobs and kernels proposed for it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Literal

KnobValue = bool | int | float | str | None
Precision = Literal["fp16", "bf16", "fp32"]
Form = Literal["module", "function"]


def content_id(*parts: object) -> str:
    """The identity of content: sha256 over the JSON of its parts, first 16 hex digits."""
    text = json.dumps(parts, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


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
