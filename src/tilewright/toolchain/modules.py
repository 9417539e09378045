"""How does the text of a kernel or a reference become a Python module, and that a network?

The text is written to a private folder, because TileLang reads the source of its functions back from their file."""

from __future__ import annotations

import contextlib
import importlib.util
import inspect
import itertools
import sys
import tempfile
import types
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch

from tilewright.records import Candidate, InputSpec, Precision, Problem, SupportFile, Workload

TORCH_DTYPES: dict[str, torch.dtype] = {
    "fp16": torch.float16,
    "bf16": torch.bfloat16,
    "fp32": torch.float32,
    "int8": torch.int8,
    "int32": torch.int32,
    "int64": torch.int64,
    "bool": torch.bool,
}

_serial = itertools.count()


@contextlib.contextmanager
def module_of(what: Candidate | Problem) -> Iterator[types.ModuleType]:
    """Run the text of a candidate or a reference as a module. `module.__file__` is where tracebacks point.

    Its support files are importable inside the block. Raises whatever the text raises."""
    name = f"tilewright_{type(what).__name__.lower()}_{next(_serial)}"
    with tempfile.TemporaryDirectory(prefix="tilewright-") as folder:
        path = Path(folder, f"{name}.py")
        path.write_text(what.source, encoding="utf-8")
        support = [_write(folder, file) for file in what.support]
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None and spec.loader is not None  # a .py file always has a loader
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        sys.path.insert(0, folder)
        try:
            spec.loader.exec_module(module)
            yield module
        finally:
            sys.path.remove(folder)
            sys.modules.pop(name, None)
            for imported in support:
                sys.modules.pop(imported, None)


def is_candidate_file(path: str) -> bool:
    """Whether a path in a traceback or a span is the file of a candidate itself."""
    return Path(path).name.startswith("tilewright_candidate_")


def set_workload(reference: types.ModuleType, workload: Workload) -> None:
    """Set the constants of a reference that a workload overrides."""
    for name, value in workload.overrides:
        setattr(reference, name, value)


def make_inputs(reference: types.ModuleType, problem: Problem, workload: Workload) -> list[Any]:
    """The arguments of forward, floating tensors at the task's dtype, on the default device."""
    if problem.form == "function":
        return [_tensor(spec) for spec in workload.inputs]
    return [at_precision(value, problem.precision) for value in reference.get_inputs()]


def at_precision(value: Any, precision: Precision) -> Any:
    if isinstance(value, torch.Tensor) and value.is_floating_point():
        return value.to(TORCH_DTYPES[precision])
    return value


def network_of(entry: Any, init_inputs: Any) -> Any:
    """Construct a module with what `get_init_inputs` returned: a list of arguments, or a dict of named ones."""
    return entry(**init_inputs) if isinstance(init_inputs, dict) else entry(*init_inputs)


def function_of(entry: Any) -> Any:
    """What takes the tensors in the function form: the function itself, or the kernel that it returns when all of its
    parameters have defaults (a factory). The output of a bare PrimFunc is its last parameter."""
    try:
        parameters = inspect.signature(getattr(entry, "func", entry)).parameters.values()
    except (TypeError, ValueError):
        return entry
    if any(p.kind is p.VAR_POSITIONAL or (p.default is p.empty and p.kind is not p.VAR_KEYWORD) for p in parameters):
        return entry
    made = entry()
    if type(made).__name__ == "PrimFunc":
        import tilelang  # a reference alone needs no tilelang

        return tilelang.compile(made, out_idx=[-1])
    return made


@contextlib.contextmanager
def default_dtype(precision: Precision) -> Iterator[None]:
    """Inside, tensors made without a dtype have the task's; modules are called like that."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(TORCH_DTYPES[precision])
    try:
        yield
    finally:
        torch.set_default_dtype(before)


def tensors_in(value: object) -> Sequence[torch.Tensor]:
    """The tensors of a result, however it nests them."""
    if isinstance(value, torch.Tensor):
        return [value]
    if isinstance(value, (list, tuple)):
        return [tensor for item in value for tensor in tensors_in(item)]
    if isinstance(value, dict):
        return [tensor for item in value.values() for tensor in tensors_in(item)]
    return []


def _tensor(spec: InputSpec) -> torch.Tensor:
    dtype = TORCH_DTYPES[spec.dtype]
    if dtype.is_floating_point:
        return torch.randn(spec.shape, dtype=dtype)
    return torch.zeros(spec.shape, dtype=dtype)


def _write(folder: str, file: SupportFile) -> str:
    """Write a support file and return the module name under which it is imported."""
    path = Path(folder, file.path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(file.text, encoding="utf-8")
    return ".".join(Path(file.path).with_suffix("").parts)
