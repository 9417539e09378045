"""Which files may an agent have read, and how much may it send? What lies in the project folder, a kernel's worth."""

from __future__ import annotations

from pathlib import Path

from tilewright.errors import UsageError
from tilewright.kernelfile import corpus_root, find_kernel, split_entry_point, support_files
from tilewright.problems import problems_root

LONGEST_SOURCE = 200_000
"""Bytes of a kernel; the longest of about 200 real ones has 16,000."""
LONGEST_TEXT = 4_000
"""Bytes of a query, a path or another short text."""
MOST_FILES = 20_000


class Project:
    """A folder beyond which nothing is read for an agent, but for the kernels and references that are shipped.

    Links are followed before it is judged where something lies. `results` is where runs are stored.
    """

    def __init__(self, root: Path, results: Path) -> None:
        self.root = root.resolve()
        self.results = results if results.is_absolute() else self.root / results

    def kernel(self, name: str) -> str:
        """A kernel in the project (PATH or PATH:FUNCTION), or a shipped one by its name, with its whole path."""
        short("kernel", name)
        path, entry = split_entry_point(name)
        if path.endswith(".toml"):
            raise UsageError(f"{name}: a task file isn't taken here. Name its kernel, and its reference beside it.")
        given = self.root / path
        if given.exists() or _climbs(path):
            found = self._inside(given, "kernel", name)
        else:
            found = self._inside(find_kernel(path), "kernel", name)
        self._check_file(found, name)
        return f"{found}:{entry}" if entry else str(found)

    def is_ours(self, kernel: str) -> bool:
        """Whether a file may be written beside the kernel."""
        return Path(split_entry_point(kernel)[0]).is_relative_to(self.root)

    def reference(self, name: str | None) -> str | None:
        """FILE or FILE:FUNCTION in the project."""
        if name is None:
            return None
        short("reference", name)
        path, entry = split_entry_point(name)
        found = self._inside(self.root / path, "reference", name)
        self._check_file(found, name)
        return f"{found}:{entry}" if entry else str(found)

    def folder(self, name: str | None, what: str) -> Path | None:
        """A folder in the project none of whose Python files is a link to somewhere else."""
        if name is None:
            return None
        short(what, name)
        found = self._inside(self.root / name, what, name)
        if not found.is_dir():
            raise UsageError(f"{what} {name!r}: no such folder in {self.root}.")
        for number, file in enumerate(found.rglob("*.py")):
            self._inside(file, what, str(file.relative_to(found)))
            if number >= MOST_FILES:
                raise UsageError(f"{what} {name!r} holds more than {MOST_FILES:,} Python files. Name a folder in it.")
        return found

    def written(self, name: str, what: str) -> Path:
        """A place in the project that may not be there yet."""
        short(what, name)
        return self._inside(self.root / name, what, name)

    def check_imports(self, kernel: str, source: str) -> None:
        """What lies beside a kernel and is imported by `source` must be the project's too."""
        path = Path(split_entry_point(kernel)[0])
        try:
            modules = support_files(path, source)
        except (SyntaxError, ValueError):  # no Python: whoever judges it says so better
            return
        for module in modules:
            self._inside(path.parent / module.path, "module", module.path)

    def _check_file(self, path: Path, name: str) -> None:
        if not path.is_file():
            return
        size = path.stat().st_size
        if size > LONGEST_SOURCE:
            raise UsageError(f"{name} has {size:,} bytes; a kernel may have {LONGEST_SOURCE:,}.")
        self.check_imports(str(path), path.read_text(encoding="utf-8", errors="replace"))

    def _inside(self, path: Path, what: str, name: str) -> Path:
        found = path.resolve()
        shipped = (corpus_root().resolve(), problems_root().resolve())
        if any(found.is_relative_to(root) for root in (self.root, *shipped)):
            return found
        raise UsageError(
            f"{what} {name!r} lies outside of the project folder {self.root}. Give a path inside of it, or a shipped "
            "kernel's name as list_kernels shows it; another folder is served by: tilewright mcp --project DIR"
        )


def short(what: str, text: str) -> str:
    """`text`, where it is no longer than such a text may be."""
    size = len(text.encode("utf-8", "replace"))
    if size > LONGEST_TEXT:
        raise UsageError(f"{what} has {size:,} bytes; it may have {LONGEST_TEXT:,}. Give a shorter one.")
    return text


def source_text(text: str) -> str:
    """A kernel's source, where it is no longer than one may be."""
    size = len(text.encode("utf-8", "replace"))
    if size > LONGEST_SOURCE:
        raise UsageError(
            f"source has {size:,} bytes; it may have {LONGEST_SOURCE:,}. Send one kernel file, without data in it."
        )
    return text


def _climbs(path: str) -> bool:
    return Path(path).is_absolute() or ".." in Path(path).parts
