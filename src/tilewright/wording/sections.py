"""What does an answer in numbered sections say?

Asked for is `### 1. Title` with lines `Name: text` below. Models write it in other ways, too, which are understood:
bold or plain numbers, names in bold or as list items, text before the first number.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_STARTS = (
    re.compile(r"^\s{0,3}#{1,6}\s*\D{0,14}?#?(?P<number>\d+)[.):]*\**\s*(?P<title>.*)$", re.M),
    re.compile(r"^\s{0,3}\*\*\D{0,14}?#?(?P<number>\d+)[.):]*\s*(?P<title>.*)$", re.M),
    re.compile(r"^#?(?P<number>\d+)[.):]\s+(?P<title>.*)$", re.M),
)
"""The first of these that fits anywhere is the one that the answer uses: plain numbers may be steps in a section."""
_NAME = r"^[ \t]*(?:[-*+][ \t]+)?[*_]*{name}[*_]*[ \t]*:[*_]*[ \t]*"
_ANY_NAME = re.compile(_NAME.format(name="[A-Z][a-z]{1,11}"), re.M)


@dataclass(frozen=True)
class Section:
    """`title` is without marks; `body` what stands below it."""

    number: int
    title: str
    body: str

    def named(self, name: str) -> str:
        """The text of the line `Name: ...` and what goes on below it; "" where there is none."""
        begin = re.search(_NAME.format(name=name), self.body, re.M | re.I)
        if begin is None:
            return ""
        end = _ANY_NAME.search(self.body, begin.end())
        return self.body[begin.end() : end.start() if end else len(self.body)].strip()


def empty(text: str) -> str:
    """What is wrong with an answer whose sections say nothing, such as a refusal; "" for one that says something."""
    said = any(section.body for section in sections(text))
    return "" if said else "it has no sections in the form that is asked for: ### 1. and a title, lines below it"


def sections(text: str) -> list[Section]:
    """In the order of the answer; one with the number 1 and the whole text where nothing is numbered."""
    for pattern in _STARTS:
        starts = list(pattern.finditer(text))
        if starts:
            ends = [*(start.start() for start in starts[1:]), len(text)]
            return [_section(start, text[start.end() : end]) for start, end in zip(starts, ends)]
    first, _, rest = text.strip().partition("\n")
    return [Section(1, _plain(first), rest.strip())] if first else []


def _section(start: re.Match[str], body: str) -> Section:
    title, body = _plain(start["title"]), body.strip()
    if not title:  # "Hypothesis 1:" on a line of its own
        first, _, body = body.partition("\n")
        title = _plain(first)
    return Section(int(start["number"]), title, body.strip())


def _plain(title: str) -> str:
    return title.strip().strip("*_").strip()
