"""Which kernels does a candidate launch at a workload's real sizes, and what does PyTorch do around them?

The module runs on tensors without data (PyTorch's meta device), so full sizes cost neither memory nor time. Its
kernels are caught before they are compiled. A module that branches on the values of its tensors can't be followed
like this: a number read out of a tensor is taken to be 1."""

from __future__ import annotations

import contextlib
import functools
import re
import sys
import types
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import tilelang  # noqa: F401  (puts the bundled tvm on the import path)
import torch
from torch.utils._python_dispatch import _disable_current_modes
from tvm import tirx

from tilewright.records import Candidate, Problem, TensorFacts, Workload
from tilewright.toolchain.arguments import allocate_outputs, check_arguments
from tilewright.toolchain.census import Census, counting, flops_of
from tilewright.toolchain.compile import Request
from tilewright.toolchain.intercept import H100_SM_COUNT, CapturedKernel, intercept, redirect_cuda, returned
from tilewright.toolchain.modules import (
    TORCH_DTYPES,
    default_dtype,
    function_of,
    is_candidate_file,
    make_inputs,
    module_of,
    network_of,
    set_workload,
    tensors_in,
)

DATA_DEPENDENT_SCALAR = 1.0


class ReferenceFailed(Exception):
    """The reference itself can't be read or run: the problem's fault. The cause is chained."""


class CandidateFailed(Exception):
    """The candidate's code raised, while the message's words were done. The cause is chained."""


class NotFollowed(Exception):
    """The candidate needs the values of its tensors, which there are none of here."""


@dataclass(frozen=True, eq=False)
class HarvestedKernel:
    """A kernel that one forward launches `launches` times. `sizes` are the symbolic sizes of its first launch."""

    name: str
    request: Request
    launches: int
    sizes: Mapping[tirx.Var, int]
    line: int | None


@dataclass(frozen=True, eq=False)
class Harvest:
    """What one forward does: the second, so that what is set up once is not counted."""

    kernels: tuple[HarvestedKernel, ...]
    census: Census
    inputs: tuple[TensorFacts, ...]
    parameters: tuple[TensorFacts, ...]
    outputs: tuple[TensorFacts, ...]
    reference_flops: float | None
    reference_error: str
    """What it raised when it ran without data, if that was more than PyTorch's lack of it."""
    kernels_built_in_forward: int


def harvest(candidate: Candidate, problem: Problem, workload: Workload, sm_count: int = H100_SM_COUNT) -> Harvest:
    """Run the candidate twice at a workload's sizes and say what the second call did. `sm_count` is what a
    persistent kernel is told when it asks for the number of multiprocessors.

    Raises `ReferenceFailed`, `CandidateFailed` or `NotFollowed`."""
    with _reference(problem, workload) as reference:
        attempt = functools.partial(_harvest, candidate, problem, workload, reference, sm_count)
        try:
            return attempt(parameters_on="meta", scalar=None)
        except CandidateFailed as error:
            if not _lacks_data(error):
                raise
        # Reading a weight while the module is built is honest work: build it with data, then drop the data.
        try:
            return attempt(parameters_on="cpu", scalar=DATA_DEPENDENT_SCALAR)
        except CandidateFailed as error:
            if not _lacks_data(error):
                raise
            raise NotFollowed(f"the module reads the values of its tensors ({error.__cause__})") from error


@dataclass(eq=False)
class _Recorder:
    """What is built and launched while it watches."""

    requests: dict[CapturedKernel, Request] = field(default_factory=dict)
    launched: list[tuple[CapturedKernel, dict[tirx.Var, int]]] = field(default_factory=list)

    def launch(self, kernel: CapturedKernel, args: tuple[Any, ...]) -> Any:
        with _disable_current_modes():  # what is done here is not the module's doing
            full = allocate_outputs(kernel.prim_func, kernel.out_idx, args, device="meta")
            check_arguments(kernel.prim_func, full)
        self.launched.append((kernel, _symbolic_sizes(kernel.prim_func, full)))
        return returned(kernel, full)


def _harvest(
    candidate: Candidate,
    problem: Problem,
    workload: Workload,
    reference: types.ModuleType,
    sm_count: int,
    parameters_on: str,
    scalar: float | None,
) -> Harvest:
    recorder = _Recorder()
    with contextlib.ExitStack() as stack:
        stack.enter_context(intercept(recorder.launch, sm_count=sm_count))
        stack.enter_context(_remembering(recorder))
        stack.enter_context(redirect_cuda("meta"))
        stack.enter_context(torch.no_grad())
        module = stack.enter_context(_candidate(candidate))
        inputs, call, parameters = _set_up(candidate, problem, workload, reference, module, parameters_on)
        stack.enter_context(default_dtype(problem.precision))
        with _blaming("calling it"), counting(scalar):
            call(*inputs)
        built, launched = len(recorder.requests), len(recorder.launched)
        with _blaming("calling it a second time"), counting(scalar) as census:
            outputs = call(*inputs)
        reference_flops, reference_error = _reference_flops(reference, problem, inputs)
        return Harvest(
            kernels=_grouped(recorder.launched[launched:], recorder.requests),
            census=census,
            inputs=_facts_of(inputs),
            parameters=_facts_of(parameters),
            outputs=_facts_of(outputs),
            reference_flops=reference_flops,
            reference_error=reference_error,
            kernels_built_in_forward=len(recorder.requests) - built,
        )


@contextlib.contextmanager
def _reference(problem: Problem, workload: Workload) -> Iterator[types.ModuleType]:
    with contextlib.ExitStack() as stack:
        try:
            reference = stack.enter_context(module_of(problem))
            set_workload(reference, workload)
        except Exception as error:  # a reference is any Python that a user wrote
            raise ReferenceFailed("reading the reference") from error
        yield reference


@contextlib.contextmanager
def _candidate(candidate: Candidate) -> Iterator[types.ModuleType]:
    with contextlib.ExitStack() as stack:
        try:
            module = stack.enter_context(module_of(candidate))
        except (Exception, SystemExit) as error:  # a candidate is any Python
            raise CandidateFailed("importing it") from error
        if not hasattr(module, candidate.entry_point):
            raise CandidateFailed("importing it") from NameError(f"no {candidate.entry_point} in the file")
        yield module


@contextlib.contextmanager
def _blaming(doing: str) -> Iterator[None]:
    try:
        yield
    except (Exception, SystemExit) as error:  # a candidate is any Python
        raise CandidateFailed(doing) from error


def _set_up(
    candidate: Candidate,
    problem: Problem,
    workload: Workload,
    reference: types.ModuleType,
    module: types.ModuleType,
    parameters_on: str,
) -> tuple[list[Any], Callable[..., Any], list[torch.Tensor]]:
    """Inputs without data, what to call with them, and the parameters and buffers that it holds."""
    try:
        with torch.device("meta"):
            inputs = make_inputs(reference, problem, workload)
        with torch.device(parameters_on):
            init_inputs = [] if problem.form == "function" else reference.get_init_inputs()
    except Exception as error:  # a reference is any Python that a user wrote
        raise ReferenceFailed("making its inputs") from error
    entry = getattr(module, candidate.entry_point)
    if candidate.form == "function":
        with _blaming("building it"):
            return inputs, function_of(entry), []
    with _blaming("building it"), torch.device(parameters_on):
        network = network_of(entry, init_inputs)
        if isinstance(network, torch.nn.Module):
            network = network.to(device="meta", dtype=TORCH_DTYPES[problem.precision])
    held = [*network.parameters(), *network.buffers()] if isinstance(network, torch.nn.Module) else []
    return inputs, network, held


@contextlib.contextmanager
def _remembering(recorder: _Recorder) -> Iterator[None]:
    """Note how each kernel was asked for, word for word: TileLang's cache key is made of that."""
    jit = sys.modules["tilelang.jit"]
    capture = jit.cached

    def remember(func: tirx.PrimFunc, out_idx: Any = None, **options: Any) -> CapturedKernel:
        kernel: CapturedKernel = capture(func, out_idx, **options)
        recorder.requests[kernel] = Request(func, out_idx, options.get("pass_configs"), options.get("compile_flags"))
        return kernel

    jit.cached = remember  # type: ignore[attr-defined]
    try:
        yield
    finally:
        jit.cached = capture  # type: ignore[attr-defined]


def _grouped(
    launched: list[tuple[CapturedKernel, dict[tirx.Var, int]]],
    requests: Mapping[CapturedKernel, Request],
) -> tuple[HarvestedKernel, ...]:
    """Kernels in the order of their first launch; one built anew for every call counts as the same."""
    order: dict[tuple[str, ...], list[tuple[CapturedKernel, dict[tirx.Var, int]]]] = {}
    scripts: dict[CapturedKernel, str] = {}
    for kernel, sizes in launched:
        request = requests[kernel]
        script = scripts.setdefault(kernel, request.prim_func.script())
        bound = sorted((var.name, size) for var, size in sizes.items())
        key = (script, str(request.pass_configs), str(request.compile_flags), str(bound))
        order.setdefault(key, []).append((kernel, sizes))
    return tuple(
        HarvestedKernel(
            name=group[0][0].name,
            request=requests[group[0][0]],
            launches=len(group),
            sizes=group[0][1],
            line=_line_of(group[0][0].prim_func),
        )
        for group in order.values()
    )


def _line_of(prim_func: tirx.PrimFunc) -> int | None:
    """Where the function starts; None for one from a module beside the candidate."""
    span = getattr(prim_func, "span", None)
    return int(span.line) if span is not None and is_candidate_file(str(span.source_name.name)) else None


def _symbolic_sizes(prim_func: tirx.PrimFunc, full: list[Any]) -> dict[tirx.Var, int]:
    sizes: dict[tirx.Var, int] = {}
    for param, value in zip(prim_func.params, full):
        buffer = prim_func.buffer_map.get(param)
        if buffer is None:
            if isinstance(value, int):
                sizes[param] = value
        elif isinstance(value, torch.Tensor):
            for extent, size in zip(buffer.shape, value.shape):
                if isinstance(extent, tirx.Var):
                    sizes.setdefault(extent, int(size))
    return sizes


def _reference_flops(reference: types.ModuleType, problem: Problem, inputs: list[Any]) -> tuple[float | None, str]:
    """None where it does not run without data, with what it raised. What it computes is not checked here."""
    try:
        entry = getattr(reference, problem.entry_point)
        if problem.form == "function":
            return flops_of(lambda: entry(*inputs)), ""
        with torch.device("meta"):
            network = network_of(entry, reference.get_init_inputs()).to(TORCH_DTYPES[problem.precision])
        return flops_of(lambda: network(*inputs)), ""
    except (RuntimeError, NotImplementedError):
        return None, ""
    except Exception as error:  # a reference is any Python that a user wrote
        return None, f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"


def _facts_of(value: object) -> tuple[TensorFacts, ...]:
    return tuple(
        TensorFacts(tuple(t.shape), str(t.dtype).removeprefix("torch."), t.numel() * t.element_size())
        for t in tensors_in(value)
    )


def _lacks_data(error: BaseException) -> bool:
    """Whether PyTorch refused because a meta tensor has no values to read."""
    cause = error.__cause__ or error
    return isinstance(cause, (RuntimeError, NotImplementedError, ValueError)) and bool(
        re.search(r"\bmeta\b", str(cause), re.IGNORECASE)
    )
