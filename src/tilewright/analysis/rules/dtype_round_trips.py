"""forward converts tensors from one type to another and back.

What: calls of `.float()`, `.half()`, `.to(torch...)` in forward that PyTorch runs as copies.
Slow because: each is a launch that reads and writes the whole tensor, without computing anything.
Example: `self.kernel(x.float()).half()`.
Instead: let the kernel take and return the task's type and convert in registers (`T.cast`, an fp32
accumulator); convert parameters once in `__init__`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tilewright.analysis import saving, torchops
from tilewright.analysis.limit import compulsory_bytes
from tilewright.analysis.source import CandidateSource, called_name, calls, dotted, read_source
from tilewright.records import Candidate, Evidence, Facts, Finding, Problem

_PRIOR_EACH = 0.05
"""What each conversion saves where the facts are not known, up to a third."""
_METHODS = {"float": "float32", "half": "float16", "bfloat16": "bfloat16", "double": "float64"}
_INTEGER_METHODS = {"int": "int32", "long": "int64", "short": "int16", "bool": "bool"}
_INTEGERS = ("int8", "int16", "int32", "int64", "uint8", "int", "long", "short", "bool")
_FLOATS = ("float16", "bfloat16", "float32", "float64", "half", "float", "double", "dtype")
_SMALL = 0.05
"""Of the bytes that cross the border: integers that are fewer are indices, whose conversion moves next to nothing."""


@dataclass(frozen=True)
class _Conversion:
    line: int
    tensor: str
    to: str

    @property
    def of_integers(self) -> bool:
        return self.to in _INTEGERS


class DtypeRoundTrips:
    name = "dtype-round-trips"

    def find(self, candidate: Candidate, problem: Problem, evidence: Evidence) -> Sequence[Finding]:
        source = read_source(candidate.source, candidate.entry_point)
        written = list(_conversions(source)) if source else []
        floats = [one for one in written if not one.of_integers]
        facts = saving.slowest_facts(evidence)
        if facts is None:
            saves = min(1 / 3, _PRIOR_EACH * len(floats))
            return [self._finding(saves, len(floats), floats)] if len(floats) > 1 else []
        found = sum(n for _, n in torchops.counted(facts.torch_ops, torchops.CASTS))
        small = min(found, len(written) - len(floats)) if _integers_are_few(facts) else 0
        if found <= small:
            return []
        moving = sum(n for _, n in torchops.launching(facts.torch_ops)) - small
        left = tuple(op for op in facts.torch_ops if torchops.base_name(op[0]) not in torchops.CASTS)
        if small:
            left = (*left, ("aten._to_copy.default", small))
        # Every operation is taken to move as much as any other: the facts hold their sum only.
        saves = saving.saved(facts, torch_ops=left, torch_bytes=facts.torch_bytes * (1 - (found - small) / moving))
        if saves < saving.NOTICEABLE:
            return []
        return [self._finding(saves, found - small, floats if small else written)]

    def _finding(self, saves: float, count: int, written: Sequence[_Conversion]) -> Finding:
        times = "once" if count == 1 else f"{count} times"
        where = ", ".join(f"{one.tensor} to {one.to} (line {one.line})" for one in written)
        return saving.finding(
            self.name,
            "host",
            saves,
            f"forward converts tensors between types {times}{f'; it asks for {where}' if where else ''}",
            "Let the kernel read and write the task's type and convert in registers; convert parameters once in "
            "__init__. The estimate is of the conversions alone: the kernel's own loads and stores change with the "
            "type, too.",
            [("conversions", float(count))],
            written[0].line if written else None,
        )


def _integers_are_few(facts: Facts) -> bool:
    tensors = (*facts.inputs, *facts.parameters, *facts.outputs)
    return sum(t.bytes for t in tensors if t.dtype in _INTEGERS) < _SMALL * compulsory_bytes(facts)


def _conversions(source: CandidateSource) -> Iterator[_Conversion]:
    asked = calls(source.forward) if source.forward else ()
    for call in sorted(asked, key=lambda call: (call.lineno, call.end_col_offset or 0)):
        name, of = called_name(call), call.func
        if not isinstance(of, ast.Attribute):
            continue
        to = {**_METHODS, **_INTEGER_METHODS}.get(name, "") if not call.args else ""
        if name in ("to", "type"):
            given = [dotted(node) for node in (*call.args, *(keyword.value for keyword in call.keywords))]
            to = next((text for text in given if text.rsplit(".", 1)[-1] in (*_FLOATS, *_INTEGERS)), "")
        if to:
            yield _Conversion(call.lineno, _short(of.value), to.removeprefix("torch."))


def _short(node: ast.expr) -> str:
    """`x.t()` for that, `self.kernel(...)` for a call with arguments."""
    if isinstance(node, ast.Call) and (node.args or node.keywords):
        return f"{ast.unparse(node.func)}(...)"
    return ast.unparse(node)
