"""How do generated sources become one translation unit, and its PTX a text for each of them again?

Each source keeps its kernels: their names and those of their dynamic shared memory get an ending while they are
together, which its PTX loses again, so that what ptxas makes of it is what it makes of the source alone."""

from __future__ import annotations

import re
from collections.abc import Sequence

_KERNEL = re.compile(r'^extern "C" __global__ void (?:__\w+__\([^)]*\) ?)*(\w+)\(', re.MULTILINE)
_DYNAMIC = re.compile(r"\bextern __shared__ [^;]*?(\w+)\[\];")
_ENTRY = re.compile(r"^(?:\.visible |\.weak )?\.entry (\w+)\(", re.MULTILINE)
_END = re.compile(r"^\}\n|// begin inline asm.*?// end inline asm", re.MULTILINE | re.DOTALL)
"""What ends a kernel, and what has braces of its own that don't."""
_SECTION = re.compile(r"^(?=\s*\.section\s+\.text\.)", re.MULTILINE)
_ENDING = re.compile(r"__of_(\d+)_")


def surroundings(source: str) -> str | None:
    """What of a source must be equal in those that it is put together with; None where it stays alone, since more
    than TileLang's own code is in it."""
    head, body = _split(source)
    lines = head.splitlines()
    own = any(line and not line.startswith("#") for line in lines)
    directives = any(line.startswith("#") and not line.startswith("#pragma") for line in body.splitlines())
    if own or directives or not _KERNEL.match(body):
        return None
    return "\n".join(line for line in lines if not line.startswith("#include"))


def joined(sources: Sequence[str]) -> str:
    """One translation unit of sources with equal surroundings, in their order. Its lines are numbered as theirs."""
    parts = list(dict.fromkeys(_split(source)[0] for source in sources))
    for number, source in enumerate(sources):
        head, body = _split(source)
        names = dict.fromkeys(_KERNEL.findall(body) + _DYNAMIC.findall(body))
        parts += [f"#define {name} {name}{_ending(number)}\n" for name in names]
        line = head.count("\n") + 1
        parts.append(f'#line {line} "kernel_{number}.cu"\n{body}\n')
        parts += [f"#undef {name}\n" for name in names]
    return "".join(parts)


def parted(ptx: str, count: int) -> list[str]:
    """The PTX of each source of such a unit. Raises `ValueError` where a kernel is missing."""
    shared, kernels = _entries(ptx)
    texts = []
    for number in range(count):
        mine = kernels.get(number)
        if mine is None:
            raise ValueError(f"no kernel of source {number} in the PTX")
        first, *rest = (_of_one(text, number) for text in shared)
        texts.append((first + "".join(mine) + "".join(rest)).replace(_ending(number), ""))
    return texts


def parted_disassembly(text: str, count: int) -> list[str]:
    """What nvdisasm prints of such a unit's binary, by source."""
    sections = _SECTION.split(text)[1:]
    owners = [_ENDING.search(section) for section in sections]  # the first is in the function's own name
    return [
        "".join(part for part, owner in zip(sections, owners) if owner and int(owner[1]) == number).replace(
            _ending(number), ""
        )
        for number in range(count)
    ]


def _split(source: str) -> tuple[str, str]:
    """What stands before the first kernel, and the rest."""
    at = source.find('extern "C" __global__')
    return (source, "") if at < 0 else (source[:at], source[at:])


def _ending(number: int) -> str:
    return f"__of_{number}_"


def _entries(ptx: str) -> tuple[list[str], dict[int, list[str]]]:
    """What stands around the kernels of a unit, and each source's kernels."""
    around, kernels, at = list[str](), dict[int, list[str]](), 0
    for found in _ENTRY.finditer(ptx):
        ending = _ENDING.search(found[1])
        end = next((brace.end() for brace in _END.finditer(ptx, found.start()) if brace[0] == "}\n"), None)
        if ending is None or end is None:
            raise ValueError(f"whose kernel is {found[1]}?")
        around.append(ptx[at : found.start()])
        at = end
        kernels.setdefault(int(ending[1]), []).append(ptx[found.start() : at])
    return [*around, ptx[at:]], kernels


def _of_one(text: str, number: int) -> str:
    """Without the declarations that belong to the kernels of others."""
    return "".join(
        line
        for line in text.splitlines(keepends=True)
        if all(int(other) == number for other in _ENDING.findall(line))
    )
