"""One thread that goes through a whole row becomes a block whose threads share the row.

What: sums, maxima and minima along a contiguous axis that one thread takes element by element (a thread per row,
or one thread of the block while the others wait) are gathered in a tile of partial results that all threads
fill, and reduced once; loops that write along the row are shared out the same way.
Why faster: neighbouring threads read neighbouring addresses, so a warp's load is a few wide transactions where it
was 32 separate ones, and the serial chain is shorter by the number of threads.
When: the loops' accesses are contiguous along the loop, not along the threads' own points.
Safe because: a point's program is recognised as a whole (accumulations that start from nothing, loops that only
write); only the order of summation changes. Anything else is left alone.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tilewright.proposers.rewrites.reading.contiguity import neighbours
from tilewright.proposers.rewrites.reading.kernels import Rewritten, find_kernels
from tilewright.proposers.rewrites.reading.points import Loop, inside, reduction
from tilewright.proposers.rewrites.reading.threads import points_of_blocks, points_of_threads
from tilewright.proposers.rewrites.writing.retiled import retiled
from tilewright.proposers.rewrites.writing.tiling import Shape

ANSWERS = (
    "serial-reduction",
    "scalar-loads",
    "uncoalesced-access",
    "too-few-blocks",
    "few-threads",
    "redundant-work",
)


def rewrite(source: str) -> Iterator[Rewritten]:
    for kernel in find_kernels(ast.parse(source)):
        points = points_of_threads(kernel) if kernel.thread_names else None
        points = points or points_of_blocks(kernel)
        if points is None:
            continue
        loops = [step for step in points.steps if isinstance(step, Loop)]
        near = neighbours(points)
        if not any(reduction(loop) for loop in loops) or near is None or near[0] != "rows":
            continue
        windows = any(isinstance(part, Loop) for loop in loops for step in loop.steps for part in inside(step))
        knobs = {"block_M": 1, "block_N": 256 if windows else 2048, "threads": 128 if windows else 256}
        shape = Shape("block_M", "block_N", "threads")
        changed = retiled(source, kernel, points, "rows", near[1], shape, knobs)
        if changed is not None:
            yield Rewritten(
                changed,
                kernel.launch.lineno,
                f"In {kernel.name} single threads go through whole rows; a block that shares each row reads it in "
                "wide, coalesced loads and reduces it in a tree.",
            )
