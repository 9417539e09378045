"""Elementwise work in tiles of neighbouring elements, several to a thread.

What: a kernel that computes every element by itself, one element a thread or a run of its own for each thread,
becomes `T.Parallel` over a tile of the contiguous axis.
Why faster: TileLang gives the threads of a warp neighbouring elements in vectors of up to 16 bytes, where a run for
each thread makes every load of a warp touch 32 sectors, and one element a thread makes it narrow.
When: no loop carries anything, and the last index of what is written is a point of its own.
Safe because: every element is still written once, from the same expression.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tilewright.proposers.rewrites.reading.contiguity import neighbours
from tilewright.proposers.rewrites.reading.kernels import Rewritten, find_kernels
from tilewright.proposers.rewrites.reading.points import Loop, Store, inside
from tilewright.proposers.rewrites.reading.threads import points_of_threads
from tilewright.proposers.rewrites.writing.retiled import retiled
from tilewright.proposers.rewrites.writing.tiling import Shape

ANSWERS = ("scalar-loads", "uncoalesced-access", "little-work-per-thread", "few-threads", "low-occupancy")
_KNOBS = {"block_N": 2048, "threads": 256}
_SHAPE = Shape("block_N", "", "threads")


def rewrite(source: str) -> Iterator[Rewritten]:
    for kernel in find_kernels(ast.parse(source)):
        points = points_of_threads(kernel) if kernel.thread_names else None
        near = neighbours(points) if points else None
        if points is None or near is None or near[0] != "columns":
            continue
        parts = [part for step in points.steps for part in inside(step)]
        if any(isinstance(part, Loop) for part in parts) or not any(isinstance(part, Store) for part in parts):
            continue
        changed = retiled(source, kernel, points, "rows", near[1], _SHAPE, _KNOBS)
        if changed is not None:
            yield Rewritten(
                changed,
                kernel.launch.lineno,
                f"{kernel.name} computes elements one by one; tiles of neighbouring elements give each thread "
                "16-byte, coalesced loads and stores.",
            )
