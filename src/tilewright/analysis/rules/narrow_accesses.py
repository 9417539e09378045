"""Tiles that are moved in narrow pieces.

What: most of what a kernel loads or stores goes in pieces of 32 bits or fewer in the binary, though it is
written with `T.copy` or `T.Parallel` and neighbouring threads touch neighbouring values.
Slow because: a piece of 16 bits takes as many turns of the load and store units as one of 128, and as many
instructions.
Example: `T.copy(X[row, 1 + j * 512], tile)`: the offset of 1 value leaves nothing aligned but single values; so
do rows of an odd length, and bounds that cut through eight values.
Instead: tiles whose offset and width are multiples of 8 values (16 bytes), rows padded to that once, or the flat
view of a contiguous tensor.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from tilewright.analysis import saving
from tilewright.analysis.source import read_source
from tilewright.records import Candidate, Evidence, Finding, Instructions, KernelFacts, Problem, TensorAccess
from tilewright.records.facts import Widths

_NARROW_BITS = 32
_WIDEST_BITS = 128
_MOSTLY = 0.5
_CONTIGUOUS = 0.5
"""Below this coalescing there is nothing next to a thread's value that could be moved with it."""


class NarrowAccesses:
    name = "narrow-accesses"

    def find(self, candidate: Candidate, problem: Problem, evidence: Evidence) -> Sequence[Finding]:
        facts = saving.slowest_facts(evidence)
        source = read_source(candidate.source, candidate.entry_point)
        findings = []
        for kernel in facts.kernels if facts else ():
            written = source.kernel(kernel.name, kernel.line) if source else None
            if facts is None or kernel.asynchronous_copies or kernel.matmul_flops:
                continue
            if written is not None and not written.copies_tiles:
                continue  # nothing that TileLang could have made wide: `scalar-loads` speaks of it
            share = _narrow_share(kernel)
            scattered = kernel.coalescing is not None and kernel.coalescing < _CONTIGUOUS
            if share < _MOSTLY or scattered:
                continue
            saves = saving.saved_by_code(facts, kernel, widened)
            if saves < saving.NOTICEABLE:
                continue
            worst = max(kernel.accesses or (), key=_narrow_bits, default=None)
            moved = f"; {worst.tensor} by {_widths(worst)} bits at a time" if worst and worst.tensor else ""
            findings.append(
                saving.finding(
                    self.name,
                    "memory",
                    saves,
                    f"kernel {kernel.name} moves {share:.0%} of its bytes in pieces of {_NARROW_BITS} bits or fewer"
                    + moved,
                    "Let a tile's offset and width be multiples of 8 values, pad odd rows once outside of forward, "
                    "or index a contiguous tensor as a flat one; then T.copy moves 128 bits at once.",
                    [("narrow_share", share), ("tensor", worst.tensor if worst else "")],
                    worst.lines[0] if worst and worst.lines else kernel.line,
                )
            )
        return findings


def _narrow_share(kernel: KernelFacts) -> float:
    """Of the bytes that a thread's loads and stores move, in loops where there are such; 0 where a thread has just
    one of them (`little-work-per-thread`)."""
    for counted in (kernel.loop_instructions, kernel.instructions):
        pieces = counted.global_loads + counted.global_stores if counted else ()
        bits = sum(width * count for width, count in pieces)
        if bits:
            narrow = [(width, count) for width, count in pieces if width <= _NARROW_BITS]
            several = any(width * count > _NARROW_BITS for width, count in narrow)
            return sum(width * count for width, count in narrow) / bits if several else 0.0
    return 0.0


def widened(counted: Instructions) -> Instructions:
    """With loads and stores of 128 bits, as far as that comes out even."""
    loads, stores = _merged(counted.global_loads), _merged(counted.global_stores)
    fewer = _number(counted.global_loads) - _number(loads) + _number(counted.global_stores) - _number(stores)
    return replace(counted, total=counted.total - fewer, global_loads=loads, global_stores=stores)


def _merged(pieces: Widths) -> Widths:
    bits = sum(width * count for width, count in pieces)
    return ((_WIDEST_BITS, bits // _WIDEST_BITS),) if bits and bits % _WIDEST_BITS == 0 else pieces


def _number(pieces: Widths) -> int:
    return sum(count for _, count in pieces)


def _narrow_bits(access: TensorAccess) -> int:
    return sum(width * count for width, count in access.widths if width <= _NARROW_BITS)


def _widths(access: TensorAccess) -> str:
    return " and ".join(str(width) for width, _ in access.widths)
