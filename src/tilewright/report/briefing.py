"""A brief in words: what a proposer is told, as a person reads it."""

from __future__ import annotations

import difflib

from tilewright.records import Attempt, Brief, Facts, KernelFacts, Measured
from tilewright.report import words
from tilewright.report.measured import details
from tilewright.source import knobs


def brief_text(brief: Brief, share_reached: float | None = None) -> str:
    """Problem, result so far, findings with numbers, facts, knobs, what was tried, and the kernel in full.

    `share_reached` is the parent's, of what the GPU allows the problem."""
    sections = [
        ("Problem", [f"{brief.problem.name} ({brief.problem.precision}), for {brief.gpu}"]),
        ("The kernel as it is", _as_it_is(brief.parent, share_reached)),
        ("What holds it back", _findings(brief.parent)),
        ("Facts", [line for facts in brief.parent.evidence.facts for line in _facts(facts)]),
        ("Knobs", _knobs(brief.parent)),
        ("Tried so far", _tried(brief)),
        ("Guidelines", list(brief.guidelines)),
        ("Source", brief.parent.candidate.source.rstrip("\n").split("\n")),
        ("Reference", brief.problem.source.rstrip("\n").split("\n")),
    ]
    return "\n\n".join(f"## {title}\n" + "\n".join(lines) for title, lines in sections if lines)


def _as_it_is(attempt: Attempt, share_reached: float | None) -> list[str]:
    more = details(attempt.evaluation.measurement) if isinstance(attempt.evaluation, Measured) else []
    return [words.attempted(attempt, share_reached=share_reached), *more]


def _findings(attempt: Attempt) -> list[str]:
    lines = []
    for number, item in enumerate(attempt.findings, 1):
        numbers = ", ".join(
            f"{name}={value:.4g}" if isinstance(value, float) else f"{name}={value}" for name, value in item.evidence
        )
        lines.append(f"{number}. [{item.category}, {item.severity}] {words.finding(item)}")
        lines += [f"   {item.action}"] + ([f"   ({numbers})"] if numbers else [])
    return lines or ["nothing that the rules know"]


def _facts(facts: Facts) -> list[str]:
    lines = [f"workload {facts.workload}:"]
    lines += [f"  {_kernel(kernel)}" for kernel in facts.kernels]
    if facts.torch_ops:
        lines.append("  PyTorch runs " + ", ".join(f"{count} x {name}" for name, count in facts.torch_ops))
    return lines


def _kernel(kernel: KernelFacts) -> str:
    parts = [
        f"{kernel.name}: {kernel.launches} launch(es), grid {kernel.grid}, {kernel.block_threads} threads",
        f"{kernel.registers} registers" if kernel.registers is not None else "",
        f"{kernel.spill_bytes} B spilled" if kernel.spill_bytes else "",
        f"{kernel.shared_bytes} B shared",
        f"occupancy {kernel.occupancy:.0%} ({kernel.limited_by})" if kernel.occupancy is not None else "",
        f"{kernel.global_bytes / 1e6:.3g} MB moved" if kernel.global_bytes is not None else "",
        f"{kernel.flops / 1e9:.3g} GFLOP" if kernel.flops is not None else "",
    ]
    return ", ".join(part for part in parts if part)


def _knobs(attempt: Attempt) -> list[str]:
    return [
        f"{knob.name} = {knob.value} (line {knob.line}; {', '.join(map(str, knob.choices))})"
        for knob in knobs.find_knobs(attempt.candidate.source)
    ]


def _tried(brief: Brief) -> list[str]:
    sources = {attempt.candidate.id: attempt.candidate.source for attempt in brief.history}
    lines = []
    for attempt in brief.history:
        if attempt.phase == "seed":
            continue
        lines.append(f"#{attempt.index} {words.hypothesis(attempt)}: {words.attempted(attempt)}")
        parent = sources.get(attempt.candidate.parent or "")
        if parent is not None:
            change = difflib.unified_diff(
                parent.splitlines(), attempt.candidate.source.splitlines(), lineterm="", n=0
            )
            lines += [f"    {line}" for line in list(change)[2:]]
    return lines
