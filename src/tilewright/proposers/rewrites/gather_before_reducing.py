"""A row's tiles are gathered place by place, and reduced across threads once.

What: where every tile of a row is reduced to one value and added to the ones before, each place of the tile
gathers its own share over all tiles, and one reduction follows the loop.
Why faster: a reduction over the threads of a block is shuffles, shared memory and barriers; in the loop it makes
every tile wait for the last one's, where plain additions let the loads run ahead.
When: blocks go along rows tile by tile and the loop only accumulates or writes.
Safe because: a point's program is recognised as a whole; only the order of summation changes.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tilewright.proposers.rewrites.reading.contiguity import neighbours
from tilewright.proposers.rewrites.reading.expressions import call_name
from tilewright.proposers.rewrites.reading.kernels import Kernel, Rewritten, find_kernels
from tilewright.proposers.rewrites.reading.tiles import points_of_tiles
from tilewright.proposers.rewrites.writing.retiled import retiled
from tilewright.proposers.rewrites.writing.tiling import Shape

ANSWERS = ("serial-reduction", "low-occupancy", "few-threads")
_KNOBS = {"block_M": 1, "block_N": 2048, "threads": 256}
_SHAPE = Shape("block_M", "block_N", "threads")


def rewrite(source: str) -> Iterator[Rewritten]:
    for kernel in find_kernels(ast.parse(source)):
        points = points_of_tiles(kernel) if _reduces_in_loop(kernel) else None
        near = neighbours(points) if points else None
        if points is None or near is None or near[0] != "rows":
            continue
        changed = retiled(source, kernel, points, "rows", near[1], _SHAPE, _KNOBS)
        if changed is not None:
            yield Rewritten(
                changed,
                kernel.launch.lineno,
                f"{kernel.name} reduces across its threads for every tile of a row; gathered place by place, the "
                "row needs one such reduction and its loads run ahead.",
            )


def _reduces_in_loop(kernel: Kernel) -> bool:
    return any(
        isinstance(statement, ast.For) and call_name(node).startswith("reduce_")
        for statement in kernel.body
        for node in ast.walk(statement)
    )
