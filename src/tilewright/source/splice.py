"""Replacing pieces of a source text and leaving every other byte as it was."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable
from dataclasses import dataclass

_LINE_END = re.compile(rb"\r\n|\r|\n")


@dataclass(frozen=True)
class Edit:
    """Bytes [start, end) of the UTF-8 source become `text`; start == end inserts."""

    start: int
    end: int
    text: str


class Positions:
    """Turns the line and column of an `ast` node, which count UTF-8 bytes, into offsets from the start."""

    def __init__(self, source: str) -> None:
        self.data = source.encode()
        self._line_starts = [0, *(found.end() for found in _LINE_END.finditer(self.data))]
        self._byte_order_mark = 3 if self.data.startswith(b"\xef\xbb\xbf") else 0

    def at(self, line: int, column: int) -> int:
        skipped = self._byte_order_mark if line == 1 else 0
        return self._line_starts[line - 1] + column + skipped

    def span(self, node: ast.expr | ast.stmt | ast.keyword) -> tuple[int, int]:
        assert node.end_lineno is not None and node.end_col_offset is not None  # set for every parsed node
        return self.at(node.lineno, node.col_offset), self.at(node.end_lineno, node.end_col_offset)

    def text(self, node: ast.expr | ast.stmt | ast.keyword) -> str:
        start, end = self.span(node)
        return self.data[start:end].decode()

    def line_start(self, line: int) -> int:
        return self._line_starts[line - 1]

    def line_end(self, line: int) -> int:
        """Just behind the line's end-of-line characters, or the end of the text."""
        return self._line_starts[line] if line < len(self._line_starts) else len(self.data)

    def indent(self, line: int) -> str:
        """The white space that a line begins with."""
        text = self.data[self.line_start(line) : self.line_end(line)]
        return text[: len(text) - len(text.lstrip(b" \t"))].decode()

    @property
    def newline(self) -> str:
        """How this file ends its lines, by its first one."""
        found = _LINE_END.search(self.data)
        return found.group().decode() if found else "\n"


def splice(source: str, edits: Iterable[Edit]) -> str:
    """The source with all edits made. Edits may touch but not overlap; ValueError where they do."""
    data = source.encode()
    pieces: list[bytes] = []
    position = 0
    for edit in sorted(edits, key=lambda edit: (edit.start, edit.end)):
        if edit.start < position:
            raise ValueError(f"edits overlap at byte {edit.start}: {edit.text!r}")
        pieces += [data[position : edit.start], edit.text.encode()]
        position = edit.end
    return b"".join([*pieces, data[position:]]).decode()
