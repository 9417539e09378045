"""Which kernels compute something for each row, however they were written?"""

from __future__ import annotations

from tilewright.proposers.rewrites.reading.kernels import Kernel
from tilewright.proposers.rewrites.reading.points import Points
from tilewright.proposers.rewrites.reading.threads import points_of_blocks, points_of_threads
from tilewright.proposers.rewrites.reading.tiles import points_of_tiles


def points_of(kernel: Kernel) -> Points | None:
    """What a kernel computes for each point: by threads of their own, by blocks in phases, or by tiles of rows."""
    if kernel.thread_names:
        return points_of_threads(kernel) or points_of_blocks(kernel)
    return points_of_tiles(kernel) or points_of_threads(kernel)
