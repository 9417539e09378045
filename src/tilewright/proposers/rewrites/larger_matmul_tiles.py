"""A matrix product's tiles, threads and stages jump together to sizes that suit wide tensor-core instructions.

What: block_M, block_N, block_K, threads and num_stages are set at once; a serial loop over k becomes `T.Pipelined`;
the grid gets a swizzle where it has none.
Why faster: each of them alone often gains nothing (a large tile needs the threads, the pipeline needs the depth):
128 x 128 tiles read each operand 4 times less often than 32 x 32 ones, four warps and 64 rows let Hopper use its
wgmma instructions, stages hide the copies behind the products, the swizzle keeps neighbouring tiles in L2.
When: there is one `T.gemm` in one loop, and the sizes are literals of their own.
Safe because: tile sizes are parameters of the kernel that its results don't depend on.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tilewright.proposers.rewrites.reading.expressions import call_name, text
from tilewright.proposers.rewrites.reading.kernels import Rewritten, without_loss
from tilewright.proposers.rewrites.reading.matmuls import Matmul, find_matmuls, settings
from tilewright.source.splice import Edit, Positions

ANSWERS = ("small-matmul-tile", "no-pipelining", "no-shared-reuse", "few-threads")

# From large to small outputs; the last is for those that give too few of the larger tiles to fill a GPU.
_SETTINGS = (
    {"block_M": 128, "block_N": 128, "block_K": 64, "threads": 256, "num_stages": 3},
    {"block_M": 128, "block_N": 256, "block_K": 64, "threads": 256, "num_stages": 3},
    {"block_M": 64, "block_N": 128, "block_K": 64, "threads": 128, "num_stages": 4},
)
_LARGE = 128 * 128
"""From this size on, larger tiles are the knob search's business."""
_PANEL = 10
"""Tiles in a swizzle's panel; TileLang's own examples use it."""


def rewrite(source: str) -> Iterator[Rewritten]:
    for matmul in find_matmuls(ast.parse(source)):
        for values in _SETTINGS:
            known = {role: matmul.value(role) for role in values}
            if not known["block_M"] or not known["block_N"] or not _has_free_threads(matmul):
                continue
            serial = _pipelined(source, matmul, values["num_stages"])
            area = known["block_M"] * known["block_N"]
            small = area < min(values["block_M"] * values["block_N"], _LARGE)
            unstaged = bool(serial) or known["num_stages"] == 0
            if not small and not (unstaged and values is _SETTINGS[0]):
                continue
            edits = settings(source, matmul, values)
            edits = [*edits, *serial, *_swizzle(source, matmul)]
            changed = without_loss(source, edits)
            if changed is not None:
                yield Rewritten(
                    changed,
                    matmul.kernel.launch.lineno,
                    f"{matmul.kernel.name} in {values['block_M']}x{values['block_N']}x{values['block_K']} tiles with "
                    f"{values['threads']} threads and {values['num_stages']} stages reads its operands less often "
                    "and hides the copies behind wide tensor-core instructions.",
                )


def _has_free_threads(matmul: Matmul) -> bool:
    """Whether no statement gives threads places in the tile, so that their number is free."""
    bound = matmul.literals["threads"] == matmul.literals["block_M"]
    return not matmul.kernel.thread_names or bound


def _pipelined(source: str, matmul: Matmul, stages: int) -> list[Edit]:
    call = matmul.loop.iter
    if not isinstance(call, ast.Call) or len(call.args) != 1 or call.keywords:
        return []
    if call_name(call) not in ("serial", "range", "Pipelined", "Serial"):
        return []
    start, end = Positions(source).span(call)
    language = matmul.kernel.language
    return [Edit(start, end, f"{language}.Pipelined({text(call.args[0])}, num_stages={stages})")]


def _swizzle(source: str, matmul: Matmul) -> list[Edit]:
    kernel = matmul.kernel
    if len(kernel.grid) < 2 or any(call_name(node) == "use_swizzle" for node in ast.walk(kernel.launch)):
        return []
    positions = Positions(source)
    first = kernel.body[0]
    place = positions.line_start(first.lineno)
    indent = positions.indent(first.lineno)
    return [Edit(place, place, f"{indent}{kernel.language}.use_swizzle({_PANEL}){positions.newline}")]
