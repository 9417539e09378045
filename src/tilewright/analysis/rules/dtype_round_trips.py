"""forward converts tensors from one type to another and back.

What: calls of `.float()`, `.half()`, `.to(torch...)` in forward that PyTorch runs as copies.
Slow because: each is a launch that reads and writes the whole tensor, without computing anything.
Example: `self.kernel(x.float()).half()`.
Instead: let the kernel take and return the task's type and convert in registers (`T.cast`, an fp32
accumulator); convert parameters once in `__init__`.
"""

from __future__ import annotations

from collections.abc import Sequence

from tilewright.analysis import saving, torchops
from tilewright.analysis.source import CandidateSource, called_name, calls, dotted, read_source
from tilewright.records import Candidate, Evidence, Finding, Problem

_PRIOR_EACH = 0.05
"""What each conversion saves where the facts are not known, up to a third."""
_METHODS = ("float", "half", "bfloat16", "double")
_DTYPES = ("float16", "bfloat16", "float32", "float64", "half", "float", "double", "dtype")


class DtypeRoundTrips:
    name = "dtype-round-trips"

    def find(self, candidate: Candidate, problem: Problem, evidence: Evidence) -> Sequence[Finding]:
        source = read_source(candidate.source, candidate.entry_point)
        lines = _lines(source) if source else []
        facts = saving.slowest_facts(evidence)
        if facts is None:
            saves = min(1 / 3, _PRIOR_EACH * len(lines))
            return [self._finding(saves, len(lines), lines[0])] if len(lines) > 1 else []
        casts = torchops.counted(facts.torch_ops, torchops.CASTS)
        if not casts:
            return []
        count = sum(n for _, n in casts)
        launching = sum(n for _, n in torchops.launching(facts.torch_ops))
        left = tuple(op for op in facts.torch_ops if torchops.base_name(op[0]) not in torchops.CASTS)
        # Every operation is taken to move as much as any other: the facts hold their sum only.
        saves = saving.saved(facts, torch_ops=left, torch_bytes=facts.torch_bytes * (1 - count / launching))
        return [self._finding(saves, count, lines[0] if lines else None)] if saves >= saving.NOTICEABLE else []

    def _finding(self, saves: float, count: int, line: int | None) -> Finding:
        return saving.finding(
            self.name,
            "host",
            saves,
            f"forward converts tensors between types {count} times",
            "Let the kernel read and write the task's type and convert in registers; convert parameters once in "
            "__init__.",
            [("conversions", float(count))],
            line,
        )


def _lines(source: CandidateSource) -> list[int]:
    if source.forward is None:
        return []
    lines = []
    for call in calls(source.forward):
        name = called_name(call)
        targets = [*call.args, *(keyword.value for keyword in call.keywords)]
        to_dtype = any(dotted(target).rsplit(".", 1)[-1] in _DTYPES for target in targets)
        if (name in _METHODS and not call.args) or (name in ("to", "type") and to_dtype):
            lines.append(call.lineno)
    return sorted(lines)
