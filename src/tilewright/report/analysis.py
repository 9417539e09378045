"""Why a kernel is as fast as it is: as text of 80 columns, and as the JSON of `docs/json.md`."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from typing import Any

from tilewright import jsonform
from tilewright.records import (
    Analysis,
    CompileFailed,
    Evaluation,
    Finding,
    KernelRun,
    Measured,
    Reason,
    Rejected,
    RunFacts,
    Spent,
    Standing,
)
from tilewright.report import measured, words
from tilewright.wording.numbers import ms

WIDTH = 80
_JUDGED_BY_RULES = ("low-occupancy", "spills", "no-tensor-cores", "synchronous-pipeline")
"""Warnings that rules weigh: they are findings where they cost anything."""
_LARGE = 1e7
"""Whole numbers below it are shown to the last digit."""
MOST_ROWS = 8
"""Of a table; what is left out is summed up in a last row."""


def fields(analysis: Analysis) -> dict[str, Any]:
    """For programs. Lines are the file's."""
    evaluation, slowest = analysis.evaluation, _slowest(analysis)
    measurement = evaluation.measurement if isinstance(evaluation, Measured) else None
    return {
        "kernel": analysis.path,
        "problem": analysis.problem,
        "gpu": analysis.gpu,
        "outcome": evaluation.outcome if evaluation else None,
        "message": words.outcome(evaluation, "", analysis.line_offset) if evaluation else None,
        "findings": [finding_fields(item, analysis.line_offset) for item in analysis.findings],
        "limit": _limit(slowest) if slowest else None,
        "workloads": [_workload(one, analysis) for one in analysis.standings],
        "measurement": measured.fields(measurement) if measurement else None,
        "facts": [jsonform.to_plain(facts) for facts in analysis.evidence.facts],
        "warnings": [
            {
                "rule": reason.rule,
                "message": reason.message,
                "action": reason.action,
                "line": _line(reason.line, analysis.line_offset),
            }
            for reason in analysis.evidence.warnings
        ],
        "notes": list(analysis.notes),
        "not_known": list(analysis.not_known),
        "seconds": round(analysis.seconds, 3),
    }


def text(analysis: Analysis) -> str:
    """For people, no line longer than `WIDTH` unless a word is."""
    on = f" on {analysis.gpu}" if analysis.gpu else ""
    lines = [*_wrapped(f"{analysis.path}: {analysis.problem}{on}")]
    for note in analysis.notes:
        lines += _wrapped(note, "  ")
    if analysis.evaluation is not None:
        lines += _wrapped(words.outcome(analysis.evaluation, "", analysis.line_offset), "  ")
        for action in _actions(analysis.evaluation):
            lines += _wrapped(action, "  -> ")
    for standing in analysis.standings:
        lines += _limit_lines(standing, several=len(analysis.standings) > 1)
    warnings = [reason for reason in analysis.evidence.warnings if reason.rule not in _JUDGED_BY_RULES]
    if warnings:
        lines += ["", "Warned of"]
    for reason in warnings:
        lines += _warning_lines(reason, analysis.line_offset)
    lines += ["", "What holds it back"]
    for number, item in enumerate(analysis.findings, 1):
        lines += _finding_lines(number, item, analysis.line_offset)
    if not analysis.findings:
        lines += _wrapped(f"nothing that the rules know{_most_of(analysis)}", "  ")
    runs = {run.workload: run for run in analysis.evidence.runs}
    for standing in analysis.standings:
        lines += _time_lines(standing, runs.get(standing.workload), analysis)
    if analysis.not_known:
        lines += ["", "Not known"]
        for sentence in analysis.not_known:
            lines += _wrapped(sentence, "  - ")
    return "\n".join(lines)


def _most_of(analysis: Analysis) -> str:
    """Where it went instead."""
    slowest = _slowest(analysis)
    longest = slowest.spent[0] if slowest and slowest.spent else None
    if slowest is None or longest is None:
        return ""
    share = longest.ms / sum(row.ms for row in slowest.spent)
    of = "measured" if slowest.measured else "estimated"
    detail = f" ({longest.detail})" if longest.detail else ""
    return f"; {share:.0%} of the {of} time goes into {_shortened(longest.what)}{detail}"


def _slowest(analysis: Analysis) -> Standing | None:
    """The workload that is furthest from its limit; where no time is known, the first with a limit."""
    known = [standing for standing in analysis.standings if standing.floor_ms is not None]
    return min(known, key=lambda one: one.achieved if one.achieved is not None else 2.0, default=None)


def finding_fields(item: Finding, offset: int) -> dict[str, Any]:
    return {
        "rule": item.rule,
        "category": item.category,
        "severity": item.severity,
        "message": item.message,
        "action": item.action,
        "evidence": {name: jsonform.to_plain(value) for name, value in item.evidence},
        "line": _line(item.line, offset),
        "saves": item.saves,
    }


def _limit(one: Standing) -> dict[str, Any]:
    return {
        "workload": one.workload,
        "bound_by": one.bound_by,
        "floor_ms": one.floor_ms,
        "achieved": one.achieved,
        "measured": one.measured,
        "notes": list(one.floor_notes),
    }


def _workload(one: Standing, analysis: Analysis) -> dict[str, Any]:
    run = next((run for run in analysis.evidence.runs if run.workload == one.workload), None)
    counters = {kernel.name: dict(kernel.counters) for kernel in run.kernels if kernel.counters} if run else {}
    return {
        "workload": one.workload,
        "measured": one.measured,
        "time_ms": one.time_ms,
        "interval_ms": list(one.interval_ms) if one.interval_ms else None,
        "floor_ms": one.floor_ms,
        "bound_by": one.bound_by or None,
        "achieved": one.achieved,
        "needed_bytes": one.needed_bytes,
        "asked_bytes": one.asked_bytes,
        "time": [
            {
                "what": row.what,
                "ms": row.ms,
                "launches": row.launches,
                "detail": row.detail,
                "line": _line(row.line, analysis.line_offset),
            }
            for row in one.spent
        ],
        "busy_ms": run.busy_ms if run else None,
        "gaps_ms": run.gaps_ms if run else None,
        "latency_ms": run.latency_ms if run else None,
        "host_ms": run.host_ms if run else None,
        "bytes_per_s": run.bytes_per_s if run else None,
        "flops_per_s": run.flops_per_s if run else None,
        "counters": counters or None,
        "no_counters": (run.no_counters or None) if run else None,
    }


def _limit_lines(one: Standing, several: bool) -> Iterator[str]:
    """Time, limit, and how far from it."""
    name = f"{one.workload}: " if several else ""
    if one.time_ms is None:
        if one.floor_ms is not None:
            yield from _wrapped(f"{name}at least {ms(one.floor_ms)} ({_bound(one)})", "  ")
        return
    said = f"{name}{ms(one.time_ms)} on the device"
    if not one.measured:
        low, high = one.interval_ms or (one.time_ms, one.time_ms)
        said = f"{name}est. {ms(one.time_ms)} (est. {ms(low)} to {ms(high)}), not measured"
    if one.floor_ms is not None and one.achieved is not None:
        said += f"; at least {ms(one.floor_ms)} ({_bound(one)}): "
        said += words.of_limit(one.achieved, not one.measured)
    yield from _wrapped(said, "  ")
    if one.asked_bytes and one.needed_bytes and one.asked_bytes > 1.5 * one.needed_bytes:
        yield from _wrapped(
            f"as written it asks for {_size(one.asked_bytes)} of memory; {_size(one.needed_bytes)} have to cross",
            "  ",
        )


def _actions(evaluation: Evaluation) -> Iterator[str]:
    if isinstance(evaluation, CompileFailed) and evaluation.action:
        yield evaluation.action
    if isinstance(evaluation, Rejected):
        yield from (reason.action for reason in evaluation.reasons if reason.action)


def _warning_lines(reason: Reason, offset: int) -> Iterator[str]:
    line = _line(reason.line, offset)
    yield from _wrapped(f"{reason.message} ({reason.rule}{f', line {line}' if line else ''})", "  - ")
    if reason.action:
        yield from _wrapped(reason.action, "    -> ")


def _finding_lines(number: int, item: Finding, offset: int) -> Iterator[str]:
    indent = "     "
    line = _line(item.line, offset)
    where = f", line {line}" if line else ""
    yield f"{number:3}. {item.rule} ({item.category}{where}): could save {item.saves:.0%}"
    yield from _wrapped(item.message, indent)
    yield from _wrapped(item.action, f"{indent}-> ")
    numbers = ", ".join(f"{name} {_number(value)}" for name, value in item.evidence)
    if numbers:
        yield from _wrapped(f"({numbers})", indent)


def _time_lines(one: Standing, run: RunFacts | None, analysis: Analysis) -> Iterator[str]:
    if one.spent:
        name = f", {one.workload}" if len(analysis.standings) > 1 else ""
        yield ""
        yield f"Where the time goes{name}{'' if one.measured else ' (estimated)'}"
        whole = sum(row.ms for row in one.spent)
        yield f"  {'share':>6} {'time':>9} {'launches':>9}  what"
        for row in _rows(one.spent):
            line = _line(row.line, analysis.line_offset)
            launches = "" if row.launches is None else f"{row.launches:g}"
            detail = ", ".join(part for part in (row.detail, f"line {line}" if line else "") if part)
            head = f"  {row.ms / whole:6.0%} {ms(row.ms):>9} {launches:>9}  "
            yield from _wrapped(_shortened(row.what) + (f" ({detail})" if detail else ""), head)
    if run is not None:
        yield from _run_lines(run)


def _rows(spent: Sequence[Spent]) -> Iterator[Spent]:
    yield from spent[:MOST_ROWS]
    rest = spent[MOST_ROWS:]
    if rest:
        launches = sum(row.launches or 0.0 for row in rest)
        yield Spent(f"{len(rest)} others", sum(row.ms for row in rest), launches)


def _run_lines(run: RunFacts) -> Iterator[str]:
    if run.latency_ms is not None and run.host_ms is not None:
        yield from _wrapped(
            f"a single call on an idle GPU takes {ms(run.latency_ms)}: {ms(run.host_ms)} of that is the "
            "host's (launches, conversions, waits)",
            "  ",
        )
    rates = []
    if run.bytes_per_s:
        rates.append(f"{run.bytes_per_s / 1e9:,.0f} GB/s of inputs, parameters and outputs")
    if run.flops_per_s:
        rates.append(f"{run.flops_per_s / 1e12:.3g} TFLOP/s of the reference's operations")
    if rates:
        yield from _wrapped(f"achieved: {'; '.join(rates)}", "  ")
    for kernel in run.kernels:
        if kernel.counters:
            yield from _counter_lines(kernel)


_SHOWN = (
    ("dram_throughput", "device memory {:.0f} %"),
    ("sm_busy", "multiprocessors {:.0f} %"),
    ("tensor_pipe", "tensor cores {:.0f} %"),
    ("fma_pipe", "FP32 {:.0f} %"),
    ("achieved_occupancy", "occupancy {:.0f} %"),
    ("l2_hit", "L2 hits {:.0f} %"),
    ("sectors_per_load", "{:.1f} sectors a load"),
    ("shared_load_conflicts", "{:.3g} bank conflicts"),
    ("local_load_bytes", "{:.3g} B of spills read"),
)
_STALLS = {
    "stall_memory": "memory",
    "stall_shared": "shared memory",
    "stall_barrier": "the barrier",
    "stall_math": "arithmetic units",
    "stall_memory_queue": "the memory queue",
}


def _counter_lines(kernel: KernelRun) -> Iterator[str]:
    values = dict(kernel.counters)
    parts = [shown.format(values[name]) for name, shown in _SHOWN if values.get(name)]
    stalls = {name: values[name] for name in _STALLS if values.get(name)}
    if stalls:
        worst = max(stalls, key=lambda name: stalls[name])
        parts.append(f"warps wait for {_STALLS[worst]} most")
    if parts:
        yield from _wrapped(f"counters of {_shortened(kernel.name)}: {', '.join(parts)}", "  ", "    ")


def _bound(one: Standing) -> str:
    words_for = {
        "memory": "bytes over bandwidth",
        "compute": "operations over the peak rate",
        "launch": "one launch",
    }
    return words_for.get(one.bound_by, one.bound_by)


def _shortened(name: str) -> str:
    """Of PyTorch's kernels the template's name says enough."""
    short = name.removeprefix("void ").split("<")[0].split("(")[0].strip() or name
    if len(short) <= 40:
        return short
    return f"...{short[-37:]}" if "::" in short else f"{short[:37]}..."


def _size(count: float) -> str:
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= size:
            return f"{count / size:.3g} {unit}"
    return f"{count:.0f} B"


def _number(value: float | str) -> str:
    if isinstance(value, str):
        return value
    return f"{value:.0f}" if value.is_integer() and abs(value) < _LARGE else f"{value:.4g}"


def _line(line: int | None, offset: int) -> int | None:
    return line + offset if line else None


def _wrapped(sentence: str, first: str = "", later: str | None = None) -> list[str]:
    return textwrap.wrap(
        sentence,
        WIDTH,
        initial_indent=first,
        subsequent_indent=" " * len(first) if later is None else later,
        break_long_words=False,
        break_on_hyphens=False,
    )
