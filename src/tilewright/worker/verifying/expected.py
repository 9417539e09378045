"""What is the right answer, and how exact does PyTorch itself get it?

The truth is the reference in float64 on the parameters and inputs that the candidate gets (already rounded to the
task's dtype); float32 where float64 does not fit into the device's memory or takes too long on a CPU. The yardstick
is the reference at the task's dtype: the error that it makes is what a candidate's error is judged against.

With a backward pass wanted, the gradients are outputs like the others.
"""

from __future__ import annotations

import contextlib
import copy
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import torch

from tilewright.records import Unscorable
from tilewright.worker.exchange import wire
from tilewright.worker.processes.nursery import Ended
from tilewright.worker.running import building, modulestate
from tilewright.worker.running.building import Forward
from tilewright.worker.running.gradients import differentiable, with_gradients
from tilewright.worker.running.returned import tensors_in
from tilewright.worker.verifying import inputs
from tilewright.worker.verifying.cpuhalves import HeavyInFloat32
from tilewright.worker.verifying.inputs import Reference
from tilewright.worker.verifying.pieces import all_finite, largest_in_rows, pieces

_SLICE_ERRORS = 512
"""A slice along the first dimension is judged by itself where PyTorch errs at so many of its elements; the largest
of fewer errors is too much a matter of luck (a row of a ReLU's output may hold two values that aren't zero)."""
_FEW_ERRORS = 64
"""The largest of fewer errors than these is luck: PyTorch may hit a scalar within a hundredth of its usual error, and
32 variances within half of it."""
_FEW_IN_SLICE = 16
"""The same of a slice's, whose error has the overall one beside it."""
_LARGE = 1 / 16
"""Only errors at elements of at least this part of the largest count there: what is rounded at the others is less (a
row of a softmax's output may hold one value near 1)."""
REDRAWS = 8
_FEWEST_REDRAWS = 4
_REDRAWING_S = 0.3
_SLOW_S = 3.0


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
    name: str = ""
    """What it is called in reports; "" is "output" and its number."""
    is_gradient: bool = False
    finite: bool = False
    """Whether truth and yardstick are known to be finite everywhere."""


@dataclass(frozen=True)
class Expected:
    """The outputs for one set of inputs, and what of them is special."""

    outputs: tuple[Output, ...]
    changed: tuple[int, ...]
    """Inputs that the reference itself changes."""
    finite: bool
    """Whether PyTorch at the task's dtype is finite wherever the truth is."""
    notes: tuple[str, ...]
    """Where the truth is less exact than float64 and why, and other peculiarities of the question."""
    whole: bool = True
    """Whether the truth is finite everywhere."""
    after: tuple[tuple[int, Output], ...] = ()
    """Inputs that the reference changes, as it leaves them."""
    written: tuple[int, ...] = ()
    """Inputs that the reference writes to, be it what they were."""

    @property
    def shapes(self) -> list[tuple[tuple[int, ...], torch.dtype]]:
        return [(tuple(o.yardstick.shape), o.yardstick.dtype) for o in self.outputs]

    @property
    def by_luck(self) -> bool:
        return any(output.by_luck for output in self.outputs)

    @property
    def floating(self) -> bool:
        return all(output.truth.is_floating_point() for output in self.outputs)


@dataclass(frozen=True)
class Backward:
    """Which gradients are wanted: of the sum of the outputs at `places` times cotangents of those shapes and dtypes;
    by all floating-point inputs and by the parameters of those names and shapes."""

    places: tuple[int, ...]
    cotangents: tuple[tuple[tuple[int, ...], torch.dtype], ...]
    parameters: tuple[tuple[str, tuple[int, ...]], ...]


def backward_of(reference: Reference, seed: int, given: Sequence[torch.Tensor]) -> Backward:
    """Raises `Ended` with `Unscorable` where the reference has no gradients."""
    forward = reference.forward(seed)
    with _at_fault("forward with gradients"), inputs.running(reference.dtype):
        found = differentiable(building.with_plain(forward, reference.plain_inputs), given)
    outputs = [(place, output) for place, output in enumerate(found) if output is not None]
    if not outputs:
        raise Ended(Unscorable("no output of the reference has a gradient"))
    named = forward.named_parameters() if isinstance(forward, torch.nn.Module) else ()
    return Backward(
        tuple(place for place, _ in outputs),
        tuple((tuple(output.shape), output.dtype) for _, output in outputs),
        tuple((name, tuple(tensor.shape)) for name, tensor in named if tensor.requires_grad),
    )


class Oracle:
    """Answers for one draw of the parameters.

    `usual` are PyTorch's usual errors by family of inputs, where they were found for another draw. `disturbed`: those
    that construction leaves at one number (a norm's ones and zeros) are drawn, so that each has a say.
    """

    def __init__(
        self,
        reference: Reference,
        seed: int,
        backward: Backward | None = None,
        usual: dict[str, list[float]] | None = None,
        disturbed: bool = False,
    ) -> None:
        self._reference = reference
        self._backward = backward
        self._forward = reference.forward(seed)
        if disturbed and isinstance(self._forward, torch.nn.Module):
            modulestate.disturb(self._forward, seed)
        self._exact_dtype = torch.float64
        self._exact: Forward | None = None
        self._notes: tuple[str, ...] = ()
        self._usual = {} if usual is None else usual

    @property
    def parameters(self) -> dict[str, torch.Tensor]:
        """Parameters and buffers; as they were constructed until the first question."""
        return modulestate.tensors_of(self._forward)

    def answer(self, given: Sequence[torch.Tensor], finite: bool = False) -> Expected:
        """What is expected for those inputs, which are left as they are.

        `finite`: raises `Ended`, before it takes the time for more, where PyTorch at the task's dtype is not.
        """
        own = [tensor.clone() for tensor in given]
        versions = [tensor._version for tensor in own]
        yardsticks = self._run(self._forward, own, self._reference.dtype)
        if finite and not all(map(all_finite, yardsticks)):
            raise Ended(Unscorable("the reference overflows"))
        written = tuple(i for i, tensor in enumerate(own) if tensor._version != versions[i])
        changed = tuple(i for i in written if not torch.equal(own[i], given[i]) and not _has_nan(given[i]))
        truths, left = self._exactly(given)
        names = self._names(given, len(truths))
        outputs = tuple(
            replace(_output(t, y), name=name, is_gradient=bool(name)) for t, y, name in zip(truths, yardsticks, names)
        )
        finite = all(o.finite or _finite_where(o.yardstick, o.truth) for o in outputs)
        whole = all(o.finite or all_finite(o.truth) for o in outputs)
        after = tuple(
            (i, replace(_output(left[i], own[i]), name=f"input {i}, which forward changes")) for i in changed
        )
        return Expected(outputs, changed, finite, self._notes, whole, after, written)

    def loosened(self, expected: Expected, given: Sequence[torch.Tensor], usual: Expected) -> Expected:
        """For inputs that are all alike, at which PyTorch may err nowhere, and a right kernel by a little.

        As PyTorch's own error counts what it errs by on `usual` inputs, and what the truth changes by as the inputs
        are rounded once more: a random half of them, by the task dtype's epsilon.
        """
        size = torch.finfo(self._reference.dtype).eps / 2
        moved = self.truths([_jittered(tensor, size) for tensor in given])
        outputs = []
        for output, other, like in zip(expected.outputs, moved, usual.outputs):
            if output.truth.is_floating_point() and output.truth.numel():
                error = max(output.error, like.error, float(_error(output.truth, other).amax()))
                output = replace(output, error=error, slice_errors=None, by_luck=False)
            outputs.append(output)
        return replace(expected, outputs=tuple(outputs))

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
        return self._exactly(given)[0]

    def rough_truths(self, given: Sequence[torch.Tensor]) -> list[torch.Tensor] | None:
        """In float32, where a CPU has them far sooner than in float64 and that is still exact beside the task's."""
        if self._reference.device != "cpu" or self._reference.dtype.itemsize != 2:
            return None
        return self._run(self._copied(torch.float32), _cast(given, torch.float32), torch.float32)

    def _exactly(self, given: Sequence[torch.Tensor]) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
        """The outputs, and the inputs as they were left."""
        if self._exact_dtype is torch.float64:
            start = time.perf_counter()
            try:
                own = _cast(given, torch.float64)
                truths = self._run(self._at(torch.float64), own, torch.float64)
            except torch.OutOfMemoryError:
                self._less_exact("float64 does not fit into the device's memory")
            else:
                # Not for a task in float32: truth and yardstick would be one, as if PyTorch made no error.
                narrow = self._reference.dtype is not torch.float32
                if narrow and self._reference.device == "cpu" and time.perf_counter() - start > _SLOW_S:
                    self._less_exact("float64 takes too long on this CPU")
                return truths, own
            own = []
            torch.cuda.empty_cache()  # here, where the exception no longer holds what was allocated
        own = _cast(given, torch.float32)
        return self._run(self._at(torch.float32), own, torch.float32), own

    def _names(self, given: Sequence[torch.Tensor], count: int) -> list[str]:
        """Of the outputs, in the order in which `with_gradients` returns them."""
        if self._backward is None:
            return [""] * count
        inputs_given = given[: len(given) - len(self._backward.places)]
        names = [f"the gradient of input {i}" for i, t in enumerate(inputs_given) if t.is_floating_point()]
        names += [f"the gradient of {name}" for name, _ in self._backward.parameters]
        if count <= len(names):
            raise Ended(Unscorable("the shapes of the reference's outputs hang on its inputs: no gradients for them"))
        return [""] * (count - len(names)) + names

    def _less_exact(self, why: str) -> None:
        self._exact_dtype, self._exact = torch.float32, None
        self._notes = (f"expected values in float32: {why}",)

    def _at(self, dtype: torch.dtype) -> Forward:
        if self._exact is None:
            self._exact = self._copied(dtype)
        return self._exact

    def _copied(self, dtype: torch.dtype) -> Forward:
        if not isinstance(self._forward, torch.nn.Module):
            return self._forward
        copied: Forward = copy.deepcopy(self._forward).to(dtype)
        return copied

    def _run(self, forward: Forward, given: Sequence[torch.Tensor], dtype: torch.dtype) -> list[torch.Tensor]:
        on_cpu = self._reference.device == "cpu" and dtype.itemsize == 2
        called = building.with_plain(forward, self._reference.plain_inputs)
        if self._backward:
            own = modulestate.tensors_of(forward)
            called = with_gradients(
                called, self._backward.places, [own[name] for name, _ in self._backward.parameters]
            )
        with _at_fault("forward"), inputs.running(dtype):
            with HeavyInFloat32() if on_cpu else contextlib.nullcontext():
                outputs = [tensor.clone() for tensor in tensors_in(called(*given))]
            if inputs.unpinned():
                self._notes = tuple(dict.fromkeys((*self._notes, _UNPINNED)))
        return outputs


_UNPINNED = "the reference switches TF32 or cuDNN's benchmark mode by itself: expected values may be less exact"


@contextlib.contextmanager
def _at_fault(where: str) -> Iterator[None]:
    try:
        yield
    except (Ended, torch.OutOfMemoryError):
        raise
    except Exception as error:  # the reference is the user's code: whatever it raises is said of the problem
        text = f"{type(error).__name__}: {wire.printable(error, 500)}"
        raise Ended(Unscorable(f"the reference failed in {where}: {text}")) from error


def _jittered(tensor: torch.Tensor, size: float) -> torch.Tensor:
    if not tensor.is_floating_point():
        return tensor
    generator = torch.Generator(tensor.device).manual_seed(tensor.numel())
    down = torch.randint(0, 2, tensor.shape, generator=generator, device=tensor.device, dtype=torch.float64)
    return tensor.to(torch.float64) * (1 - 2 * down * size)  # never away from zero: a 1 may be the most there can be


def _cast(given: Sequence[torch.Tensor], dtype: torch.dtype) -> list[torch.Tensor]:
    return [tensor.to(dtype, copy=True) if tensor.is_floating_point() else tensor.clone() for tensor in given]


def _output(truth: torch.Tensor, yardstick: torch.Tensor) -> Output:
    if not truth.is_floating_point() or not truth.numel():
        return Output(truth, yardstick, 0.0, None, finite=True)
    rows = truth.shape[0] if truth.dim() > 1 else 1
    of_rows = _errors_in_rows(*(x.reshape(rows, -1) for x in (truth, yardstick)))
    overall, errors = of_rows.largest.amax(), of_rows.count
    by_luck = int(of_rows.at_large.sum()) < _FEW_ERRORS and (int(errors.sum()) > 0 or truth.numel() < _FEW_ERRORS)
    slices = None
    if rows > 1 and truth.numel() // rows >= _SLICE_ERRORS:
        enough = (errors >= _SLICE_ERRORS) & (of_rows.at_large >= _FEW_IN_SLICE)
        slices = torch.where(enough, of_rows.largest, overall)
    return Output(truth, yardstick, float(overall), slices, by_luck, finite=of_rows.finite)


@dataclass(frozen=True)
class _RowErrors:
    """PyTorch's errors in each row: the largest, how many, how many of them at large elements; whether truth and
    yardstick are finite everywhere."""

    largest: torch.Tensor
    count: torch.Tensor
    at_large: torch.Tensor
    finite: bool


def _errors_in_rows(truth: torch.Tensor, yardstick: torch.Tensor) -> _RowErrors:
    large = _LARGE * largest_in_rows(truth).reshape(-1, 1)
    largest = torch.zeros(len(truth), dtype=torch.float64, device=truth.device)
    count, at_large = (torch.zeros_like(largest, dtype=torch.int64) for _ in range(2))
    finite = True
    for rows, columns in pieces(truth):
        t = truth[rows, columns]
        error = (yardstick[rows, columns].to(torch.float64) - t.to(torch.float64)).abs_()
        found = error.amax(dim=1)
        if not bool(torch.isfinite(found).all()):
            finite, error = False, torch.where(torch.isfinite(error), error, 0.0)
            found = error.amax(dim=1)
        wrong = error > 0
        largest[rows] = torch.maximum(largest[rows], found)
        count[rows] += wrong.sum(dim=1)
        at_large[rows] += (wrong & (t.abs() >= large[rows])).sum(dim=1)
    return _RowErrors(largest, count, at_large, finite)


def _error(truth: torch.Tensor, yardstick: torch.Tensor) -> torch.Tensor:
    error = (yardstick.to(torch.float64) - truth.to(torch.float64)).abs()
    return torch.where(torch.isfinite(error), error, 0.0)


def _finite_where(yardstick: torch.Tensor, truth: torch.Tensor) -> bool:
    if not truth.is_floating_point():
        return True
    return bool((torch.isfinite(yardstick) | ~torch.isfinite(truth)).all())


def _has_nan(tensor: torch.Tensor) -> bool:
    return tensor.is_floating_point() and bool(torch.isnan(tensor).any())
