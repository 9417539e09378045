"""What does an error of TileLang, nvcc or a module's own code mean for the kernel, and where in it?

TileLang's errors run to pages of rewritten Python and IR. What is kept is a sentence, the line in the candidate's
source and, for the errors in `data/errors.toml`, what to change."""

from __future__ import annotations

import functools
import importlib.resources
import re
import sys
import traceback
from dataclasses import dataclass
from pathlib import Path

from tilewright.protocols import Failure
from tilewright.records import CompileFailed, Crashed, TimedOut, Unscorable
from tilewright.toolchain.arguments import ArgumentError
from tilewright.toolchain.harvest import CandidateFailed, ReferenceFailed
from tilewright.toolchain.modules import is_candidate_file

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_LONGEST = 300
_COMPILER_FOLDERS = ("tilelang", "tvm", "tvm_ffi")


@dataclass(frozen=True)
class _Known:
    pattern: re.Pattern[str]
    message: str
    action: str


def failure_of_candidate(error: CandidateFailed) -> Failure:
    """What a module's own code or its kernels raised while the module was run on tensors without data."""
    cause = error.__cause__ or error
    line = _line_of(cause)
    if isinstance(cause, ArgumentError):
        return Crashed(_at(f"a kernel's launcher refuses its arguments: {cause}", line))
    if isinstance(cause, SyntaxError):
        return CompileFailed(f"no Python: {cause.msg}", cause.lineno, "Correct the syntax.")
    if _came_from_compiler(cause):
        return _compile_failed(cause, line)
    kind = type(cause).__name__
    return Crashed(_at(f"{error} raised {kind}: {_first_sentence(str(cause))}", line))


def failure_of_compilation(error: Exception, kernel: str, line: int | None, timeout_s: float) -> Failure:
    """What TileLang's passes or nvcc raised for a kernel that starts at `line`."""
    text = str(error)
    if "compilation timed out" in text:
        return TimedOut(
            f"nvcc did not finish {kernel} in {timeout_s:.0f} s; usually a long loop is unrolled: "
            "use T.serial instead of T.unroll, or smaller tiles",
            timeout_s,
        )
    failed = _compile_failed(error, line)
    return CompileFailed(f"{kernel}: {failed.message}", failed.line, failed.action)


def failure_of_reference(error: ReferenceFailed) -> Unscorable:
    cause = error.__cause__ or error
    return Unscorable(f"{error} raised {type(cause).__name__}: {_first_sentence(str(cause))}")


def _compile_failed(error: BaseException, line: int | None) -> CompileFailed:
    text = str(error)
    line = _line_in_span(text) or line
    for known in _known():
        match = known.pattern.search(text)
        if match:
            groups = ("", *(group or "" for group in match.groups()))
            message = _filled(known.message, groups) if known.message else _first_sentence(text)
            return CompileFailed(message, line, _filled(known.action, groups))
    prefix = "" if type(error).__name__ == "InternalError" else f"{type(error).__name__}: "
    return CompileFailed(prefix + _first_sentence(text), line)


@functools.cache
def _known() -> tuple[_Known, ...]:
    text = importlib.resources.files("tilewright").joinpath("data/errors.toml").read_text(encoding="utf-8")
    return tuple(
        _Known(re.compile(entry["pattern"], re.DOTALL), entry.get("message", ""), entry["action"])
        for entry in tomllib.loads(text)["failure"]
    )


def _filled(template: str, groups: tuple[str, ...]) -> str:
    return re.sub(r"\{(\d)\}", lambda match: groups[int(match[1])], template)


def _first_sentence(text: str) -> str:
    """The first line that says something, without the IR and source that follow, and not too long."""
    if "Compilation error:" in text:  # nvcc's: the generated source comes first
        text = text.split("Compilation error:", 1)[1]
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    first = lines[0] if lines else ""
    first = re.split(r"(?<=[.!?])\s+(?=[A-Z])", first)[0]
    first = re.sub(r"^Check failed: .*?(?:is false:|\) :)\s*(?=\S)", "", first)  # TVM's condition, in C++
    first = re.sub(r"/\S+/", "", first)
    return first if len(first) <= _LONGEST else first[: _LONGEST - 3] + "..."


def _line_of(error: BaseException) -> int | None:
    """The innermost line of the candidate's file in the traceback.

    TileLang gives code that it made itself, such as the header of a loop, line 1; the line around it says more."""
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if is_candidate_file(frame.filename)]
    return next((line for line in reversed(lines) if line != 1), None)


def _line_in_span(text: str) -> int | None:
    """TileLang's C++ errors may carry where in the source: `--> file:line`."""
    match = re.search(r"-->\s*\S*tilewright_candidate_\d+\.py:(\d+)", text)
    return int(match[1]) if match else None


def _came_from_compiler(error: BaseException) -> bool:
    """Whether TileLang or TVM was running when it was raised."""
    return any(
        part in _COMPILER_FOLDERS
        for frame in traceback.extract_tb(error.__traceback__)
        for part in Path(frame.filename).parts
    )


def _at(message: str, line: int | None) -> str:
    return f"line {line}: {message}" if line is not None else message
