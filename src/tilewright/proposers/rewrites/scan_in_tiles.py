"""A running sum that one thread takes along a row is taken by a block, tile by tile.

What: the row goes through shared memory in tiles; `T.cumsum` sums each up, and the sum of the tiles before is
carried along.
Why faster: the row is read and written in wide, coalesced accesses, and a chain of dependent additions as long as
the row becomes one as long as a tile's logarithm.
When: the row is contiguous and the stages of the sum are only stored.
Safe because: the sum is kept in the same dtype; only the order of additions changes.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tilewright.proposers.rewrites.reading.contiguity import neighbours
from tilewright.proposers.rewrites.reading.kernels import Rewritten, find_kernels
from tilewright.proposers.rewrites.reading.points import Loop, running_sum
from tilewright.proposers.rewrites.reading.threads import points_of_blocks, points_of_threads
from tilewright.proposers.rewrites.writing.retiled import retiled
from tilewright.proposers.rewrites.writing.tiling import Shape

ANSWERS = ("serial-reduction", "uncoalesced-access", "few-threads", "too-few-blocks", "scalar-loads")
_KNOBS = {"block_M": 1, "block_N": 1024, "threads": 128}
_SHAPE = Shape("block_M", "block_N", "threads")


def rewrite(source: str) -> Iterator[Rewritten]:
    for kernel in find_kernels(ast.parse(source)):
        points = points_of_threads(kernel) if kernel.thread_names else None
        points = points or points_of_blocks(kernel)
        near = neighbours(points) if points else None
        if points is None or near is None or near[0] != "rows":
            continue
        if not any(isinstance(step, Loop) and running_sum(step) for step in points.steps):
            continue
        changed = retiled(source, kernel, points, "rows", near[1], _SHAPE, _KNOBS)
        if changed is not None:
            yield Rewritten(
                changed,
                kernel.launch.lineno,
                f"{kernel.name} sums each row up in one thread; a block that scans it tile by tile reads and writes "
                "it coalesced and in parallel.",
            )
