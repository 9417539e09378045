"""Taking code out of an answer, and showing untrusted text to a model so that it stays text."""

from __future__ import annotations

import ast
import re
import textwrap
from collections.abc import Iterable, Iterator

FEEDBACK_LIMIT = 4096
"""Bytes of what a candidate said that a model is shown at most."""
_FENCE = re.compile(r"[ \t]*(?P<fence>`{3,}|~{3,})(?P<info>[^`]*)")
_CODE_BEGINS = re.compile(r"import \w|from \w|class \w|def \w|@\w|\"\"\"|'''")
_BEGINNINGS, _TRIES = 40, 40
"""Fences tried as a block's first, and ends tried for each beginning: more only an answer that is noise has."""
_STARTS = 3
"""Lines tried as the first of code that no fence begins: prose may begin with "from", too."""
_LONGEST_FENCE = 12
_ESCAPE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?)")


def extract_code(text: str) -> str | None:
    """The Python module that an answer gives, or None where nothing in it parses as one.

    Fences may stand in docstrings, be several, be left open or be missing. What defines `ModelNew` is preferred (the
    last, since an old version is quoted before the new), then what mentions tilelang, then the longest.
    """
    lines = text.replace("\r\n", "\n").split("\n")
    whole = _first_that_parses([_body(lines)])
    if whole and "tilelang" in whole:
        return whole
    found = [code for bodies in _fenced_bodies(lines) if (code := _first_that_parses(bodies))]
    if not found:
        code = _first_that_parses(_unfenced_bodies(lines))
        return code if code and "tilelang" in code else None
    defining = [code for code in found if _defines_model(code)]
    if defining:
        return defining[-1]
    return max(found, key=lambda code: ("tilelang" in code, len(code)))


def fenced(text: str, limit: int = FEEDBACK_LIMIT) -> str:
    """`text` as a block of at most `limit` bytes that what it says can't end.

    What isn't printable is replaced, the middle of a long text left out, and the marks that divide a prompt into
    fields are broken up.
    """
    text = _printable(text).replace("[[ ##", "[[##")
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * min(max(3, longest + 1), _LONGEST_FENCE)
    text = text.replace(fence, fence[1:] + " ") if longest >= len(fence) else text
    return f"{fence}\n{_bounded(text, limit - 2 * len(fence) - 2)}\n{fence}"


def _fenced_bodies(lines: list[str]) -> Iterator[Iterable[str]]:
    """For each line that may open a block: the bodies it may have, by each line that may close it."""
    fences = [(number, match) for number, line in enumerate(lines) if (match := _FENCE.fullmatch(line))]
    for at, (start, opening) in enumerate(fences[:_BEGINNINGS]):
        mark = opening["fence"]
        ends = [
            number
            for number, match in fences[at + 1 :]
            if match["fence"].startswith(mark) and not match["info"].strip()
        ]
        yield (_body(lines[start + 1 : end]) for end in [*ends[:_TRIES], len(lines)])


def _unfenced_bodies(lines: list[str]) -> Iterator[str]:
    """From a line that looks like code's first to the end, then with ever fewer paragraphs of prose after it."""
    starts = [number for number, line in enumerate(lines) if _CODE_BEGINS.match(line)]
    for start in starts[:_STARTS]:
        yield _body(lines[start:])
        blank = [number for number in range(start + 1, len(lines)) if not lines[number].strip()]
        for end in blank[: -_TRIES - 1 : -1]:
            yield _body(lines[start:end])


def _body(lines: list[str]) -> str:
    return textwrap.dedent("\n".join(lines)).strip("\n")


def _first_that_parses(bodies: Iterable[str]) -> str | None:
    for body in bodies:
        try:
            if ast.parse(body).body:
                return body + "\n"
        except (SyntaxError, ValueError, RecursionError, MemoryError):  # a null byte; thousands of parentheses
            continue
    return None


def _defines_model(code: str) -> bool:
    return any(isinstance(node, ast.ClassDef) and node.name == "ModelNew" for node in ast.parse(code).body)


def _printable(text: str) -> str:
    text = _ESCAPE.sub("", text.replace("\r\n", "\n"))
    return "".join(
        char if char.isprintable() or char in "\n\t" else " " if char.isspace() else "\N{REPLACEMENT CHARACTER}"
        for char in text
    )


def _bounded(text: str, limit: int) -> str:
    """Beginning and end of `text`, in `limit` bytes of UTF-8."""
    data = text.encode()
    if len(data) <= limit:
        return text
    note = f"\n... {len(data)} bytes, the middle left out ...\n"
    room = max(limit - len(note), 0)
    head, tail = data[: room * 2 // 3], data[len(data) - room // 3 :] if room >= 3 else b""
    return head.decode(errors="ignore") + note + tail.decode(errors="ignore")
