"""What goes into a problem: its reference module, parameters and inputs under secret seeds.

Only the verifier uses this. Torch's random generator and default dtype belong to the process, so all that runs a
reference holds `LOCK`.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import random
import secrets
import sys
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import torch

from tilewright.records import InputSpec, Problem, Unscorable, Workload
from tilewright.worker.exchange import wire
from tilewright.worker.processes.nursery import Ended
from tilewright.worker.running import building
from tilewright.worker.running.building import PRECISIONS, Forward, Plain
from tilewright.worker.verifying import families
from tilewright.worker.verifying.families import Family

LOCK = threading.RLock()

_INTEGERS = {"int32": torch.int32, "int64": torch.int64}
_made = itertools.count()


def secret_seed() -> int:
    return secrets.randbits(62)


@dataclass(frozen=True)
class Reference:
    """A problem's reference at one workload. `device` is where expected values are computed."""

    problem: Problem
    workload: Workload
    device: str
    module: ModuleType
    entry: Any

    @property
    def dtype(self) -> torch.dtype:
        return PRECISIONS[self.problem.precision]

    @property
    def init(self) -> Any:
        """The constructor's arguments."""
        if self.problem.form == "function":
            return []
        with _problem_at_fault("get_init_inputs"):
            return self.module.get_init_inputs() if hasattr(self.module, "get_init_inputs") else []

    def forward(self, seed: int) -> Forward:
        """The reference with its parameters drawn, at the task's dtype, on the device."""
        if self.problem.form == "function":
            return self.entry  # type: ignore[no-any-return]
        with LOCK, _default_dtype(torch.float32), _problem_at_fault("the constructor"), torch.no_grad():
            return building.constructed(self.entry, self.init, seed, self.dtype, self.device)

    def inputs(
        self, seed: int, family: Family = "drawn", last: Sequence[torch.Tensor] = (), gentle: bool = False
    ) -> list[torch.Tensor]:
        """Fresh inputs on the device, floating-point ones at the task's dtype.

        `last` are those of the call before, for families that are made of them; without, they are as drawn.
        """
        with LOCK, _default_dtype(torch.float32), torch.no_grad():
            drawn = [t.detach().to(self.device) for t in self._drawn(seed) if isinstance(t, torch.Tensor)]
            chooser = random.Random(seed)
            if family in ("drawn", "first"):
                return [self._prepared(tensor) for tensor in drawn]
            domains = [families.domain(tensor) for tensor in drawn]
            if family in families.FOLLOWING:
                made = [self._prepared(tensor) for tensor in drawn]
                combined = families.nearly if family == "nearly" else families.swapped
                return combined(last, made, domains, chooser) if last else made
            made = [families.varied(tensor, family, what, chooser, gentle) for tensor, what in zip(drawn, domains)]
            return [self._prepared(tensor) for tensor in made]

    @functools.cached_property
    def plain_inputs(self) -> dict[int, Plain]:
        """The inputs that are no tensors (a scale, a dimension), by their place among the arguments of forward."""
        if self.workload.inputs:
            return {}
        with LOCK, torch.no_grad():
            given = list(enumerate(self._without_data() or self._drawn(secret_seed())))
        plain = {place: value for place, value in given if not isinstance(value, torch.Tensor)}
        for place, value in plain.items():
            if not isinstance(value, (bool, int, float, str, type(None))):
                what = f"input {place} of the reference is a {type(value).__name__}"
                raise Ended(Unscorable(f"{what}; tensors and numbers are handled"))
        return plain

    def _without_data(self) -> list[Any]:
        """What `get_inputs` returns where nothing is drawn, which takes long on a CPU; [] where it needs numbers."""
        if self.device != "cpu":
            return []
        with (
            torch.device("meta"),
            contextlib.suppress(Exception),
        ):  # the user's code, without data, may raise anything
            return list(self.module.get_inputs())
        return []

    def _drawn(self, seed: int) -> list[Any]:
        with torch.device(self.device):  # billions of numbers are drawn in no time there
            building.seed_generators(seed)
            if self.workload.inputs:
                return _from_specs(self.workload.inputs)
            # The user's code may insist on the CPU (with a generator of its own, say); then it is asked again below.
            with contextlib.suppress(Exception):
                return list(self.module.get_inputs())
        building.seed_generators(seed)
        with _problem_at_fault("get_inputs"):
            return list(self.module.get_inputs())

    def _prepared(self, tensor: torch.Tensor) -> torch.Tensor:
        if tensor.is_floating_point() and not self.workload.inputs:
            tensor = tensor.to(self.dtype)
        return tensor.contiguous()


def load(problem: Problem, workload: Workload, device: str, scratch: Path) -> Reference:
    """Import the reference with the workload's constants set; raises `Ended` with `Unscorable` where it can't be."""
    name = f"reference_{next(_made)}"
    support = [[file.path, file.text] for file in problem.support]
    folder = scratch / name
    with LOCK, _default_dtype(torch.float32), _own_modules(folder), _problem_at_fault("its import"):
        module = building.loaded(name, problem.source, support, folder)
        for constant, value in workload.overrides:
            if not hasattr(module, constant):
                raise Ended(Unscorable(f"the reference has no constant {constant} to set"))
            setattr(module, constant, value)
        entry = building.entry_point(module, problem.entry_point)
    return Reference(problem, workload, device, module, entry)


def with_overrides(workload: Workload, overrides: Sequence[tuple[str, int]]) -> Workload:
    kept = tuple(item for item in workload.overrides if item[0] not in dict(overrides))
    return Workload(workload.name, workload.weight, kept + tuple(overrides), workload.inputs)


@contextlib.contextmanager
def running(dtype: torch.dtype) -> Iterator[None]:
    """Around a forward of the reference: that dtype is the default, no gradients, no TF32, and nobody else's turn."""
    with LOCK, _default_dtype(dtype), torch.no_grad():
        before = _flags()
        _set_flags(_PINNED)
        try:
            yield
        finally:
            _set_flags(before)


def unpinned() -> bool:
    """Whether what runs now has changed one of the flags that `running` sets."""
    return _flags() != _PINNED


_PINNED = (False, False, False)


def _flags() -> tuple[bool, bool, bool]:
    """TF32 in products and in cuDNN, and whether cuDNN chooses its algorithms by their speed today."""
    cudnn = torch.backends.cudnn
    return torch.backends.cuda.matmul.allow_tf32, cudnn.allow_tf32, cudnn.benchmark


def _set_flags(flags: tuple[bool, bool, bool]) -> None:
    cudnn = torch.backends.cudnn
    torch.backends.cuda.matmul.allow_tf32, cudnn.allow_tf32, cudnn.benchmark = flags


def _from_specs(specs: Sequence[InputSpec]) -> list[torch.Tensor]:
    """Normal numbers; integers from 0 to the smallest extent of any input, so that they can be indices."""
    smallest = min((extent for spec in specs for extent in spec.shape), default=2)
    tensors = []
    for spec in specs:
        if spec.dtype in PRECISIONS:
            tensors.append(torch.randn(spec.shape).to(PRECISIONS[spec.dtype]))
        elif spec.dtype in _INTEGERS:
            tensors.append(torch.randint(0, max(2, smallest), spec.shape, dtype=_INTEGERS[spec.dtype]))
        else:
            raise Ended(Unscorable(f"unknown dtype {spec.dtype!r} of an input"))
    return tensors


@contextlib.contextmanager
def _default_dtype(dtype: torch.dtype) -> Iterator[None]:
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


@contextlib.contextmanager
def _own_modules(folder: Path) -> Iterator[None]:
    """Modules beside a reference are found while it is imported, and forgotten afterwards."""
    path, known = list(sys.path), set(sys.modules)
    try:
        yield
    finally:
        sys.path[:] = path
        for name in set(sys.modules) - known:
            file = getattr(sys.modules[name], "__file__", None)
            if file and Path(file).is_relative_to(folder):
                del sys.modules[name]


@contextlib.contextmanager
def _problem_at_fault(where: str) -> Iterator[None]:
    try:
        yield
    except Ended:
        raise
    except torch.OutOfMemoryError:
        raise
    except Exception as error:  # the reference is the user's code: whatever it raises is said of the problem
        text = wire.printable(error, 500)
        raise Ended(Unscorable(f"the reference failed in {where}: {type(error).__name__}: {text}")) from error
