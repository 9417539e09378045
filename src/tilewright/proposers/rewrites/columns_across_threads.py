"""Neighbouring threads take neighbouring columns, and share the rows of a column's sum.

What: where every thread takes a whole column (a sum, a norm along an axis that is not contiguous), a block takes a
tile of neighbouring columns; its threads lie across the columns first, then across the rows of the reduction, whose
partial results are reduced once.
Why faster: a warp's loads fall into few sectors however the columns were numbered before, and the rows of a column
are no longer one thread's serial chain, so that small outputs fill the GPU too.
When: what is contiguous in memory are the points, not the loops.
Safe because: a point's program is recognised as a whole; only the order of summation changes.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tilewright.proposers.rewrites.reading.contiguity import neighbours
from tilewright.proposers.rewrites.reading.kernels import Rewritten, find_kernels
from tilewright.proposers.rewrites.reading.points import Loop, reduction
from tilewright.proposers.rewrites.reading.threads import points_of_threads
from tilewright.proposers.rewrites.writing.retiled import retiled
from tilewright.proposers.rewrites.writing.tiling import Shape

ANSWERS = ("uncoalesced-access", "serial-reduction", "scalar-loads", "few-threads", "too-few-blocks")
_KNOBS = {"block_M": 64, "block_N": 32, "threads": 256}
_SHAPE = Shape("block_N", "block_M", "threads")


def rewrite(source: str) -> Iterator[Rewritten]:
    for kernel in find_kernels(ast.parse(source)):
        points = points_of_threads(kernel) if kernel.thread_names else None
        near = neighbours(points) if points else None
        if points is None or near is None or near[0] != "columns":
            continue
        if not any(isinstance(step, Loop) and reduction(step) for step in points.steps):
            continue
        changed = retiled(source, kernel, points, "columns", near[1], _SHAPE, _KNOBS)
        if changed is not None:
            yield Rewritten(
                changed,
                kernel.launch.lineno,
                f"In {kernel.name} each thread walks down a column alone; tiles with the threads across columns make "
                "the loads coalesced and share each column's rows.",
            )
