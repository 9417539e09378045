"""How does a source look whose kernel computes its points in tiles?"""

from __future__ import annotations

from collections.abc import Mapping

from tilewright.proposers.rewrites.reading.contiguity import Direction
from tilewright.proposers.rewrites.reading.kernels import Kernel
from tilewright.proposers.rewrites.reading.points import Axis, Points
from tilewright.proposers.rewrites.writing.factories import free_knobs, with_launch
from tilewright.proposers.rewrites.writing.tiling import NotTiled, Shape, write_tiles


def retiled(
    source: str,
    kernel: Kernel,
    points: Points,
    direction: Direction,
    tiled: Axis,
    shape: Shape,
    knobs: Mapping[str, int],
) -> str | None:
    """The source with the kernel's launch written anew; None where the points can't be said in tiles.

    `shape` calls the knobs by the names in `knobs`; one whose name means something else in the factory gets another.
    """
    named = {"": "", **free_knobs(kernel, knobs)}
    own = Shape(named[shape.points], named[shape.elements], named[shape.threads], named[shape.rounds])
    try:
        lines = write_tiles(kernel, points, direction, tiled, own)
    except NotTiled:
        return None
    return with_launch(source, kernel, lines, {named[knob]: value for knob, value in knobs.items()})
