"""What is known of a kernel as it is: its times, what compiling it showed, what holds it back?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from tilewright.records import (
    Attempt,
    Clock,
    Estimated,
    Evaluation,
    Evidence,
    Facts,
    Finding,
    Instructions,
    KernelFacts,
    Measured,
    Measurement,
    Standing,
)
from tilewright.scores import against
from tilewright.wording import numbers
from tilewright.wording.outcomes import outcome, quoted, warned, why_briefly
from tilewright.wording.task import source

_MOST_KERNELS = 8
"""That are described: further ones take little of the time."""
_CLOCKS: Mapping[Clock, str] = {
    "device": "the time on the device",
    "events": "events around each call",
    "latency": "single calls on an idle GPU, the host's part included",
}
_A_MODELS = "llm"
"""The rule whose findings are what a model said, and computed by nobody."""


def kernel(attempt: Attempt, standing: Sequence[str] = ()) -> str:
    """The kernel in full, how fast it is and how far from the hardware's limit, and what compiling it showed."""
    candidate = attempt.candidate
    parts = [
        f"Entry point: {'class' if candidate.form == 'module' else 'function'} {candidate.entry_point}",
        source(candidate.source),
        *(f"{file.path}, which it imports:\n{source(file.text)}" for file in candidate.support),
        *times(attempt.evaluation),
        *([] if isinstance(attempt.evaluation, (Measured, Estimated)) else [f"Result: {outcome(attempt)}"]),
        *([said] if (said := why_briefly(attempt) or warned(attempt)) else []),
        *standing,
        *facts(attempt.evidence),
    ]
    return "\n".join(parts)


def times(evaluation: Evaluation | None) -> Iterator[str]:
    """Measured or estimated, of a candidate that has a time."""
    if isinstance(evaluation, Measured):
        yield from _measured(evaluation.measurement)
    elif isinstance(evaluation, Estimated):
        yield f"Not measured; a model expects on {evaluation.estimate.gpu}:"
        for row in evaluation.estimate.estimates:
            between = f"{numbers.ms(row.low_ms)} to {numbers.ms(row.high_ms)}"
            yield f"- {row.workload}: {numbers.ms(row.candidate_ms)} ({between}), bound by {row.bound_by}"


def facts(evidence: Evidence) -> Iterator[str]:
    """What the compiler made of each kernel at its real sizes, and what PyTorch runs beside them."""
    for one in evidence.facts:
        yield f"Compiled for {one.gpu}, workload {one.workload}:"
        yield from _kernels(one)
        yield from _beside(one)


def resources(evidence: Evidence) -> Iterator[str]:
    """What each kernel takes and does, at the first workload."""
    for one in evidence.facts[:1]:
        yield from _kernels(one)


def standing(one: Standing) -> str:
    """How far a kernel is from what the hardware allows, and where its time goes."""
    parts = []
    if one.time_ms is not None:
        parts.append(f"takes {numbers.ms(one.time_ms)} ({'measured' if one.measured else 'estimated'})")
    if one.floor_ms is not None:
        parts.append(f"nothing can take less than {numbers.ms(one.floor_ms)} ({one.bound_by})")
    if one.achieved is not None:
        parts.append(f"{numbers.share(one.achieved)} of what the hardware allows")
    if one.asked_bytes and one.needed_bytes:
        asked, needed = numbers.size(one.asked_bytes), numbers.size(one.needed_bytes)
        parts.append(f"{_asks_for(asked)}, {needed} must move")
    spent = ", ".join(f"{row.what[:80]} {numbers.ms(row.ms)}" for row in one.spent[:_MOST_KERNELS])
    return f"workload {one.workload}: " + "; ".join(parts) + (f". Time: {spent}" if spent else "")


def findings(found: Sequence[Finding], text: str) -> str:
    """What holds a kernel back, with numbers and the lines of the source `text`, in the order given."""
    return "\n".join(_finding(number, item, text) for number, item in enumerate(found, 1)) or "Nothing was found."


def _measured(m: Measurement) -> Iterator[str]:
    headline = numbers.ratio(m.speedup_ratio, m.low, m.high)
    yield f"Measured on {m.gpu}: {headline} of the speed of PyTorch eager, by {_CLOCKS['device']}."
    for timing in m.timings:
        candidate, reference = numbers.ms(timing.candidate_ms), numbers.ms(timing.baseline_ms)
        yield f"- {timing.workload}: {candidate} on the device, PyTorch {reference}"
    for one in against(m)[1:]:
        name = "PyTorch eager" if one.baseline == m.baseline else one.baseline
        yield f"- against {name}, by {_CLOCKS[one.clock]}: {numbers.ratio(one.ratio, one.low, one.high)}"
    if m.error_ratio is not None:
        yield f"- its largest error is {m.error_ratio:.2g} of PyTorch's own ({m.error_factor:g} allowed)"


def _kernels(one: Facts) -> Iterator[str]:
    yield from (f"- {_kernel(each)}" for each in one.kernels[:_MOST_KERNELS])


def _kernel(one: KernelFacts) -> str:
    code = one.instructions
    parts = [
        f"{one.name}: {one.launches} launch{'es' if one.launches != 1 else ''}",
        f"grid {'x'.join(map(str, one.grid))} of {one.block_threads} threads",
        f"{one.registers} registers a thread" if one.registers is not None else "",
        f"{numbers.size(one.spill_bytes)} spilled" if one.spill_bytes else "",
        f"{numbers.size(one.shared_bytes)} shared" if one.shared_bytes else "",
        f"occupancy {one.occupancy:.0%} (limited by {one.limited_by})" if one.occupancy is not None else "",
        _asks_for(numbers.size(one.global_bytes)) if one.global_bytes is not None else "",
        f"{numbers.operations(one.flops)}" if one.flops else "",
        f"coalescing {one.coalescing:.0%}" if one.coalescing is not None and one.coalescing < 0.95 else "",
        f"{one.serial_depth:g} dependent loop steps in a thread" if (one.serial_depth or 0) > 1 else "",
        f"{one.atomics:g} atomics" if one.atomics else "",
        *(_code(code) if code else ()),
    ]
    return ", ".join(part for part in parts if part)


def _asks_for(size: str) -> str:
    return f"loads and stores ask for {size} in all (from L2 or device memory)"


def _code(code: Instructions) -> Iterator[str]:
    """The machine instructions that say most: products, and how wide memory is accessed."""
    if code.wgmma or code.mma:
        yield f"tensor cores ({'warpgroup' if code.wgmma else 'warp'} products)"
    for name, widths in (("loads", code.global_loads), ("stores", code.global_stores)):
        if widths:
            yield f"{name} of " + "/".join(str(bits) for bits, _ in sorted(widths)) + " bits"
    if code.tma_loads or code.tma_stores:
        yield "TMA"
    if code.async_copies:
        yield "cp.async"


def _beside(one: Facts) -> Iterator[str]:
    if one.torch_ops:
        yield "- PyTorch runs " + ", ".join(f"{count} x {name}" for name, count in one.torch_ops)
    if one.kernels_built_in_forward:
        yield f"- {one.kernels_built_in_forward} kernels are built anew in each forward"
    if one.reference_flops:
        yield f"- the reference computes {numbers.operations(one.reference_flops)}"
    tensors = [("inputs", one.inputs), ("parameters", one.parameters), ("outputs", one.outputs)]
    known = [(name, sum(t.bytes for t in group)) for name, group in tensors if group]
    if known:
        yield "- must move at least: " + ", ".join(f"{name} {numbers.size(count)}" for name, count in known)


def _finding(number: int, item: Finding, text: str) -> str:
    saves = f", could save {item.saves:.0%} of the time" if item.saves else ""
    who = "said by a model" if item.rule == _A_MODELS else f"rule {item.rule}"
    lines = [f"{number}. {item.message} ({who}, {item.category}{saves})"]
    where = quoted(text, item.line)
    if where:
        lines.append(f"   {where}")
    if item.evidence:
        lines.append(f"   {numbers.named(item.evidence)}")
    if item.action:
        lines.append(f"   To do: {item.action}")
    return "\n".join(lines)
