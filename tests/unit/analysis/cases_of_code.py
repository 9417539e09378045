"""Cases for rules that read machine instructions. The counts are those of kernels compiled for an H100."""

from __future__ import annotations

from dataclasses import replace

from analysis_facts import elementwise_kernel, facts, gemm_facts, gemm_kernel, tensor

from tilewright.records import Facts, Instructions, KernelFacts, TensorAccess

ELEMENTWISE = """
import tilelang.language as T

def factory(n):
    @T.prim_func
    def scale_kernel(X: T.Tensor((n,), "float16"), Y: T.Tensor((n,), "float16")):
        with T.Kernel(n // 2048, threads=256) as bx:
            tx = T.get_thread_binding(0)
            value = {array}
            for i in T.Parallel(2048):
                value[i] = X[bx * 2048 + i]
            {work}
            T.copy(value, Y[bx * 2048])
    return scale_kernel
"""
NO_SOURCE = "class ModelNew: pass"
FRAGMENT = 'T.alloc_fragment((2048,), "float32")'
SCALED = ELEMENTWISE.format(array=FRAGMENT, work="T.clear(value)")
DIVIDED = ELEMENTWISE.format(array=FRAGMENT, work="value[0] = 1.0 / (1.0 + T.exp(value[0]))")
BY_HAND = ELEMENTWISE.format(array=FRAGMENT, work="T.sync_threads()")
OWN_ARRAY = ELEMENTWISE.format(array='T.alloc_local((32,), "float32")', work="T.clear(value)")


def kernel(code: Instructions, loop: Instructions | None = None, **more: object) -> KernelFacts:
    values = {"tile": 2048, "instructions": code, "loop_instructions": loop or Instructions(0), **more}
    return elementwise_kernel(**values)  # type: ignore[arg-type]


wide = ((128, 1),)
narrow = ((16, 8),)
sigmoid = Instructions(240, fp32=88, special=16, divisions=8, conversions=16, global_loads=wide, global_stores=wide)
heavy = Instructions(787, fp32=480, special=48, integer=80, global_loads=wide, global_stores=wide)
tanh = Instructions(217, fp32=128, special=16, conversions=12, global_loads=wide, global_stores=wide)
by_eight = Instructions(180, fp32=32, conversions=16, global_loads=narrow, global_stores=narrow)
by_128 = Instructions(41, fp32=8, conversions=12, global_loads=wide, global_stores=wide)
tree = Instructions(737, fp32=160, global_loads=((128, 4),), global_stores=((32, 1),), barriers=108)
local = Instructions(206, fp32=47, global_loads=narrow, global_stores=narrow, local_loads=24, local_stores=24)
in_loop = Instructions(138, fp32=16, global_loads=((16, 16),), local_loads=16, local_stores=16)
staging = Instructions(135, global_loads=((128, 4),), shared_stores=((128, 4),), shared_loads=((128, 5),), barriers=2)
exchanging = replace(staging, shared_stores=((32, 2),))
by_mma = Instructions(
    300, mma=64, global_loads=((128, 32),), shared_stores=((128, 32),), matrix_loads=32, barriers=16
)
by_wgmma = Instructions(208, wgmma=4, matrix_stores=8, tma_loads=8, tma_stores=2, barriers=3)

of_pairs = TensorAccess("C", "store", ((32, 64),), lines=(24,))
whole_rows = TensorAccess("C", "TMA store")


def short_product(access: TensorAccess, n: int = 16384, k: int = 32) -> Facts:
    """Writing is nearly all of it."""
    flops, moved = 2.0 * n * n * k, 2.0 * n * n + 2.0 * 128 * 128 * 2 * 128 * k
    one = gemm_kernel(n, stages=1, flops=flops, matmul_flops=flops, global_bytes=moved, serial_depth=1.0)
    one = replace(one, accesses=(access,), blocks_per_sm=2, asynchronous_copies=False)
    return gemm_facts(one, n, inputs=(tensor(n, k), tensor(k, n)), reference_flops=flops)


def rows(loop: Instructions, **more: object) -> Facts:
    """A loop of 64 steps over rows that lie in shared memory."""
    staged = {"serial_depth": 64.0, "shared_bytes": 16384, "grid": (512,), **more}
    return facts([kernel(replace(loop, total=loop.total + 40), loop, **staged)])


TRIPS = [
    ("narrow-accesses", "16 bits at a time", facts([kernel(by_eight)]), SCALED),
    ("accumulator-stored-directly", "pairs of a fragment", short_product(of_pairs), NO_SOURCE),
    ("local-arrays", "indexed at run time", facts([kernel(local, in_loop, stack_bytes=128)]), OWN_ARRAY),
    ("exact-divisions", "a sigmoid", facts([kernel(sigmoid)]), DIVIDED),
    ("special-functions", "six for each value", facts([kernel(heavy)]), DIVIDED),
    ("staged-through-registers", "a tile in each step", rows(staging), NO_SOURCE),
    ("barrier-chain", "a tree", facts([kernel(tree)]), BY_HAND),
    ("warp-level-products", "mma on Hopper", gemm_facts(gemm_kernel(instructions=by_mma)), NO_SOURCE),
]
SPARES = [
    ("narrow-accesses", "128 bits at a time", facts([kernel(by_128)]), SCALED),
    ("narrow-accesses", "scattered", facts([kernel(by_eight, coalescing=0.1)]), SCALED),
    ("narrow-accesses", "not disassembled", facts([elementwise_kernel()]), SCALED),
    ("accumulator-stored-directly", "whole rows", short_product(whole_rows), NO_SOURCE),
    ("local-arrays", "the compiler's own stack", facts([kernel(local, in_loop, stack_bytes=128)]), SCALED),
    ("local-arrays", "spills", facts([kernel(local, in_loop, stack_bytes=128, spill_bytes=64)]), OWN_ARRAY),
    ("exact-divisions", "products", facts([kernel(tanh)]), DIVIDED),
    ("special-functions", "two for each value", facts([kernel(tanh)]), DIVIDED),
    ("staged-through-registers", "a reduction's few values", rows(exchanging), NO_SOURCE),
    ("staged-through-registers", "asynchronous", rows(staging, asynchronous_copies=True), NO_SOURCE),
    ("barrier-chain", "TileLang's own", facts([kernel(tree)]), SCALED),
    ("barrier-chain", "two", facts([kernel(replace(tree, barriers=2))]), BY_HAND),
    ("warp-level-products", "wgmma", gemm_facts(gemm_kernel(instructions=by_wgmma)), NO_SOURCE),
    (
        "warp-level-products",
        "mma on Ampere",
        replace(gemm_facts(gemm_kernel(instructions=by_mma)), gpu="A100"),
        NO_SOURCE,
    ),
]
