"""Is it the candidate's own TileLang kernels that do the work?

Decoys are rejected under either policy: kernels without which the outputs are just as right, and kernels that forward
never launches. Under "own-kernels" so is what leaves the problem's heavy operations to PyTorch. Under "report" that
is said, and nothing more: a kernel beside a library's matrix product is honest work.

What a candidate's process says of itself (which kernels ran, how many launches were left out) it could forge; whether
outputs are right without the kernels, the verifier sees by their bytes. Kernels that copy what PyTorch computed are
no decoys by this: their share of the time tells of them.
"""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch.utils.flop_counter import FlopCounterMode

from tilewright.records import Crashed, Job, KernelShare, Reason, Rejected
from tilewright.source.kernels import kernel_functions
from tilewright.worker.exchange import wire
from tilewright.worker.exchange.wire import Header
from tilewright.worker.processes.nursery import Ended
from tilewright.worker.running import census
from tilewright.worker.running.returned import tensors_in
from tilewright.worker.verifying import inputs
from tilewright.worker.verifying.inputs import Reference
from tilewright.worker.verifying.verifier import Trial

LEAST_OWN_SHARE = 0.5
"""Of the device's time, under the policy own-kernels."""
MOST_LIBRARY_FLOPS = 0.1
"""Of the reference's floating-point operations in products and convolutions, under the same."""
_PRODUCTS = re.compile(
    r"aten\.(mm|addmm|bmm|baddbmm|addbmm|mv|addmv|dot|_?convolution\w*|\w*conv\w*|linear|matmul|einsum|_scaled_mm"
    r"|_int_mm|\w*attention\w*)\."
)
_OWN_WORK = (
    "Compute it in a TileLang kernel, or choose the policy report, under which library calls are only reported."
)


@dataclass(frozen=True)
class Census:
    """What ran on the device in one forward; empty where it was not taken."""

    shares: tuple[KernelShare, ...] = ()
    busy_us: float = 0.0
    """All kernels' times together."""
    streams: int = 0

    @property
    def own_share(self) -> float:
        return sum(kernel.share for kernel in self.shares if kernel.own)


@dataclass(frozen=True)
class Ablation:
    """A forward without its TileLang kernels: whether it was `right` all the same, how many launches were `skipped`
    and how many `ran` by another way, and what PyTorch did in it."""

    right: bool = False
    skipped: int = 0
    ran: int = 0
    operations: tuple[str, ...] = ()
    flops: float = 0.0


@dataclass(frozen=True)
class Ownership:
    """Of a candidate that was not rejected."""

    census: Census
    notes: tuple[str, ...]


def refused(job: Job) -> Rejected | None:
    """What source and facts alone speak against: nothing under "report"."""
    if job.policy == "report":
        return None
    reasons = list(_of_source(job))
    for facts in job.evidence.facts:
        operations = [name for name, _ in facts.torch_ops]
        reasons += _library_products(operations, facts.torch_flops, facts.reference_flops)
    return _rejected(reasons)


def examined(trial: Trial, job: Job, full_size: bool = True) -> Ownership:
    """One forward without the kernels; on a GPU one more is profiled, where the effort or the policy asks for it.

    To be called last: the profiler slows what comes after it, and a module's buffers may hold nonsense afterwards.
    Raises `Ended` with what is rejected. `full_size`: whether the problem is asked at its own size; a smaller one a
    kernel may rightly leave to PyTorch.
    """
    if not kernel_names(job):
        return Ownership(Census(), ("no TileLang kernel ran: PyTorch did all the work",))
    on_gpu, taken, notes = trial.reference.device == "cuda", Census(), []
    if on_gpu and (job.effort != "quick" or job.policy == "own-kernels"):
        taken = _taken(trial, job)
        if not taken.shares:
            notes.append("the kernels' shares of the time are not known: the profiler saw none (no right to CUPTI?)")
    work = None if on_gpu or job.policy == "report" else work_of(trial.reference)
    failure = verdict(job, taken, _ablated(trial), work[0] if work else None, full_size)
    if failure:
        raise Ended(failure)
    return Ownership(taken, tuple(notes))


def verdict(
    job: Job, taken: Census, ablation: Ablation, reference_flops: float | None, full_size: bool = True
) -> Rejected | None:
    """What was found in one forward, judged. `reference_flops` is None where only the census shall decide."""
    reasons: list[Reason] = []
    names = kernel_names(job)
    if ablation.right and names and not ablation.ran:
        if ablation.skipped:
            message = (
                f"the outputs are right without its TileLang kernels ({ablation.skipped} launches left out): "
                "PyTorch computes them, the kernels are decoys"
            )
            action = "Make the outputs of what the kernels compute, or take the kernels out."
            reasons.append(Reason("decoy-kernel", message, _kernel_line(job), action))
        elif not taken.own_share and full_size:
            message = f"forward launches none of its TileLang kernels ({', '.join(sorted(names))})"
            action = "Launch them in forward, and let their errors through instead of going another way."
            reasons.append(Reason("kernel-not-launched", message, _kernel_line(job), action))
    if job.policy == "own-kernels":
        if taken.shares and taken.own_share < LEAST_OWN_SHARE:
            other = max((k for k in taken.shares if not k.own), key=lambda kernel: kernel.share)
            message = (
                f"its TileLang kernels take {taken.own_share:.0%} of the device's time, at least "
                f"{LEAST_OWN_SHARE:.0%} is wanted; {other.name[:80]} takes {other.share:.0%}"
            )
            reasons.append(Reason("library-kernels", message, None, _OWN_WORK))
        if reference_flops is not None:
            reasons += _library_products(ablation.operations, ablation.flops, reference_flops)
    return _rejected(reasons)


def shares(header: Header, names: set[str]) -> Census:
    """What a candidate's process says of its kernels, with those of its own marked. Raises `wire.BadFrame`."""
    rows = wire.field(header, "kernels", list)
    if len(rows) > census.MOST_NAMES + 1 or not all(map(_is_row, rows)):
        raise wire.BadFrame("kernels that are none")
    total = sum(us for _, _, us in rows) or 1.0
    listed = [
        KernelShare(wire.printable(name, census.MOST_CHARACTERS), float(count), us / total, is_own(name, names))
        for name, count, us in rows
    ]
    return Census(tuple(listed), total, wire.field(header, "streams", int))


def is_own(kernel: str, names: set[str]) -> bool:
    """TileLang calls a device kernel after its function: `<prim_func>_kernel`, the next `<prim_func>_kernel_1`."""
    return kernel in names or re.sub(r"_kernel(_\d+)?$", "", kernel) in names


def kernel_names(job: Job) -> set[str]:
    """Of the TileLang functions that the candidate defines, and of those that the compile gate found in use."""
    found = {kernel.name for facts in job.evidence.facts for kernel in facts.kernels}
    return found | {function.name for tree in _trees(job) for function in kernel_functions(tree)}


def work_of(reference: Reference) -> tuple[float, int] | None:
    """FLOP in products and convolutions of one forward, and elements of its inputs and outputs, from shapes alone.

    None where it needs the values.
    """
    specs = reference.workload.inputs
    try:
        with inputs.LOCK, torch.device("meta"), torch.no_grad(), FlopCounterMode(display=False) as counter:
            given = [torch.empty(spec.shape) for spec in specs] or list(reference.module.get_inputs())
            module = reference.problem.form == "module"
            returned = tensors_in((reference.entry(*reference.init) if module else reference.entry)(*given))
    except Exception:  # the user's code on tensors without data may raise anything
        return None
    tensors = [tensor for tensor in (*given, *returned) if isinstance(tensor, torch.Tensor)]
    return float(counter.get_total_flops()), sum(tensor.numel() for tensor in tensors)


def _taken(trial: Trial, job: Job) -> Census:
    trial.runner.ask({"op": "census", "on": True}, trial.deadline)
    trial.check_call("drawn", False)
    header = trial.runner.ask({"op": "census", "on": False}, trial.deadline)
    try:
        return shares(header, kernel_names(job))
    except wire.BadFrame as error:
        raise Ended(Crashed(f"wrote to the evaluator's channel: {error}")) from None


def _ablated(trial: Trial) -> Ablation:
    """Whoever is right without them is so on inputs of an earlier call, the answer to which is known, and on fresh
    ones, too, where nothing can be right because it was left from that call."""
    trial.runner.ask({"op": "ablate", "on": True}, trial.deadline)
    # Else it is wrong, or could not do without them: the kernels matter.
    right = trial.is_right("first") and trial.is_right("drawn")
    if not trial.runner.usable:
        return Ablation()
    header = trial.runner.ask({"op": "ablate", "on": False}, trial.deadline)
    try:
        operations = [wire.printable(name, 80) for name in wire.field(header, "operations", list)[:100]]
        skipped, ran = wire.field(header, "skipped", int), wire.field(header, "ran", int)
        return Ablation(right, skipped, ran, tuple(operations), wire.field(header, "flops", float))
    except wire.BadFrame as error:
        raise Ended(Crashed(f"wrote to the evaluator's channel: {error}")) from None


def _of_source(job: Job) -> Iterator[Reason]:
    if not kernel_names(job):
        yield Reason("no-own-kernel", "no TileLang kernel is defined: PyTorch would do all the work", None, _OWN_WORK)
    for node in (node for tree in _trees(job) for node in ast.walk(tree) if isinstance(node, ast.Attribute)):
        if node.attr == "compile" and isinstance(node.value, ast.Name) and node.value.id == "torch":
            message = "torch.compile lets PyTorch's own compiler do the work"
            yield Reason("torch-compile", message, node.lineno, _OWN_WORK)


def _library_products(operations: Sequence[str], flops: float, reference_flops: float | None) -> list[Reason]:
    """Products and convolutions that PyTorch runs, where they are more than a tenth of what the reference does."""
    share = flops / reference_flops if reference_flops else float(flops > 0)
    if share <= MOST_LIBRARY_FLOPS:
        return []
    names = ", ".join(sorted({match[1] for name in operations if (match := _PRODUCTS.match(name))}))
    message = f"PyTorch runs {min(1.0, share):.0%} of the reference's arithmetic: {names or 'products'}"
    return [Reason("library-products", message, None, _OWN_WORK)]


def _rejected(reasons: Sequence[Reason]) -> Rejected | None:
    return Rejected("ownership", tuple(dict.fromkeys(reasons))) if reasons else None


def _is_row(row: object) -> bool:
    if not isinstance(row, list) or [type(item) for item in row] != [str, int, float]:
        return False
    _, count, us = row
    return bool(count > 0 and 0 <= us < math.inf)


def _trees(job: Job) -> list[ast.Module]:
    """The candidate's own file first."""
    sources = [job.candidate.source, *(f.text for f in job.candidate.support if f.path.endswith(".py"))]
    trees = []
    for source in sources:
        try:
            trees.append(ast.parse(source))
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            trees.append(ast.Module([], []))  # importing it is what tells of it
    return trees


def _kernel_line(job: Job) -> int | None:
    """Where the first of its kernels is defined."""
    lines = [function.lineno for function in kernel_functions(_trees(job)[0])]
    return min(lines, default=None)
