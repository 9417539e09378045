"""What TileLang sets inside a loop or a condition, though the source sets it before."""

from __future__ import annotations

from typing import Any

import pytest
import tilelang  # noqa: F401
import tilelang.language as T
from sample_candidates import PROBLEM
from tvm import tirx

from tilewright.hardware import load_gpu
from tilewright.records import Candidate, Rejected
from tilewright.toolchain.facts import gather
from tilewright.toolchain.lower import lower
from tilewright.toolchain.moved import Moved, moved

N = 256
TILE = 64
STEP = 32
STEPS = N // STEP
WITHOUT_WARPS_FOR_COPIES = {"tl.disable_warp_specialized": True}


@T.macro
def multiplied(A, B, a, b, acc, bx, by, steps):
    for k in T.Pipelined(steps, num_stages=2):
        T.copy(A[by * TILE, k * STEP], a)
        T.copy(B[k * STEP, bx * TILE], b)
        T.gemm(a, b, acc)


def kernel(work: Any) -> tirx.PrimFunc:
    """A tile product; `work(A, B, C, a, b, acc, bx, by)` says what a block does with its buffers."""

    @T.prim_func
    def product(A: T.Tensor((N, N), "float16"), B: T.Tensor((N, N), "float16"), C: T.Tensor((N, N), "float32")):
        with T.Kernel(N // TILE, N // TILE, threads=128) as (bx, by):
            a = T.alloc_shared((TILE, STEP), "float16")
            b = T.alloc_shared((STEP, TILE), "float16")
            acc = T.alloc_fragment((TILE, TILE), "float32")
            work(A, B, C, a, b, acc, bx, by)

    return product


@T.macro
def before_a_condition(A, B, C, a, b, acc, bx, by):
    T.clear(acc)
    if bx > 1:
        multiplied(A, B, a, b, acc, bx, by, STEPS)
    T.copy(acc, C[by * TILE, bx * TILE])


@T.macro
def loaded_before_a_condition(A, B, C, a, b, acc, bx, by):
    T.copy(C[by * TILE, bx * TILE], acc)
    if bx > 1:
        multiplied(A, B, a, b, acc, bx, by, STEPS)
    else:
        for i, j in T.Parallel(TILE, TILE):
            acc[i, j] += 1.0
    T.copy(acc, C[by * TILE, bx * TILE])


@T.macro
def before_nine_passes(A, B, C, a, b, acc, bx, by):
    T.clear(acc)
    for _tap in T.serial(9):
        multiplied(A, B, a, b, acc, bx, by, STEPS)
    T.copy(acc, C[by * TILE, bx * TILE])


@T.macro
def before_nine_passes_of_which_one_counts(A, B, C, a, b, acc, bx, by):
    T.clear(acc)
    for _tap in T.serial(9):
        if by == _tap:
            multiplied(A, B, a, b, acc, bx, by, STEPS)
    T.copy(acc, C[by * TILE, bx * TILE])


@T.macro
def before_some_passes(A, B, C, a, b, acc, bx, by):
    T.clear(acc)
    for _tap in T.serial(by):
        multiplied(A, B, a, b, acc, bx, by, STEPS)
    T.copy(acc, C[by * TILE, bx * TILE])


@T.macro
def before_the_loop_alone(A, B, C, a, b, acc, bx, by):
    T.clear(acc)
    multiplied(A, B, a, b, acc, bx, by, STEPS)
    T.copy(acc, C[by * TILE, bx * TILE])


@T.macro
def read_in_the_condition_only(A, B, C, a, b, acc, bx, by):
    T.clear(acc)
    if bx > 1:
        multiplied(A, B, a, b, acc, bx, by, STEPS)
        T.copy(acc, C[by * TILE, bx * TILE])


@T.macro
def set_in_both_ways(A, B, C, a, b, acc, bx, by):
    T.clear(acc)
    if bx > 1:
        multiplied(A, B, a, b, acc, bx, by, STEPS)
    else:
        T.fill(acc, 1.0)
    T.copy(acc, C[by * TILE, bx * TILE])


@T.macro
def set_in_each_pass(A, B, C, a, b, acc, bx, by):
    T.clear(acc)
    for _tap in T.serial(9):
        T.clear(acc)
        multiplied(A, B, a, b, acc, bx, by, STEPS)
    T.copy(acc, C[by * TILE, bx * TILE])


@T.macro
def held_through_all_passes(A, B, C, a, b, acc, bx, by):
    factors = T.alloc_fragment((TILE,), "float32")
    T.fill(factors, 2.0)
    for _tap in T.serial(9):
        T.clear(acc)
        multiplied(A, B, a, b, acc, bx, by, STEPS)
        for i, j in T.Parallel(TILE, TILE):
            acc[i, j] *= factors[i]
        T.copy(acc, C[by * TILE, bx * TILE])


@T.macro
def product_that_starts_anew(A, B, C, a, b, acc, bx, by):
    T.clear(acc)
    for _tap in T.serial(9):
        for k in T.Pipelined(STEPS, num_stages=2):
            T.copy(A[by * TILE, k * STEP], a)
            T.copy(B[k * STEP, bx * TILE], b)
            T.gemm(a, b, acc, clear_accum=(k == 0))
    T.copy(acc, C[by * TILE, bx * TILE])


@T.macro
def condition_as_length(A, B, C, a, b, acc, bx, by):
    T.clear(acc)
    multiplied(A, B, a, b, acc, bx, by, T.if_then_else(bx > 1, STEPS, 0))
    T.copy(acc, C[by * TILE, bx * TILE])


TRIPS = [
    (before_a_condition, "", False),
    (loaded_before_a_condition, "", False),
    (before_nine_passes, "_tap", True),
    (before_nine_passes_of_which_one_counts, "_tap", False),
    (before_some_passes, "_tap", False),
]
SPARES = [
    before_the_loop_alone,
    read_in_the_condition_only,
    set_in_both_ways,
    set_in_each_pass,
    held_through_all_passes,
    product_that_starts_anew,
    condition_as_length,
]


def found(work: Any, gpu: str = "H100", **config: Any) -> list[Moved]:
    function = kernel(work)
    return moved(function, lower(function, load_gpu(gpu), **config).source)


@pytest.mark.parametrize(("work", "loop", "certain"), TRIPS, ids=lambda value: getattr(value, "__name__", None))
def test_what_is_set_too_late_is_found(work: Any, loop: str, certain: bool) -> None:
    assert found(work) == [Moved("acc", loop, certain)]


@pytest.mark.parametrize("work", SPARES)
def test_what_is_moved_without_harm_is_left_alone(work: Any) -> None:
    assert found(work) == []


def test_without_warps_for_copies_nothing_is_moved() -> None:
    assert found(before_nine_passes, "A100") == []
    assert found(before_nine_passes, pass_configs=WITHOUT_WARPS_FOR_COPIES) == []
    assert found(before_nine_passes, "B200") == found(before_nine_passes)


MODULE = """
import tilelang
import tilelang.language as T
from torch import nn


@tilelang.jit(out_idx=[-1])
def factory(n=64, k=128):
    @T.prim_func
    def product(A: T.Tensor((n, k), "float16"), B: T.Tensor((k, k), "float16"), C: T.Tensor((n, k), "float16")):
        with T.Kernel(k // 64, n // 64, threads=128) as (bx, by):
            a = T.alloc_shared((64, 32), "float16")
            b = T.alloc_shared((32, 64), "float16")
            acc = T.alloc_fragment((64, 64), "float32")
            T.clear(acc)
            {around}
                for i in T.Pipelined(k // 32, num_stages=2):
                    T.copy(A[by * 64, i * 32], a)
                    T.copy(B[i * 32, bx * 64], b)
                    T.gemm(a, b, acc)
            T.copy(acc, C[by * 64, bx * 64])

    return product


class ModelNew(nn.Module):
    def __init__(self, factor):
        super().__init__()
        self.linear = nn.Linear(128, 128)
        self.kernel = factory()

    def forward(self, x):
        return self.kernel(x, self.linear.weight)
"""


def test_a_candidate_that_loses_its_passes_is_rejected_and_keeps_its_facts() -> None:
    evidence, failure = gather(Candidate(MODULE.format(around="for tap in T.serial(3):")), PROBLEM, "H100", 60)
    assert isinstance(failure, Rejected) and failure.gate == "compile" and evidence.facts
    (reason,) = failure.reasons
    assert reason.rule == "moved-initialisation" and reason.line == 10
    assert "in each pass of the loop over tap" in reason.message and "tl.disable_warp_specialized" in reason.action


def test_a_candidate_that_may_read_what_was_never_set_is_warned_of() -> None:
    evidence, failure = gather(Candidate(MODULE.format(around="if bx > 0:")), PROBLEM, "H100", 60)
    assert failure is None
    (reason,) = (one for one in evidence.warnings if one.rule == "moved-initialisation")
    assert "inside the condition" in reason.message and "T.if_then_else" in reason.action
