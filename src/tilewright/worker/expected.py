"""What is the right answer, and how exact does PyTorch itself get it?

The truth is the reference in float64 on the parameters and inputs that the candidate gets (already rounded to the
task's dtype); float32 where float64 does not fit into the device's memory or takes too long on a CPU. The yardstick
is the reference at the task's dtype: the error that it makes is what a candidate's error is judged against.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from tilewright.records import Unscorable
from tilewright.worker import inputs, wire
from tilewright.worker.building import Forward, arguments
from tilewright.worker.inputs import Reference
from tilewright.worker.processes import Ended
from tilewright.worker.returned import tensors_in

_SLICE_ERRORS = 512
"""A slice along the first dimension is judged by itself where PyTorch errs at so many of its elements; the largest
of fewer errors is too much a matter of luck (a row of a ReLU's output may hold two values that aren't zero)."""
_FEW_ERRORS = 16
"""The largest of fewer errors than these is luck: PyTorch may hit a scalar within a hundredth of its usual error."""
REDRAWS = 8
_FEWEST_REDRAWS = 4
_REDRAWING_S = 1.0
_SLOW_S = 3.0
_CHUNK = 1 << 24


@dataclass(frozen=True)
class Output:
    """One expected output. `error` is PyTorch's largest own error, `slice_errors` the same per leading index
    (the overall one where a slice's own says too little)."""

    truth: torch.Tensor
    yardstick: torch.Tensor
    error: float
    slice_errors: torch.Tensor | None
    by_luck: bool = False
    """Whether `error` is the largest of too few errors to say anything."""


@dataclass(frozen=True)
class Expected:
    """The outputs for one set of inputs, and what of them is special."""

    outputs: tuple[Output, ...]
    changed: tuple[int, ...]
    """Inputs that the reference itself changes."""
    finite: bool
    """Whether PyTorch at the task's dtype is finite wherever the truth is."""
    notes: tuple[str, ...]
    """Where the truth is less exact than float64, and why."""

    @property
    def shapes(self) -> list[tuple[tuple[int, ...], torch.dtype]]:
        return [(tuple(o.yardstick.shape), o.yardstick.dtype) for o in self.outputs]

    @property
    def by_luck(self) -> bool:
        return any(output.by_luck for output in self.outputs)


class Oracle:
    """Answers for one draw of the parameters."""

    def __init__(self, reference: Reference, seed: int) -> None:
        self._reference = reference
        self._forward = reference.forward(seed)
        self._exact_dtype = torch.float64
        self._exact: Forward | None = None
        self._notes: tuple[str, ...] = ()
        self._usual: dict[str, list[float]] = {}

    def answer(self, given: Sequence[torch.Tensor]) -> Expected:
        """What is expected for those inputs, which are left as they are."""
        own = [tensor.clone() for tensor in given]
        yardsticks = self._run(self._forward, own, self._reference.dtype)
        changed = tuple(i for i, (x, y) in enumerate(zip(own, given)) if not torch.equal(x, y) and not _has_nan(y))
        truths = self.truths(given)
        outputs = tuple(_output(truth, yardstick) for truth, yardstick in zip(truths, yardsticks))
        finite = all(_finite_where(o.yardstick, o.truth) for o in outputs)
        return Expected(outputs, changed, finite, self._notes)

    def steadied(self, expected: Expected, family: str, draws: Iterable[Sequence[torch.Tensor]]) -> Expected:
        """With PyTorch's usual error on other inputs of that family where the error on these alone is luck."""
        if family not in self._usual:
            self._usual[family] = self._usual_errors(draws)
        outputs = [
            replace(output, error=max(output.error, usual), slice_errors=None) if output.by_luck else output
            for output, usual in zip(expected.outputs, self._usual[family])
        ]
        return replace(expected, outputs=tuple(outputs))

    def _usual_errors(self, draws: Iterable[Sequence[torch.Tensor]]) -> list[float]:
        """Of each output: the largest error over the draws, or over fewer of them where they take long."""
        start, errors = time.perf_counter(), []
        for given in draws:
            errors.append([output.error for output in self.answer(given).outputs])
            if len(errors) >= _FEWEST_REDRAWS and time.perf_counter() - start > _REDRAWING_S:
                break
        return [max(of_one) for of_one in zip(*errors)]

    def truths(self, given: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        if self._exact_dtype is torch.float64:
            start = time.perf_counter()
            try:
                truths = self._run(self._at(torch.float64), _cast(given, torch.float64), torch.float64)
            except torch.OutOfMemoryError:
                self._less_exact("float64 does not fit into the device's memory")
            else:
                # Not for a task in float32: truth and yardstick would be one, as if PyTorch made no error.
                narrow = self._reference.dtype is not torch.float32
                if narrow and self._reference.device == "cpu" and time.perf_counter() - start > _SLOW_S:
                    self._less_exact("float64 takes too long on this CPU")
                return truths
            torch.cuda.empty_cache()  # here, where the exception no longer holds what was allocated
        return self._run(self._at(torch.float32), _cast(given, torch.float32), torch.float32)

    def _less_exact(self, why: str) -> None:
        self._exact_dtype, self._exact = torch.float32, None
        self._notes = (f"expected values in float32: {why}",)

    def _at(self, dtype: torch.dtype) -> Forward:
        if self._exact is None:
            exact: Any = self._forward
            if isinstance(exact, torch.nn.Module):
                exact = copy.deepcopy(exact).to(dtype)
            self._exact = exact
        return self._exact

    def _run(self, forward: Forward, given: Sequence[torch.Tensor], dtype: torch.dtype) -> list[torch.Tensor]:
        plain = self._reference.plain_inputs
        wide = _HeavyInFloat32() if self._reference.device == "cpu" and dtype.itemsize == 2 else None
        try:
            with inputs.running(dtype):
                if wide is None:
                    return [tensor.clone() for tensor in tensors_in(forward(*arguments(given, plain)))]
                with wide:
                    return [tensor.clone() for tensor in tensors_in(forward(*arguments(given, plain)))]
        except torch.OutOfMemoryError:
            raise
        except Exception as error:  # the reference is the user's code: whatever it raises is said of the problem
            text = f"{type(error).__name__}: {wire.printable(error, 500)}"
            raise Ended(Unscorable(f"the reference failed in forward: {text}")) from error


class _HeavyInFloat32(TorchDispatchMode):  # type: ignore[misc]  # torch is Any to the type checker
    """Half-precision products on a CPU in float32, rounded once: as a GPU's tensor cores do them, and not for hours.

    So is every operation that PyTorch has only in full precision on a CPU.
    """

    _HEAVY = frozenset(["mm", "addmm", "bmm", "baddbmm", "convolution"])

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func.overloadpacket.__name__ not in self._HEAVY:
            try:
                return func(*args, **kwargs)
            except (RuntimeError, NotImplementedError) as error:
                if "not implemented for" not in str(error):
                    raise
        given = _tensors((args, tuple(kwargs.values())))
        narrow = next((t.dtype for t in given if t.dtype in _HALVES), None)
        if narrow is None:
            return func(*args, **kwargs)
        wide = func(*_mapped(args, _widened), **_mapped(kwargs, _widened))
        return _mapped(wide, lambda t: t.to(narrow) if t.dtype is torch.float32 else t)


_HALVES = (torch.float16, torch.bfloat16)


def _widened(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.float() if tensor.dtype in _HALVES else tensor


def _tensors(value: Any) -> list[torch.Tensor]:
    if isinstance(value, torch.Tensor):
        return [value]
    return [t for item in value for t in _tensors(item)] if isinstance(value, (tuple, list)) else []


def _mapped(value: Any, change: Callable[[torch.Tensor], torch.Tensor]) -> Any:
    if isinstance(value, torch.Tensor):
        return change(value)
    if isinstance(value, dict):
        return {key: _mapped(item, change) for key, item in value.items()}
    if isinstance(value, (tuple, list)):
        return type(value)(_mapped(item, change) for item in value)
    return value


def _cast(given: Sequence[torch.Tensor], dtype: torch.dtype) -> list[torch.Tensor]:
    return [tensor.to(dtype, copy=True) if tensor.is_floating_point() else tensor.clone() for tensor in given]


def _output(truth: torch.Tensor, yardstick: torch.Tensor) -> Output:
    if not truth.is_floating_point() or not truth.numel():
        return Output(truth, yardstick, 0.0, None)
    worst, per_slice, count = _largest_errors(truth, yardstick)
    by_luck = count < _FEW_ERRORS and (count > 0 or truth.numel() < _FEW_ERRORS)
    return Output(truth, yardstick, worst, per_slice, by_luck)


def _largest_errors(truth: torch.Tensor, yardstick: torch.Tensor) -> tuple[float, torch.Tensor | None, int]:
    """PyTorch's largest error overall, per leading index where there are enough to say anything, and their number."""
    rows = truth.shape[0] if truth.dim() > 1 else 1
    if truth.dim() < 2 or rows < 2 or truth.numel() // max(1, rows) < _SLICE_ERRORS:
        worst, count = 0.0, 0
        for t, y in zip(*(x.reshape(-1).split(_CHUNK) for x in (truth, yardstick))):
            error = _error(t, y)
            worst, count = max(worst, float(error.amax())), count + int((error > 0).sum())
        return worst, None, count
    step = max(1, _CHUNK // (truth.numel() // rows))
    flat = [x.reshape(rows, -1).split(step) for x in (truth, yardstick)]
    largest, counts = [], []
    for t, y in zip(*flat):
        error = _error(t, y)
        largest.append(error.amax(dim=1))
        counts.append((error > 0).sum(dim=1))
    per_slice = torch.cat(largest)
    overall = per_slice.amax()
    count = torch.cat(counts)
    return float(overall), torch.where(count >= _SLICE_ERRORS, per_slice, overall), int(count.sum())


def _error(truth: torch.Tensor, yardstick: torch.Tensor) -> torch.Tensor:
    error = (yardstick.to(torch.float64) - truth.to(torch.float64)).abs()
    return torch.where(torch.isfinite(error), error, 0.0)


def _finite_where(yardstick: torch.Tensor, truth: torch.Tensor) -> bool:
    if not truth.is_floating_point():
        return True
    return bool((torch.isfinite(yardstick) | ~torch.isfinite(truth)).all())


def _has_nan(tensor: torch.Tensor) -> bool:
    return tensor.is_floating_point() and bool(torch.isnan(tensor).any())
