"""Settings that can't work are named before anything is compiled; those that may are not."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from tilewright.hardware import load_gpu
from tilewright.source.feasibility import infeasible
from tilewright.source.knobs import find_knobs

CORPUS = Path(__file__).parents[3] / "src" / "prompts" / "correct_tilelang"

SOURCE = """
import tilelang
import tilelang.language as T


@tilelang.jit(out_idx=[-1])
def matmul(M, N, K, block_M=128, block_N=128, block_K=64, threads=256, num_stages=3, dtype="float16"):
    column_groups = block_N // 64

    @T.prim_func
    def kernel(A: T.Tensor((M, K), dtype), B: T.Tensor((K, N), dtype), C: T.Tensor((M, N), dtype)):
        with T.Kernel(T.ceildiv(N, block_N), T.ceildiv(M, block_M), threads=threads) as (bx, by):
            a = T.alloc_shared((block_M, block_K), dtype)
            b = T.alloc_shared((block_K, block_N), dtype)
            out = T.alloc_shared((block_M, block_N), dtype)
            c = T.alloc_fragment((block_M, block_N), T.float32)
            T.clear(c)
            for k in T.Pipelined(T.ceildiv(K, block_K), num_stages=num_stages):
                T.copy(A[by * block_M, k * block_K], a)
                T.copy(B[k * block_K, bx * block_N], b)
                T.gemm(a, b, c)
            T.copy(c, out)
            T.copy(out, C[by * block_M, bx * block_N])

    return kernel
"""


@dataclass(frozen=True)
class Gpu:
    shared_bytes_per_block: int


H100 = Gpu(232448)


def test_the_present_setting_and_its_neighbours_are_feasible():
    assert infeasible(SOURCE, {}, H100) is None
    for values in ({"block_M": 64}, {"threads": 512}, {"num_stages": 4}, {"block_N": 256}, {"num_stages": 0}):
        assert infeasible(SOURCE, values, H100) is None


def test_shared_memory_counts_each_stage_of_what_the_pipeline_fills():
    # (128 * 64 + 64 * 128) * 2 bytes, three times
    assert infeasible(SOURCE, {}, Gpu(3 * 32768)) is None
    message = infeasible(SOURCE, {"num_stages": 4}, Gpu(3 * 32768))
    assert message == "needs at least 131072 bytes of shared memory; a block has 98304"


def test_a_seed_that_does_not_fit_itself_does_not_excuse_others_that_do_not():
    assert infeasible(SOURCE, {"num_stages": 4}, Gpu(65536)) is not None
    assert infeasible(SOURCE, {"num_stages": 2}, Gpu(65536)) is None


def test_too_many_threads_and_broken_warps_are_named():
    assert infeasible(SOURCE, {"threads": 2048}, H100) == "2048 threads a block; a block has at most 1024"
    assert infeasible(SOURCE, {"threads": 100}, H100) == "100 threads a block are no whole number of warps of 32"


def test_an_accumulator_that_no_thread_can_hold_is_named():
    message = infeasible(SOURCE, {"block_N": 256, "block_M": 256}, H100)
    assert message == "c alone takes 256 registers of each of 256 threads; a thread has 255"


def test_a_product_that_warps_cannot_share_is_named():
    message = infeasible(SOURCE, {"block_M": 32, "block_N": 32, "threads": 512}, H100)
    assert message == "T.gemm into 32 x 32 can't be split among 16 warps of 16 x 8 tiles"


def test_work_that_no_longer_divides_is_named():
    assert infeasible(SOURCE, {"block_N": 32}, H100) == "32 // 64 on line 8 leaves a remainder"


def test_sizes_that_the_source_does_not_tell_are_no_reason():
    source = SOURCE.replace("(block_M, block_N), dtype)\n            c", "(M, N), dtype)\n            c")
    assert infeasible(source, {"block_M": 64}, Gpu(100000)) is None


@pytest.mark.parametrize("path", sorted(CORPUS.rglob("*.py")), ids=lambda path: path.stem)
def test_every_kernel_of_the_corpus_is_feasible_as_shipped(path: Path):
    source = path.read_text(encoding="utf-8")
    assert infeasible(source, {knob.name: knob.value for knob in find_knobs(source)}, load_gpu("H100")) is None
