"""How much of a candidate's time would go if one thing about one of its kernels were different?

Rules ask the time model twice, for the facts as they are and for the facts as they would be. The answers rank
findings; like every estimate they are no promise.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from tilewright.analysis.coefficients import coefficients
from tilewright.analysis.limit import precision_of
from tilewright.analysis.model import Expected, expected_time
from tilewright.errors import ConfigError
from tilewright.hardware import Gpu, load_gpu
from tilewright.records import Category, Evidence, Facts, Finding, Instructions, KernelFacts, Severity

NOTICEABLE = 0.02
"""Savings below this are not worth a finding: interleaved timings don't resolve them."""


def slowest_facts(evidence: Evidence) -> Facts | None:
    """The facts of the workload that the model expects to take longest; None where nothing was gathered."""
    return max(evidence.facts, key=_expected_ms, default=None)


def gpu_of(facts: Facts) -> Gpu | None:
    """The GPU that the facts were gathered for; None for one outside the table."""
    try:
        return load_gpu(facts.gpu)
    except ConfigError:
        return None


def expected(facts: Facts, instructions: bool = False) -> Expected | None:
    """`instructions`: by what the binary shows, too."""
    gpu = gpu_of(facts)
    return expected_time(facts, gpu, precision_of(facts), instructions=instructions) if gpu else None


def share_of_kernel(facts: Facts, kernel: KernelFacts) -> float:
    """The share of the expected time that one kernel takes; 1 / kernels where the GPU is not known."""
    times = expected(facts)
    if times is None:
        return 1.0 / max(1, len(facts.kernels))
    own = sum(t.total_ms * k.launches for k, t in zip(facts.kernels, times.kernels) if k == kernel)
    return own / times.total_ms


def share_of_another_kernel(facts: Facts) -> float:
    """The share of the expected time that one more kernel would take at least: its launch, its blocks' start, and one
    way to device memory and back for what it reads and for what it writes. 0 where the GPU is not known."""
    times, c = expected(facts), coefficients()
    least_ms = c.launch_us * 1e-3 + (c.block_ns + 2 * c.dram_latency_ns) * 1e-6
    return least_ms / times.total_ms if times else 0.0


def saved_by_kernel(facts: Facts, kernel: KernelFacts, **changes: Any) -> float:
    """The share of the expected time saved if the kernel's facts had these values (fields of `KernelFacts`)."""
    kernels = tuple(replace(k, **changes) if k == kernel else k for k in facts.kernels)
    return saved(facts, kernels=kernels)


def saved_by_code(facts: Facts, kernel: KernelFacts, change: Callable[[Instructions], Instructions]) -> float:
    """The share of the expected time saved if the kernel's machine code, in loops and outside, were as `change` makes
    it. 0 where it is not known, or where it is tensor cores that do the work."""
    whole, loop = kernel.instructions, kernel.loop_instructions
    if whole is None:
        return 0.0
    changed = replace(kernel, instructions=change(whole), loop_instructions=change(loop) if loop else None)
    kernels = tuple(changed if k == kernel else k for k in facts.kernels)
    return _share(expected(facts, instructions=True), expected(replace(facts, kernels=kernels), instructions=True))


def saved(facts: Facts, **changes: Any) -> float:
    """The share of the expected time saved if the facts had these values (fields of `Facts`)."""
    return _share(expected(facts), expected(replace(facts, **changes)))


def severity(saves: float) -> Severity:
    if saves >= 0.5:
        return "critical"
    if saves >= 0.25:
        return "high"
    return "medium" if saves >= 0.1 else "low"


def finding(
    rule: str,
    category: Category,
    saves: float,
    message: str,
    action: str,
    evidence: Sequence[tuple[str, float | str]] = (),
    line: int | None = None,
) -> Finding:
    """A finding whose severity follows from what it saves."""
    saves = min(1.0, max(0.0, saves))
    return Finding(rule, category, severity(saves), message, action, tuple(evidence), line, round(saves, 4))


def _expected_ms(facts: Facts) -> float:
    times = expected(facts)
    return times.total_ms if times else sum(k.global_bytes or 0.0 for k in facts.kernels)


def _share(now: Expected | None, then: Expected | None) -> float:
    if now is None or then is None or now.total_ms <= 0:
        return 0.0
    return max(0.0, 1.0 - then.total_ms / now.total_ms)
