"""Atomics and plain updates by many threads: how often they count, what they return, and in which order."""

from __future__ import annotations

from typing import Any

import pytest
import tilelang.language as T
import torch

from tilewright.hardware import load_gpu
from tilewright.interpreter import Fault, Report, Unsupported, run
from tilewright.toolchain.lower import lower

BLOCKS, THREADS = 4, 64
X = torch.randn(BLOCKS, THREADS, generator=torch.Generator().manual_seed(0))


def rules(report: Report) -> list[str]:
    return [problem.rule for problem in report.warnings]


def zeros(*shape: int) -> torch.Tensor:
    return torch.zeros(shape, dtype=torch.int32)


def block_sum(adding: str) -> Any:
    @T.prim_func
    def kernel(A: T.Tensor((BLOCKS, THREADS), "float32"), Y: T.Tensor((1,), "float32")):
        with T.Kernel(BLOCKS, threads=THREADS) as bx:
            row = T.alloc_fragment((THREADS,), "float32")
            total = T.alloc_fragment((1,), "float32")
            T.copy(A[bx, 0:THREADS], row)
            T.reduce_sum(row, total, dim=0)
            if adding == "bare":
                T.atomic_add(Y[0], total[0])
            elif adding == "guarded":
                if T.get_thread_binding() == 0:
                    T.atomic_add(Y[0], total[0])
            elif adding == "parallel":
                for i in T.Parallel(1):
                    T.atomic_add(Y[i], total[i])
            else:
                T.atomic_add(Y, total)

    return kernel


@pytest.mark.parametrize("adding", ["guarded", "parallel", "tile"])
def test_an_atomic_that_one_thread_of_each_block_reaches_counts_once(adding: str) -> None:
    total = torch.zeros(1)
    assert not rules(run(block_sum(adding), X, total))
    torch.testing.assert_close(total, X.sum().view(1))


def test_a_bare_atomic_counts_once_for_each_thread_and_is_reported() -> None:
    total = torch.zeros(1)
    report = run(block_sum("bare"), X, total)
    torch.testing.assert_close(total, THREADS * X.sum().view(1), rtol=1e-4, atol=1e-3)
    assert rules(report) == ["atomic-add-by-every-thread"]
    assert "executed by all 64 threads" in report.warnings[0].message
    assert "guard it" in report.warnings[0].message


@pytest.mark.parametrize(("adding", "once"), [("bare", False), ("guarded", True), ("parallel", True), ("tile", True)])
def test_what_tilelang_generates_repeats_the_same_atomics(adding: str, once: bool) -> None:
    source = lower(block_sum(adding), load_gpu("h100")).source
    assert ("threadIdx.x) == 0" in source) == once


def test_an_atomic_add_of_values_that_differ_between_threads_is_no_repetition() -> None:
    @T.prim_func
    def kernel(A: T.Tensor((BLOCKS, THREADS), "float32"), Y: T.Tensor((1,), "float32")):
        with T.Kernel(BLOCKS, threads=THREADS) as bx:
            T.atomic_add(Y[0], A[bx, T.get_thread_binding()])

    total = torch.zeros(1)
    assert not rules(run(kernel, X, total))
    torch.testing.assert_close(total, X.sum().view(1))


def row_sum(update: str) -> Any:
    threads = 32 if update == "one warp" else THREADS

    @T.prim_func
    def kernel(A: T.Tensor((BLOCKS, THREADS), "float32"), Y: T.Tensor((BLOCKS,), "float32")):
        with T.Kernel(BLOCKS, threads=threads) as bx:
            tx = T.get_thread_binding()
            held = T.alloc_shared((1,), "float32")
            held[0] = 0.0
            for i in T.serial(THREADS):
                if update == "guarded":
                    if tx == 0:
                        held[0] += A[bx, i]
                elif update == "the second warp":
                    if tx >= 32:
                        held[0] += A[bx, i]
                elif update == "maximum":
                    held[0] = T.max(held[0], A[bx, i])
                else:
                    held[0] += A[bx, i]
            Y[bx] = held[0]

    return kernel


def test_an_update_of_shared_memory_by_every_thread_is_reported() -> None:
    report = run(row_sum("bare"), X, torch.zeros(BLOCKS))
    assert rules(report) == ["update-by-every-thread"]
    assert "executed by all 64 threads" in report.warnings[0].message


@pytest.mark.parametrize("update", ["guarded", "the second warp", "one warp", "maximum"])
def test_an_update_by_one_warp_or_without_effect_the_second_time_is_fine(update: str) -> None:
    total = torch.zeros(BLOCKS)
    assert not rules(run(row_sum(update), X, total))
    torch.testing.assert_close(total, X.amax(1).clamp(min=0) if update == "maximum" else X.sum(1))


def test_a_bare_store_of_what_differs_between_threads_races() -> None:
    @T.prim_func
    def kernel(A: T.Tensor((BLOCKS, THREADS), "float32"), Y: T.Tensor((BLOCKS,), "float32")):
        with T.Kernel(BLOCKS, threads=THREADS) as bx:
            Y[bx] = A[bx, T.get_thread_binding()]

    with pytest.raises(Fault, match="every active thread of the block executes this: guard it"):
        run(kernel, X, torch.zeros(BLOCKS))


def test_iterations_of_a_parallel_loop_that_add_to_one_element_race_even_with_equal_values() -> None:
    @T.prim_func
    def kernel(Y: T.Tensor((BLOCKS,), "float32")):
        with T.Kernel(BLOCKS, threads=THREADS) as bx:
            for _i in T.Parallel(THREADS):
                Y[bx] += 1.0

    with pytest.raises(Fault, match="use T"):
        run(kernel, torch.zeros(BLOCKS))


def test_iterations_of_a_parallel_loop_that_add_to_elements_of_their_own_do_not_race() -> None:
    @T.prim_func
    def kernel(A: T.Tensor((BLOCKS, THREADS), "float32"), Y: T.Tensor((BLOCKS, THREADS), "float32")):
        with T.Kernel(BLOCKS, threads=THREADS) as bx:
            for i in T.Parallel(THREADS):
                place = THREADS - 1 - i
                Y[bx, place] += A[bx, place]

    total = torch.ones(BLOCKS, THREADS)
    assert not rules(run(kernel, X, total))
    torch.testing.assert_close(total, X + 1)


@pytest.mark.parametrize("at_once", [1 << 20, 1])
@pytest.mark.parametrize("order", ["acq_rel", None])
def test_the_block_that_takes_the_last_number_sees_all_parts(
    order: str | None, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tilewright.interpreter.launch.LANE_BUDGET", at_once)

    @T.prim_func
    def kernel(
        A: T.Tensor((BLOCKS, THREADS), "float32"),
        Parts: T.Tensor((BLOCKS,), "float32"),
        Taken: T.Tensor((1,), "int32"),
        Y: T.Tensor((1,), "float32"),
    ):
        with T.Kernel(BLOCKS, threads=THREADS) as bx:
            row = T.alloc_fragment((THREADS,), "float32")
            total = T.alloc_fragment((1,), "float32")
            number = T.alloc_shared((1,), "int32")
            T.copy(A[bx, 0:THREADS], row)
            T.reduce_sum(row, total, dim=0)
            if T.get_thread_binding() == 0:
                Parts[bx] = total[0]
                number[0] = T.atomic_add(Taken[0], 1, memory_order=order, return_prev=True)
            T.sync_threads()
            if number[0] == BLOCKS - 1 and T.get_thread_binding() == 0:
                Y[0] = Parts[0] + Parts[1] + Parts[2] + Parts[3]

    taken, y = zeros(1), torch.full((1,), torch.nan)
    report = run(kernel, X, torch.full((BLOCKS,), torch.nan), taken, y)
    torch.testing.assert_close(y, X.sum().view(1))
    assert taken.item() == BLOCKS
    assert rules(report) == ([] if order else ["read-of-another-blocks-write"])


def places(stored: str) -> Any:
    @T.prim_func
    def kernel(C: T.Tensor((4,), "int32"), B: T.Tensor((4, THREADS), "int32")):
        with T.Kernel(BLOCKS, threads=THREADS) as bx:
            tx = T.get_thread_binding()
            if tx % 2 == 1:
                place = T.atomic_add(C[tx % 4], 1, return_prev=True)
                if stored == "who came":
                    B[tx % 4, place] = bx * THREADS + tx
                else:
                    B[tx % 4, place] = place

    return kernel


def test_each_active_lane_finds_another_count() -> None:
    counts, found = zeros(4), zeros(4, THREADS) - 1
    assert not rules(run(places("the place"), counts, found))
    assert counts.tolist() == [0, THREADS, 0, THREADS]
    assert found[1].tolist() == found[3].tolist() == list(range(THREADS))
    assert found[0].eq(-1).all()


def test_an_atomic_that_no_lane_reaches_changes_nothing() -> None:
    @T.prim_func
    def kernel(A: T.Tensor((THREADS,), "float32"), C: T.Tensor((1,), "int32"), B: T.Tensor((THREADS,), "int32")):
        with T.Kernel(1, threads=THREADS) as _:
            tx = T.get_thread_binding()
            B[tx] = T.if_then_else(A[tx] > 0, T.atomic_add(C[0], 1, return_prev=True), 7)

    count, found = zeros(1), zeros(THREADS)
    run(kernel, -torch.ones(THREADS), count, found)
    assert count.item() == 0
    assert found.eq(7).all()


def test_a_result_that_shows_the_order_of_threads_is_reported() -> None:
    counts, found = zeros(4), zeros(4, THREADS) - 1
    report = run(places("who came"), counts, found)
    assert [(problem.rule, problem.buffer) for problem in report.warnings] == [("result-depends-on-order", "B")]
    assert sorted(found[1].tolist()) == [block * THREADS + tx for block in range(BLOCKS) for tx in range(1, 64, 4)]
    assert found[1].tolist() != sorted(found[1].tolist())


@pytest.mark.parametrize("kind", ["add", "max", "min"])
def test_what_is_found_is_what_those_before_left(kind: str) -> None:
    update = getattr(T, f"atomic_{kind}")

    @T.prim_func
    def kernel(A: T.Tensor((THREADS,), "float32"), M: T.Tensor((1,), "float32"), B: T.Tensor((THREADS,), "float32")):
        with T.Kernel(1, threads=THREADS) as _:
            tx = T.get_thread_binding()
            B[tx] = update(M[0], A[tx], memory_order="relaxed", return_prev=True)

    combine = {"add": torch.add, "max": torch.maximum, "min": torch.minimum}[kind]
    last, found = torch.full((1,), 0.25), torch.zeros(THREADS)
    run(kernel, X[0], last, found)
    left = combine(found, X[0])  # what each thread left must be what another found, or what is there at the end
    expected = torch.cat([left, torch.full((1,), 0.25)]).sort().values
    torch.testing.assert_close(torch.cat([found, last]).sort().values, expected)


@pytest.mark.parametrize("order", ["relaxed", "acquire", "release", "acq_rel", "seq_cst"])
def test_a_memory_order_changes_no_values(order: str) -> None:
    @T.prim_func
    def kernel(C: T.Tensor((5,), "int32"), Row: T.Tensor((THREADS,), "int32")):
        with T.Kernel(BLOCKS, threads=THREADS) as bx:
            tx = T.get_thread_binding()
            ones = T.alloc_fragment((THREADS,), "int32")
            T.fill(ones, 1)
            T.atomic_add(Row, ones, memory_order=order)
            T.atomic_add(C[0], tx, memory_order=order)
            T.atomic_max(C[1], bx + tx, memory_order=order)
            T.atomic_min(C[2], -tx, memory_order=order)
            T.atomic_or(C[3], 1 << bx, memory_order=order)
            T.atomic_min(C[4], -tx, memory_order=order, return_prev=True)

    counts, row = zeros(5), zeros(THREADS)
    assert not rules(run(kernel, counts, row))
    assert counts.tolist() == [BLOCKS * sum(range(THREADS)), BLOCKS + THREADS - 2, 1 - THREADS, 15, 1 - THREADS]
    assert row.eq(BLOCKS).all()


def test_an_update_that_would_be_evaluated_twice_is_not_checked() -> None:
    @T.prim_func
    def kernel(C: T.Tensor((1,), "int32"), B: T.Tensor((THREADS,), "int32")):
        with T.Kernel(1, threads=THREADS) as _:
            B[T.atomic_add(C[0], 1, return_prev=True)] = 1

    with pytest.raises(Unsupported, match="previous value"):
        run(kernel, zeros(1), zeros(THREADS))


def test_previous_values_are_not_checked_when_only_some_blocks_run() -> None:
    with pytest.raises(Unsupported, match="not all thread blocks"):
        run(places("the place"), zeros(4), zeros(4, THREADS), blocks=[0])
