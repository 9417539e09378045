"""Kernels with one typical mistake each, which must not pass, beside honest twins, which must.

"Not pass" means: a fault, or a result that differs from the reference (NaN where something was never written)."""

from pathlib import Path
from typing import Any

import pytest
import tilelang.language as T
import torch

from tilewright.interpreter import Fault, allocate_outputs, run

M, N, K, BLOCK = 96, 80, 72, 32


def gemm(bug: str = "") -> Any:
    steps = K // BLOCK if bug == "floor instead of ceildiv" else -(-K // BLOCK)
    width = BLOCK // 2 if bug == "partial write" else BLOCK

    @T.prim_func
    def kernel(A: T.Tensor((M, K), "float16"), B: T.Tensor((K, N), "float16"), C: T.Tensor((M, N), "float32")):
        with T.Kernel(T.ceildiv(N, BLOCK), T.ceildiv(M, BLOCK), threads=128) as (bx, by):
            a = T.alloc_shared((BLOCK, BLOCK), "float16")
            b = T.alloc_shared((BLOCK, BLOCK), "float16")
            c = T.alloc_fragment((BLOCK, BLOCK), "float32")
            if bug != "missing clear":
                T.clear(c)
            for ko in T.Pipelined(steps, num_stages=2):
                if bug == "off by one":
                    T.copy(A[by * BLOCK, ko * BLOCK + 1], a)
                else:
                    T.copy(A[by * BLOCK, ko * BLOCK], a)
                T.copy(B[ko * BLOCK, bx * BLOCK], b)
                if bug == "wrong transpose":
                    T.gemm(a, b, c, transpose_B=True)
                elif bug == "accumulator cleared in the loop":
                    T.gemm(a, b, c, clear_accum=True)
                else:
                    T.gemm(a, b, c)
            if bug == "swapped block indices":
                T.copy(c, C[bx * BLOCK, by * BLOCK])
            else:
                T.copy(c[0:BLOCK, 0:width], C[by * BLOCK, bx * BLOCK])

    return kernel


def row_sum(bug: str = "") -> Any:
    @T.prim_func
    def kernel(A: T.Tensor((M, K), "float32"), B: T.Tensor((M,), "float32")):
        with T.Kernel(M, threads=K) as row:
            tx = T.get_thread_binding()
            parts = T.alloc_shared((K,), "float32")
            total = T.alloc_local((1,), "float32")
            if bug == "every thread writes one element":
                parts[0] = A[row, tx]
            elif bug == "shared out of bounds":
                parts[tx + 1] = A[row, tx]
            else:
                parts[tx] = A[row, tx]
            if bug != "reduction without a start":
                total[0] = 0.0
            for i in T.serial(K + 1 if bug == "shared read out of bounds" else K):
                total[0] += parts[i]
            if bug == "each thread its own result":
                B[row] = total[0] + A[row, tx]
            else:
                B[row] = total[0]

    return kernel


def split_sum(bug: str = "") -> Any:
    """Each block adds its part to one vector."""

    @T.prim_func
    def kernel(A: T.Tensor((8, 64), "float32"), B: T.Tensor((64,), "float32")):
        with T.Kernel(8, threads=64) as bx:
            tx = T.get_thread_binding()
            if bug == "sum without an atomic":
                B[tx] += A[bx, tx]
            else:
                T.atomic_add(B[tx], A[bx, tx])

    return kernel


def shifted(bug: str = "") -> Any:
    """Blocks write 64 elements each; the bug makes neighbours overlap."""
    step = 63 if bug == "overlapping blocks" else 64

    @T.prim_func
    def kernel(A: T.Tensor((512,), "float32"), B: T.Tensor((512,), "float32")):
        with T.Kernel(8, threads=64) as bx:
            for i in T.Parallel(64):
                B[bx * step + i] = A[bx * 64 + i]

    return kernel


def softmax(bug: str = "") -> Any:
    @T.prim_func
    def kernel(A: T.Tensor((M, K), "float32"), B: T.Tensor((M, K), "float32")):
        with T.Kernel(M // 8, threads=128) as bx:
            a = T.alloc_fragment((8, K), "float32")
            largest = T.alloc_fragment((8,), "float32")
            total = T.alloc_fragment((8,), "float32")
            T.copy(A[bx * 8, 0], a)
            if bug == "wrong kind of reduction":
                T.reduce_min(a, largest, dim=1)
            elif bug == "reduction that is not cleared":
                T.reduce_max(a, largest, dim=1, clear=False)
            else:
                T.reduce_max(a, largest, dim=1)
            for i, j in T.Parallel(8, K):
                a[i, j] = T.exp((a[i, j] - largest[i]) * 60)
            T.reduce_sum(a, total, dim=1)
            for i, j in T.Parallel(8, K):
                if bug == "one column is forgotten":
                    if j < K - 1:
                        B[bx * 8 + i, j] = a[i, j] / total[i]
                else:
                    B[bx * 8 + i, j] = a[i, j] / total[i]

    return kernel


def passes(
    kernel: Any, inputs: list[torch.Tensor], expected: torch.Tensor, start: torch.Tensor | None = None
) -> bool:
    full = allocate_outputs(kernel, [-1], inputs) if start is None else [*inputs, start]
    try:
        run(kernel, *full)
    except Fault:
        return False
    return torch.allclose(full[-1], expected, atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize(
    "bug",
    [
        "missing clear",
        "floor instead of ceildiv",
        "swapped block indices",
        "off by one",
        "partial write",
        "wrong transpose",
        "accumulator cleared in the loop",
    ],
)
def test_a_matrix_product_with_a_mistake_does_not_pass(bug: str) -> None:
    a, b = torch.randn(M, K).half(), torch.randn(K, N).half()
    assert not passes(gemm(bug), [a, b], a.float() @ b.float())


def test_the_honest_matrix_product_passes() -> None:
    a, b = torch.randn(M, K).half(), torch.randn(K, N).half()
    assert passes(gemm(), [a, b], a.float() @ b.float())


@pytest.mark.parametrize(
    ("bug", "rule"),
    [
        ("every thread writes one element", "write-write-race"),
        ("each thread its own result", "write-write-race"),
        ("shared out of bounds", "local-out-of-bounds-write"),
        ("shared read out of bounds", "local-out-of-bounds-read"),
    ],
)
def test_a_certain_mistake_is_a_fault_that_names_rule_buffer_and_line(bug: str, rule: str) -> None:
    x, out = torch.randn(M, K), torch.full((M,), torch.nan)
    with pytest.raises(Fault) as caught:
        run(row_sum(bug), x, out)
    assert caught.value.rule == rule
    assert caught.value.line is not None
    source = Path(__file__).read_text().splitlines()[caught.value.line - 1]
    assert "parts[" in source or "B[row]" in source


def test_a_reduction_without_a_start_does_not_pass() -> None:
    x = torch.randn(M, K)
    assert not passes(row_sum("reduction without a start"), [x], x.sum(1))


def test_the_honest_row_sum_passes() -> None:
    x = torch.randn(M, K)
    assert passes(row_sum(), [x], x.sum(1))


def test_blocks_that_add_without_an_atomic_race() -> None:
    x = torch.randn(8, 64)
    with pytest.raises(Fault, match="different value"):
        run(split_sum("sum without an atomic"), x, torch.zeros(64))


def test_blocks_that_add_atomically_pass() -> None:
    x = torch.randn(8, 64)
    assert passes(split_sum(), [x], x.sum(0), start=torch.zeros(64))


def test_an_atomic_sum_into_memory_that_nobody_cleared_is_reported() -> None:
    report = run(split_sum(), torch.randn(8, 64), torch.full((64,), torch.nan))
    assert [problem.rule for problem in report.warnings] == ["uninitialised-atomic-target"]
    assert report.warnings[0].buffer == "B"


def test_blocks_whose_outputs_overlap_with_different_values_race() -> None:
    x, out = torch.randn(512), torch.full((512,), torch.nan)
    with pytest.raises(Fault) as caught:
        run(shifted("overlapping blocks"), x, out)
    assert caught.value.rule == "write-write-race"


def test_blocks_that_overlap_with_equal_values_do_not_race() -> None:
    run(shifted("overlapping blocks"), torch.ones(512), torch.full((512,), torch.nan))


def test_overlap_is_found_when_the_blocks_do_not_run_at_the_same_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tilewright.interpreter.launch.LANE_BUDGET", 1)
    with pytest.raises(Fault, match="another thread block"):
        run(shifted("overlapping blocks"), torch.randn(512), torch.full((512,), torch.nan))


@pytest.mark.parametrize(
    "bug", ["wrong kind of reduction", "reduction that is not cleared", "one column is forgotten"]
)
def test_a_softmax_with_a_mistake_does_not_pass(bug: str) -> None:
    x = torch.randn(M, K)
    assert not passes(softmax(bug), [x], (x * 60).softmax(1))


def test_the_honest_softmax_passes() -> None:
    x = torch.randn(M, K)
    assert passes(softmax(), [x], (x * 60).softmax(1))


def test_a_write_outside_a_tensor_is_dropped_and_reported() -> None:
    @T.prim_func
    def kernel(A: T.Tensor((50,), "float32"), B: T.Tensor((50,), "float32")):
        with T.Kernel(1, threads=64) as _:
            for i in T.Parallel(64):
                B[i] = A[i]

    x, out = torch.randn(50), torch.full((50,), torch.nan)
    report = run(kernel, x, out)
    assert torch.equal(out, x)
    assert [problem.rule for problem in report.warnings] == ["global-out-of-bounds-write-dropped"]
    assert report.warnings[0].line is not None


def test_reading_what_another_block_wrote_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tilewright.interpreter.launch.LANE_BUDGET", 1)

    @T.prim_func
    def kernel(A: T.Tensor((4, 64), "float32"), B: T.Tensor((4, 64), "float32")):
        with T.Kernel(4, threads=64) as bx:
            tx = T.get_thread_binding()
            A[bx, tx] = A[bx, tx] * 2.0
            if bx > 0:
                B[bx, tx] = A[bx - 1, tx]

    report = run(kernel, torch.randn(4, 64), torch.zeros(4, 64))
    assert [(problem.rule, problem.buffer) for problem in report.warnings] == [("read-of-another-blocks-write", "A")]


def test_a_block_that_reads_its_own_writes_is_not_reported() -> None:
    @T.prim_func
    def kernel(A: T.Tensor((4, 64), "float32")):
        with T.Kernel(4, threads=64) as bx:
            tx = T.get_thread_binding()
            A[bx, tx] = A[bx, tx] * 2.0
            A[bx, tx] = A[bx, tx] + 1.0

    x = torch.randn(4, 64)
    expected = x * 2 + 1
    assert run(kernel, x).warnings == ()
    torch.testing.assert_close(x, expected)


def test_a_fragment_that_two_iterations_write_differently_is_reported() -> None:
    @T.prim_func
    def kernel(A: T.Tensor((4, 64), "float32"), B: T.Tensor((4,), "float32")):
        with T.Kernel(1, threads=64) as _:
            last = T.alloc_fragment((4,), "float32")
            for i, j in T.Parallel(4, 64):
                last[i] = A[i, j]
            T.copy(last, B)

    report = run(kernel, torch.randn(4, 64), torch.zeros(4))
    assert [problem.rule for problem in report.warnings] == ["write-write-race"]
