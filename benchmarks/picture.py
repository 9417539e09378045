"""The README's picture, drawn from measured results: python -m benchmarks.picture [--check]

Reads benchmarks/results/optimized.jsonl, writes docs/optimized.svg; --check fails where the two differ.
"""

from __future__ import annotations

import html
import json
import math
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results" / "optimized.jsonl"
OUTPUT = HERE.parent / "docs" / "optimized.svg"

_WIDTH, _LEFT, _RIGHT, _TOP, _ROW = 820, 250, 60, 62, 17
_DECADES = (-3, 2)
"""Ends of the axis, as powers of ten."""
_STYLE = """
text { font: 12px system-ui, sans-serif; fill: #24292f } .faint { fill: #6e7781 } .end { text-anchor: end }
.mid { text-anchor: middle } .title { font-size: 14px; font-weight: 600 }
line { stroke: #d0d7de } .one { stroke: #57606a; stroke-dasharray: 3 3 } .way { stroke: #1a7f5a; stroke-width: 3 }
.before { fill: #fff; stroke: #57606a; stroke-width: 1.5 } .after { fill: #1a7f5a }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 } .faint { fill: #8d96a0 } line { stroke: #30363d } .one { stroke: #8d96a0 }
  .way { stroke: #3fb68b } .after { fill: #3fb68b } .before { fill: #0d1117; stroke: #8d96a0 }
}"""


@dataclass(frozen=True)
class Gain:
    """One kernel's speedups over PyTorch eager, before and after, and where they were measured."""

    name: str
    before: float
    after: float
    where: str
    commit: str


def main(arguments: Sequence[str]) -> int:
    text = drawn(sorted(gains(RESULTS), key=lambda gain: -gain.after))
    if "--check" not in arguments:
        OUTPUT.write_text(text, encoding="utf-8")
        return 0
    if OUTPUT.exists() and OUTPUT.read_text(encoding="utf-8") == text:
        return 0
    print(f"{OUTPUT} differs from {RESULTS}; run: python -m benchmarks.picture", file=sys.stderr)
    return 1


def gains(path: Path) -> Iterator[Gain]:
    """Of the kernels that were measured before and after."""
    for line in path.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        before, after = (row[part]["evaluation"].get("measurement") for part in ("seed", "best"))
        if before and after:
            size = " (large)" if row["kernel"].endswith("_large.py") else ""
            problem = row["problem"].partition("_")[2].strip("_").replace("_", " ")
            versions = dict(after["versions"])
            where = f"{after['device']}, tilelang {versions['tilelang']}, torch {versions['torch']}"
            yield Gain(f"{problem}{size}", before["speedup_ratio"], after["speedup_ratio"], where, row["commit"])


def drawn(rows: Sequence[Gain]) -> str:
    bottom = _TOP + _ROW * len(rows)
    where = "; ".join(sorted({row.where for row in rows}))
    commits = ", ".join(sorted({row.commit for row in rows}))
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{bottom + 48}" role="img" '
        f'viewBox="0 0 {_WIDTH} {bottom + 48}"><style>{_STYLE}</style>',
        _text(_LEFT, 20, "Speed over PyTorch eager, without a language model", "title"),
        f'<circle class="before" cx="{_LEFT + 6}" cy="36" r="4"/>',
        _text(_LEFT + 16, 40, "the kernel as it was", "faint"),
        f'<circle class="after" cx="{_LEFT + 156}" cy="36" r="4"/>',
        _text(_LEFT + 166, 40, "after tilewright optimize", "faint"),
    ]
    for power in range(_DECADES[0], _DECADES[1] + 1):
        x = _x(10.0**power)
        kind = ' class="one"' if power == 0 else ""
        parts.append(f'<line{kind} x1="{x}" x2="{x}" y1="{_TOP - 12}" y2="{bottom}"/>')
        parts.append(_text(x, bottom + 16, f"{10.0**power:g}x", "faint mid"))
    for number, row in enumerate(rows):
        y = _TOP + _ROW * number
        before, after = _x(row.before), _x(row.after)
        parts += [
            _text(_LEFT - 10, y + 4, row.name if len(row.name) <= 32 else f"{row.name[:31]}…", "end"),
            f'<line class="way" x1="{before}" x2="{after}" y1="{y}" y2="{y}"/>',
            f'<circle class="before" cx="{before}" cy="{y}" r="4"/>',
            f'<circle class="after" cx="{after}" cy="{y}" r="4"/>',
            _text(after + 9, y + 4, f"{row.after:.2f}x", "faint"),
        ]
    parts += [_text(_WIDTH - 8, bottom + 38, f"{where}; commit {commits}", "faint end"), "</svg>"]
    return "\n".join(parts) + "\n"


def _x(ratio: float) -> float:
    low, high = _DECADES
    return round(_LEFT + (math.log10(ratio) - low) / (high - low) * (_WIDTH - _LEFT - _RIGHT), 1)


def _text(x: float, y: float, text: str, kind: str) -> str:
    return f'<text x="{round(x, 1)}" y="{y}" class="{kind}">{html.escape(text)}</text>'


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
