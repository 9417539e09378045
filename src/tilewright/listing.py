"""Which kernels there are and how fast they were measured to be."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from tilewright.errors import KernelNotFound
from tilewright.header import base_stem, read_header
from tilewright.kernelfile import corpus_root, numbers_in_name

SLOW, GOOD = 0.8, 1.2


@dataclass(frozen=True)
class Listed:
    """One kernel file. `superseded` when a faster kernel that grew from it lies beside it."""

    path: Path
    level: int | None
    problem_id: int | None
    problem: str
    speedup_ratio: float | None
    superseded: bool = False
    note: str = ""
    """Why a speedup in its header isn't its own."""

    @property
    def category(self) -> str:
        if self.speedup_ratio is None:
            return "UNMEASURED"
        if self.speedup_ratio < SLOW:
            return "SLOW"
        return "GOOD" if self.speedup_ratio > GOOD else "MODERATE"


@dataclass(frozen=True)
class SlowList:
    """Kernels below a threshold, slowest first, and what was left out of them."""

    kernels: tuple[Listed, ...]
    unmeasured: int
    superseded: int


def list_kernels(folder: Path | None = None) -> list[Listed]:
    """All kernel files under `folder` (the shipped corpus by default), in order of level and number."""
    root = folder or corpus_root()
    if not root.is_dir():
        raise KernelNotFound(f"Could not find kernel folder {str(root)!r}. Give one: tilewright list DIR")
    listed = [read(path) for path in sorted(root.rglob("*.py")) if not path.name.startswith(("_", "."))]
    best_offspring: dict[Path, float] = {}
    for kernel in listed:
        parent = kernel.path.with_name(base_stem(kernel.path.stem) + ".py")
        if parent != kernel.path and kernel.speedup_ratio is not None:
            best_offspring[parent] = max(best_offspring.get(parent, 0.0), kernel.speedup_ratio)
    marked = [
        kernel
        if kernel.speedup_ratio is None or best_offspring.get(kernel.path, 0.0) <= kernel.speedup_ratio
        else replace(kernel, superseded=True)
        for kernel in listed
    ]
    return sorted(marked, key=lambda k: (k.level or 99, k.problem_id or 0, k.path.name))


def read(path: Path) -> Listed:
    """What a kernel file's name and header say. Raises `OSError`."""
    header = read_header(path.read_text(encoding="utf-8", errors="replace"), path.stem)
    level, number = numbers_in_name(path)
    listed = Listed(path, level, number, header.problem or path.stem, header.speedup_ratio)
    if header.speedup_ratio is None or not header.changed:
        return listed
    return replace(listed, speedup_ratio=None, note=f"changed since it was measured ({header.speedup_ratio:.3f}x)")


def slow_kernels(threshold: float, folder: Path | None = None) -> SlowList:
    """What `--list-slow` shows."""
    kernels = list_kernels(folder)
    slow = [
        (kernel.speedup_ratio, kernel)
        for kernel in kernels
        if kernel.speedup_ratio is not None and kernel.speedup_ratio < threshold and not kernel.superseded
    ]
    slow.sort(key=lambda pair: (pair[0], str(pair[1].path)))
    return SlowList(
        tuple(kernel for _, kernel in slow),
        sum(kernel.speedup_ratio is None for kernel in kernels),
        sum(kernel.superseded for kernel in kernels),
    )
