"""Which bugs do people and models make in TileLang kernels, and what does a kernel look like with one of them?

For testing what judges kernels: each mutant is a kernel with one such bug, the rest of it byte for byte as it was.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from tilewright.mutants import accumulators, arithmetic, guards, loops, modules, places, tiles
from tilewright.mutants.reading import Change, Source
from tilewright.source.splice import splice

BUGS: Mapping[str, Callable[[Source], Iterator[Change]]] = {
    "loop ends early": loops.ends_early,
    "loop starts late": loops.starts_late,
    "floor for ceiling": loops.floor_for_ceiling,
    "half of a parallel loop": loops.half_of_parallel,
    "wrong block index": places.wrong_block,
    "offset not scaled": places.not_scaled,
    "offset missing": places.missing_offset,
    "wrong stride": places.wrong_stride,
    "swapped subscripts": places.swapped_subscripts,
    "next element": places.next_element,
    "remainder for quotient": places.remainder_for_quotient,
    "not cleared": accumulators.not_cleared,
    "cleared inside the loop": accumulators.cleared_inside,
    "wrong initial value": accumulators.wrong_start,
    "accumulator overwritten": accumulators.overwritten,
    "wrong reduction": accumulators.wrong_reduction,
    "wrong axis of reduction": accumulators.wrong_axis,
    "wrong clear of reduction": accumulators.wrong_clear,
    "guard dropped": guards.no_guard,
    "guard too strict": guards.too_strict,
    "guard includes the border": guards.border_included,
    "flipped comparison": guards.flipped,
    "swapped branches": guards.swapped_branches,
    "wrong operator": arithmetic.wrong_operator,
    "lost sign": arithmetic.lost_sign,
    "wrong constant": arithmetic.wrong_constant,
    "wrong function": arithmetic.wrong_function,
    "max for min": arithmetic.maximum_for_minimum,
    "forgotten term": arithmetic.forgotten_term,
    "grid too small": tiles.grid_too_small,
    "block not written": tiles.unwritten_block,
    "result not written": tiles.unwritten,
    "tile not loaded": tiles.not_loaded,
    "wrong transpose": tiles.wrong_transpose,
    "swapped factors": tiles.swapped_factors,
    "shared by all threads": tiles.shared_by_all_threads,
    "lost update": tiles.lost_update,
    "parameter ignored": modules.ignored_parameter,
    "wrong dimension": modules.wrong_dimension,
    "swapped arguments": modules.swapped_arguments,
}
"""Bug classes by name: each yields every place where a kernel can have that bug."""


@dataclass(frozen=True)
class Mutant:
    """A kernel with one bug. `line` is in the source it was made from."""

    bug: str
    description: str
    line: int
    source: str


def mutants(source: str) -> Iterator[Mutant]:
    """Every mutant of a kernel, in the order of `BUGS` and then of the source, no two of them the same.

    SyntaxError for a source that is no Python. One without TileLang kernels has only mutants of its module.
    """
    read = Source(source)
    seen = {source}
    for bug, changes in BUGS.items():
        for change in changes(read):
            mutant = splice(source, change.edits)
            if mutant not in seen:
                seen.add(mutant)
                yield Mutant(bug, change.description, change.line, mutant)
