"""Into which tiles should a matrix product or a convolution be cut, at its shape and on its GPU?

Larger tiles read less for each multiply-add, smaller ones make more blocks: the largest of the usual ones that leaves
nearly every multiprocessor a block is advised. It is where tuning starts, not where it ends. Of 1024 x 2048 x 4096 in
fp16 on an H200 (132 multiprocessors), 128 x 128 with 128 blocks took 30 us, 64 x 128 with 256 blocks 39.5; 4 stages
took 31 and 3 took 35.5 us.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from tilewright.hardware import Gpu
from tilewright.records import Facts, KernelFacts, Problem

_CONVOLUTION = re.compile(r"conv(_?transpose)?[123]d", re.IGNORECASE)
_EDGES = ((128, 256), (128, 128), (128, 64), (64, 64))
_LEAST_EDGE = 16
"""Of what T.gemm multiplies."""
_WARPGROUP_ROWS = 64
_ROW_BYTES = 128
"""A row of an operand's tile: the widest swizzle of shared memory, 64 values of fp16."""
_STAGES = 4
FILLED = 0.9
"""Of the multiprocessors: what is idle beyond is not worth another cut."""
_VALUES_OF_A_WARPGROUP = 128 * 128
"""Of an accumulator: 128 threads hold it in 128 registers each."""


@dataclass(frozen=True)
class Tile:
    """`blocks` come of it. Of a convolution block_m is of output channels and block_n of positions, unless
    `positions_first`; `patches` says that its input channels are too few to be K by themselves."""

    block_m: int
    block_n: int
    block_k: int
    stages: int
    threads: int
    blocks: int
    patches: bool = False
    positions_first: bool = False

    @property
    def values(self) -> int:
        return self.block_m * self.block_n

    def worded(self, gpu: Gpu) -> str:
        pieces = gpu.sms // self.blocks
        few = pieces > 1
        return (
            f"block_M={self.block_m}, block_N={self.block_n}, block_K={self.block_k}, num_stages={self.stages}, "
            f"threads={self.threads} ({'only ' if few else ''}{self.blocks} block{'s' * (self.blocks != 1)} for the "
            f"{gpu.sms} multiprocessors of {gpu.name}"
            + (f": split K over about {pieces} blocks each)" if few else ")")
        )


@dataclass(frozen=True)
class _Product:
    batches: int
    rows: int
    columns: int
    depth: int
    patches: bool = False
    positions_first: bool = False


def is_convolution(problem: Problem) -> bool:
    return _CONVOLUTION.search(problem.source) is not None


def product_tile(facts: Facts, kernel: KernelFacts, problem: Problem, gpu: Gpu | None) -> Tile | None:
    """None where the shape of the kernel's product can't be told from the tensors: the output is not the product's
    (it is reduced, or another kernel's), or an edge is too short for T.gemm."""
    flops = kernel.matmul_flops or kernel.flops
    output = max(facts.outputs, key=lambda tensor: tensor.bytes, default=None)
    if gpu is None or output is None or len(output.shape) < 2 or not flops or not math.prod(output.shape):
        return None
    shape = output.shape
    product = _convolution(facts, shape, flops) if is_convolution(problem) else _matmul(facts, shape, flops)
    if product is None or min(product.rows, product.columns, product.depth) < _LEAST_EDGE:
        return None
    return _largest(product, gpu, 4 if problem.precision == "fp32" else 2)


def _matmul(facts: Facts, shape: tuple[int, ...], flops: float) -> _Product | None:
    depth = round(flops / (2.0 * math.prod(shape)))
    edges = {edge for tensor in (*facts.inputs, *facts.parameters) for edge in tensor.shape}
    if not any(0.8 * edge <= depth <= 1.25 * edge for edge in edges):
        return None
    return _Product(math.prod(shape[:-2]), shape[-2], shape[-1], depth)


def _convolution(facts: Facts, shape: tuple[int, ...], flops: float) -> _Product | None:
    """Held against a weight of (output, input) or (input, output) channels before the taps."""
    channels, positions = shape[1], math.prod(shape[2:])
    given = facts.inputs[0].shape if facts.inputs else ()
    if len(given) != len(shape) or len(shape) < 3:
        return None
    weights = [t.shape for t in facts.parameters if len(t.shape) == len(shape)]
    taps = next((math.prod(w[2:]) for w in weights if {w[0], w[1]} == {channels, given[1]}), None)
    if taps is None or flops > 4.0 * math.prod(shape) * given[1] * taps:
        return None  # grouped, or the output is smaller than the convolution's: it is pooled
    patches = given[1] < _LEAST_EDGE
    turned = channels < _WARPGROUP_ROWS
    rows, columns = (positions, channels) if turned else (channels, positions)
    return _Product(shape[0], rows, columns, given[1] * (taps if patches else 1), patches, turned)


def _largest(product: _Product, gpu: Gpu, value_bytes: int) -> Tile:
    """Of the usual tiles, cut down to the product's edges; the smallest where none fills the
    multiprocessors."""
    for edges in _EDGES:
        block_m = min(edges[0], _power_of_two(product.rows))
        block_n = min(edges[1], _power_of_two(product.columns))
        blocks = product.batches * math.ceil(product.rows / block_m) * math.ceil(product.columns / block_n)
        if blocks >= FILLED * gpu.sms:
            break
    block_k = min(_ROW_BYTES // value_bytes, _power_of_two(product.depth))
    fitting = gpu.shared_bytes_per_block // ((block_m + block_n) * block_k * value_bytes)
    stages = max(1, min(_STAGES, fitting))
    threads = 256 if block_m * block_n > _VALUES_OF_A_WARPGROUP else 128
    return Tile(block_m, block_n, block_k, stages, threads, blocks, product.patches, product.positions_first)


def _power_of_two(extent: int) -> int:
    """The least that holds the extent."""
    return 1 << (extent - 1).bit_length()
