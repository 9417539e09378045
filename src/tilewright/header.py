"""The result that a kernel file carries in its module docstring.

    Problem Name: 10_ConvTranspose2d_MaxPool_Hardtanh_Mean_Tanh
    Workload: large
    Evaluation Result: compiled=True correctness=True runtime_stats={'speedup_ratio': 0.604, ...}

Users write these lines too, so they are read leniently; what can't be read counts as no result.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass

from tilewright.records import Candidate, content_id

_DOCSTRING = re.compile(
    r"\A(?P<before>(?:[ \t]*(?:#[^\n]*)?\n)*)[rR]?(?P<quote>\"\"\"|''')(?P<text>.*?)(?P=quote)", re.S
)
_RESULT_LINE = re.compile(r"^(Evaluation Result|Estimated Result|Measured By|Optimized From|Kernel Id):")
_NUMBER = r"([-+]?[0-9]*\.?[0-9]+(?:[eE][-+]?[0-9]+)?)"
_RATIO = re.compile(r"['\"]?speedup_ratio['\"]?\s*[:=]\s*" + _NUMBER)
_BASELINE = re.compile(r"'baseline': (['\"])(.*?)\1")
_CORRECT = re.compile(r"correctness\s*=\s*(True|False)")
_KERNEL_ID = re.compile(r"\bkernel ([0-9a-f]{16})\b")
_TEXT_ID = re.compile(r"\btext ([0-9a-f]{16})\b")
_FILE_NAME_RATIO = re.compile(r"_optimized_([0-9]+(?:\.[0-9]+)?)x(?:_[0-9]+)?$")


EAGER = "PyTorch eager"
"""What a ratio in a header is over, where it doesn't name another baseline."""


@dataclass(frozen=True)
class Header:
    """What a kernel file says about itself. `speedup_ratio` is None when it carries no ratio over PyTorch eager."""

    problem: str | None = None
    workload: str | None = None
    speedup_ratio: float | None = None
    correct: bool | None = None
    estimated: bool = False
    changed: bool = False
    """Whether the file holds another kernel than the one that was measured; False where that isn't known."""


def read_header(text: str, stem: str = "") -> Header:
    """The header in a file's text; older files carry their ratio in the file name (`stem`)."""
    docstring = _docstring(text)
    fields = _fields(docstring)
    result = fields.get("Evaluation Result", "")
    ratio, correct = _RATIO.search(result), _CORRECT.search(result)
    value = float(ratio.group(1)) if ratio else _ratio_in_name(stem)
    is_correct = correct.group(1) == "True" if correct else None
    baseline = _BASELINE.search(result)
    if baseline and baseline.group(2) != EAGER:
        value = None
    return Header(
        problem=fields.get("Problem Name") or None,
        workload=fields.get("Workload") or None,
        speedup_ratio=value if is_correct is not False and value is not None and value > 0 else None,
        correct=is_correct,
        estimated="Estimated Result" in fields,
        changed=_is_changed(text, fields.get("Measured By", "")),
    )


def without_result(text: str) -> tuple[str, int]:
    """The text without its result lines, and how many lines that took out.

    Two files that differ only in their results hold the same kernel.
    """
    match = _DOCSTRING.match(text)
    if match is None:
        return text, 0
    kept: list[str] = []
    dropped = 0
    in_result = False
    for line in match["text"].split("\n"):
        if _RESULT_LINE.match(line):
            in_result = True
        elif in_result and not line.startswith((" ", "\t", "}")):
            in_result = False
        if in_result:
            dropped += 1
        else:
            kept.append(line)
    start, end = match.span("text")
    return text[:start] + "\n".join(kept) + text[end:], dropped


def with_result(text: str, problem: str, workload: str, lines: list[str]) -> str:
    """The text with `lines` ("Evaluation Result: ...") at the end of its docstring, older results removed."""
    text, _ = without_result(text)
    match = _DOCSTRING.match(text)
    if match is None:
        head = "\n".join([f"Problem Name: {problem}", *([f"Workload: {workload}"] if workload else []), *lines])
        return f'"""\n{head}\n"""\n\n{text}'
    body = match["text"].rstrip()
    end_of_text = match["text"][len(body) :]
    if "Problem Name" not in _fields(body):
        body = f"{body}\n\nProblem Name: {problem}" if body else f"Problem Name: {problem}"
    if workload and "Workload" not in _fields(body):
        body += f"\nWorkload: {workload}"
    start, end = match.span("text")
    return text[:start] + body + "\n" + "\n".join(lines) + end_of_text + text[end:]


def result_line(stats: dict[str, object]) -> str:
    return f"Evaluation Result: compiled=True correctness=True runtime_stats={stats!r}"


def read_stats(text: str) -> dict[str, object]:
    """The `runtime_stats` of a header that tilewright wrote; {} for other files."""
    match = re.search(r"runtime_stats=(\{.*?\})\s*$", _fields(_docstring(text)).get("Evaluation Result", ""))
    try:
        stats = ast.literal_eval(match.group(1)) if match else {}
    except (ValueError, SyntaxError):
        return {}
    return stats if isinstance(stats, dict) else {}


def read_measured_by(text: str) -> tuple[tuple[tuple[str, str], ...], str]:
    """(versions, the kernel's id) of a header that tilewright wrote; empty for other files."""
    said = _fields(_docstring(text)).get("Measured By", "")
    versions, kernel = re.search(r"\(([^)]*)\)", said), _KERNEL_ID.search(said)
    words = [part.strip().partition(" ") for part in versions.group(1).split(",")] if versions else []
    return tuple((name, value) for name, _, value in words if value), kernel.group(1) if kernel else ""


def text_id(text: str) -> str:
    """The identity of what stands below the docstring: the same whatever a header says, and whether there is one."""
    return content_id(_below_docstring(text).strip())


def base_stem(stem: str) -> str:
    """`2_10_optimized_1.234x` -> `2_10`: the kernel that an optimised file grew from."""
    return re.sub(r"(_optimized_[0-9.]+x|_candidate_est)(_[0-9]+)?$", "", stem)


def _docstring(text: str) -> str:
    match = _DOCSTRING.match(text)
    return match["text"] if match else ""


def _below_docstring(text: str) -> str:
    match = _DOCSTRING.match(text)
    return text[match.end() :] if match else text


def _is_changed(text: str, measured_by: str) -> bool:
    measured = _TEXT_ID.search(measured_by)
    if measured:
        return measured.group(1) != text_id(text)
    kernel = _KERNEL_ID.search(measured_by)
    if kernel is None or "class ModelNew" not in text:  # the id of a function can't be told from its file alone
        return False
    # Older headers have the kernel's id alone. It is of its docstring too, where that didn't come with the header.
    sources = (without_result(text)[0], _below_docstring(text).lstrip("\n"))
    return kernel.group(1) not in [Candidate(source).id for source in sources]


def _fields(docstring: str) -> dict[str, str]:
    """`Name: value` lines; a line that names no field goes on with the one before it."""
    fields: dict[str, str] = {}
    current = ""
    for line in docstring.split("\n"):
        match = re.match(r"\s*([A-Z][A-Za-z]*(?: [A-Z][A-Za-z]*)?):\s?(.*)$", line)
        if match:
            current = match.group(1)
            fields.setdefault(current, match.group(2).strip())
        elif current and line.strip():
            fields[current] = f"{fields[current]} {line.strip()}".strip()
    return fields


def _ratio_in_name(stem: str) -> float | None:
    match = _FILE_NAME_RATIO.search(stem)
    return float(match.group(1)) if match else None
