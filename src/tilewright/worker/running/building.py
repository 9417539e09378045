"""How does a source become something that takes tensors?

Module form: the class is constructed on the CPU, in fp32, under a seed, with the reference's arguments, and then
moved to the device and the task's dtype. It stays in the mode in which its constructor leaves it.

Function form, in this order:
- every parameter has a default (a factory such as ``@tilelang.jit def matmul(M=4096, N=4096, K=4096)``): it is
  called once without arguments; the kernel that it returns takes the inputs and returns the outputs (`out_idx`). A
  plain factory may return a ``T.prim_func``, whose last parameter is then the output.
- otherwise the function itself takes the tensors.
"""

from __future__ import annotations

import importlib.util
import inspect
import random
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import torch

from tilewright.toolchain.modules import function_of
from tilewright.worker.exchange.wire import Header, printable

Forward = Callable[..., Any]
Plain = bool | int | float | str | None
"""An argument of forward that is no tensor."""

PRECISIONS = {"fp16": torch.float16, "bf16": torch.bfloat16, "fp32": torch.float32}


class NotBuilt(Exception):
    """The source has not what was asked for."""


def loaded(name: str, source: str, support: Sequence[Sequence[str]], folder: Path) -> ModuleType:
    """The module, from a file of its own (TileLang reads the source of its functions from there)."""
    folder.mkdir(parents=True, exist_ok=True)
    for path, text in support:
        place = (folder / path).resolve()
        if not place.is_relative_to(folder.resolve()):
            raise NotBuilt(f"the support file {path} lies outside of the kernel's folder")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text, encoding="utf-8")
        place.chmod(0o444)
    file = folder / f"{name}.py"
    file.write_text(source, encoding="utf-8")
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    spec.loader.exec_module(module)
    return module


def entry_point(module: ModuleType, name: str) -> Any:
    found = getattr(module, name, None)
    if found is None:
        present = [key for key, value in vars(module).items() if inspect.isclass(value) or inspect.isfunction(value)]
        own = [key for key in present if getattr(vars(module)[key], "__module__", "") == module.__name__]
        raise NotBuilt(f"no {name} (found: {', '.join(own[:8]) or 'nothing'}). Rename it, or name the entry point")
    return found


def seed_generators(seed: int) -> None:
    """All that a constructor or `get_inputs` may draw from."""
    torch.default_generator.manual_seed(seed)
    if torch.cuda.is_available():
        torch.cuda.manual_seed_all(seed)  # torch.manual_seed walks the stack for each kind of device it knows
    random.seed(seed)
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed(seed % 2**32)


def constructed(entry: Any, init: Any, seed: int, dtype: torch.dtype, device: str) -> Forward:
    torch.set_default_dtype(torch.float32)
    seed_generators(seed)
    model = entry(**init) if isinstance(init, dict) else entry(*init)
    if isinstance(model, torch.nn.Module):
        model = model.to(device=device, dtype=dtype)
    torch.set_default_dtype(dtype)
    if not callable(model):
        raise NotBuilt(f"an instance of {type(model).__name__} can't be called")
    return model  # type: ignore[no-any-return]


def arguments(tensors: Sequence[torch.Tensor], plain: Mapping[int, Plain]) -> list[torch.Tensor | Plain]:
    """The arguments of forward: the tensors in order, with the plain ones at their places."""
    merged: list[torch.Tensor | Plain] = list(tensors)
    for place in sorted(plain):
        merged.insert(place, plain[place])
    return merged


def with_plain(forward: Forward, plain: Mapping[int, Plain]) -> Forward:
    """`forward` as a function of its tensors alone."""
    if not plain:
        return forward
    return lambda *tensors: forward(*arguments(tensors, plain))


def resolved_function(entry: Any) -> Forward:
    """The function that takes the tensors; see above for factories."""
    made = function_of(entry)
    if not callable(made):
        raise NotBuilt(f"the factory returned a {type(made).__name__}, which can't be called with the inputs")
    return made  # type: ignore[no-any-return]


def told(error: BaseException, phase: str, file: str) -> Header:
    """What is said of an exception in a candidate's code: its kind, its text, the line in the candidate's file.

    `kind` is "compile" where the source could not be read or TileLang could not make a kernel of it, "crash"
    where code failed as it ran, and what the interpreter says in its own words: "fault", "unsupported", "late".
    An error of the interpreter's own is "unsupported" too: it says nothing about the candidate. One out of what
    gathers facts is "machinery".
    """
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if frame.filename == file]
    line = lines[-1] if lines else None
    if isinstance(error, SyntaxError) and error.filename == file:
        line = error.lineno
    folder = str(Path(file).parent)
    text = printable(str(error).replace(folder + "/", ""), 3000)
    name = type(error).__name__
    header: Header = {"kind": "crash", "message": f"{name}: {text}" if text else name, "line": line, "rule": ""}
    special = {"Fault": "fault", "Unsupported": "unsupported", "DeadlineExceeded": "late"}.get(name)
    if special and type(error).__module__.startswith("tilewright.interpreter"):
        rule, message = getattr(error, "rule", ""), getattr(error, "message", text)
        own_line = getattr(error, "line", None)
        header.update(kind=special, rule=printable(rule, 80), message=printable(message, 3000))
        header["line"] = own_line if own_line is not None else line
    elif phase == "inspect" and isinstance(error, Exception):
        header.update(kind="machinery", message=printable("".join(traceback.format_exception(error)[-4:]), 3000))
    elif name != "ArgumentError" and _inside_interpreter(frames, file):
        header.update(kind="unsupported", message=f"the interpreter failed: {header['message']}")
    elif phase == "load" or isinstance(error, NotBuilt) or _while_compiling(frames):
        header["kind"] = "compile"
        if isinstance(error, NotBuilt):
            header["message"] = text
    return header


def _inside_interpreter(frames: traceback.StackSummary, file: str) -> bool:
    """Whether the interpreter was at work when it happened, rather than the candidate's own code."""
    for frame in reversed(frames):
        if frame.filename == file:
            return False
        if Path(frame.filename).is_relative_to(_INTERPRETER):
            return True
    return False


_INTERPRETER = Path(__file__).resolve().parents[1] / "interpreter"


def _while_compiling(frames: traceback.StackSummary) -> bool:
    """Whether TileLang was making a kernel (and not launching one)."""
    for frame in frames:
        place = Path(frame.filename).parts
        if "tilelang" in place and frame.name in _COMPILING:
            return True
    return False


_COMPILING = frozenset(
    ["compile", "lower", "cached", "mutate", "get_tir", "prim_func", "parse_args", "par_compile", "compile_cuda"]
)  # the names of TileLang's own functions on the way from Python to a binary
