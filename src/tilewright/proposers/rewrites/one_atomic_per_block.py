"""One atomic for a block where there was one for every element.

What: elements that each add to (or take the maximum or minimum into) the same address are gathered by a block, in
a tile of partial results and then one reduction; one thread does the atomic.
Why faster: atomics on one address run one after another in the L2 cache; there are thousands of times fewer.
When: the address is the same for all elements of an axis.
Safe because: the accumulator keeps its dtype, and every element still counts once; only the order changes.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tilewright.proposers.rewrites.reading.expressions import names
from tilewright.proposers.rewrites.reading.kernels import Rewritten, find_kernels
from tilewright.proposers.rewrites.reading.points import Atomic, Loop, inside
from tilewright.proposers.rewrites.reading.threads import points_of_threads
from tilewright.proposers.rewrites.writing.retiled import retiled
from tilewright.proposers.rewrites.writing.tiling import Shape

ANSWERS = ("atomic-per-element", "scalar-loads")
_KNOBS = {"block_N": 1024, "tiles_per_block": 4, "threads": 256}
_SHAPE = Shape("block_N", "", "threads", "tiles_per_block")


def rewrite(source: str) -> Iterator[Rewritten]:
    for kernel in find_kernels(ast.parse(source)):
        points = points_of_threads(kernel)
        if points is None:
            continue
        parts = [part for step in points.steps for part in inside(step)]
        atomics = [part for part in parts if isinstance(part, Atomic)]
        free = [axis for axis in points.axes if not any(axis.name in names(a.target) for a in atomics)]
        if not atomics or not free or any(isinstance(part, Loop) for part in parts):
            continue
        changed = retiled(source, kernel, points, "rows", free[-1], _SHAPE, _KNOBS)
        if changed is not None:
            yield Rewritten(
                changed,
                kernel.launch.lineno,
                f"{kernel.name} does an atomic for every element; gathered by blocks first, the same address is "
                "updated thousands of times less often.",
            )
