"""Conversions to fp32 that the next conversion undoes are left out.

What: in a chain of tensor methods, `.float()` (or `.to(torch.float32)`) that only layout methods separate from
`.half()` or `.bfloat16()` goes, as does a `.contiguous()` behind another or the same conversion twice.
Why faster: each is a kernel of its own that reads the tensor and writes one twice as large.
When: the chain stands in one expression.
Safe because: fp16 and bf16 values pass through fp32 unchanged, and from fp32 there was nothing to convert.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tilewright.proposers.rewrites.reading.expressions import text
from tilewright.proposers.rewrites.reading.forward import find_networks
from tilewright.proposers.rewrites.reading.kernels import Rewritten, without_loss
from tilewright.source.splice import Edit, Positions

ANSWERS = ("dtype-round-trips", "weights-prepared-in-forward", "launch-bound")

_LAYOUT = {"contiguous", "view", "reshape", "permute", "transpose", "t", "squeeze", "unsqueeze", "flatten", "clone"}
_DTYPES = {
    "half": "half",
    "float": "float",
    "bfloat16": "bfloat16",
    "to(torch.float16)": "half",
    "to(torch.half)": "half",
    "to(torch.float32)": "float",
    "to(torch.float)": "float",
    "to(torch.bfloat16)": "bfloat16",
}


def rewrite(source: str) -> Iterator[Rewritten]:
    positions = Positions(source)
    for network in find_networks(ast.parse(source)):
        edits: dict[int, Edit] = {}
        line = 0
        for node in ast.walk(network.forward):
            for call in _idle(node) if isinstance(node, ast.Call) else ():
                assert isinstance(call.func, ast.Attribute)
                start, end = positions.span(call.func.value)[1], positions.span(call)[1]
                edits[start] = Edit(start, end, "")
                line = line or call.lineno
        changed = without_loss(source, list(edits.values()))
        if changed is not None:
            yield Rewritten(
                changed,
                line,
                "forward converts to fp32 and back; without the detour two kernels and their traffic go.",
            )


def _idle(outer: ast.Call) -> Iterator[ast.Call]:
    """The calls further down a chain of methods that `outer` makes needless."""
    wanted = _dtype(outer)
    kind = outer.func.attr if isinstance(outer.func, ast.Attribute) else ""
    inner = outer.func.value if isinstance(outer.func, ast.Attribute) else None
    while isinstance(inner, ast.Call) and isinstance(inner.func, ast.Attribute):
        found = _dtype(inner)
        if wanted and (found == wanted or (found == "float" and wanted != "float")):
            yield inner
            return
        if kind == inner.func.attr == "contiguous" and not inner.args:
            yield inner
            return
        if kind == "contiguous" or inner.func.attr not in _LAYOUT:
            return
        inner = inner.func.value


def _dtype(call: ast.Call) -> str | None:
    if not isinstance(call.func, ast.Attribute) or call.keywords or len(call.args) > 1:
        return None
    arguments = f"({text(call.args[0])})" if call.args else ""
    return _DTYPES.get(f"{call.func.attr}{arguments}")
