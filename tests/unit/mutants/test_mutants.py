"""Mutants: each has one bug in one place, and is otherwise the kernel that it was made from."""

from __future__ import annotations

import ast
import difflib
from pathlib import Path

import pytest

from tilewright.kernelfile import corpus_root, load_kernel
from tilewright.mutants import BUGS, Mutant, mutants

KERNELS = sorted(path for path in corpus_root().glob("level*/*.py") if path.stem.count("_") == 1)

MATMUL = """
import tilelang
import tilelang.language as T
import torch.nn as nn


@tilelang.jit(out_idx=[-1])
def linear(M, N, K, block_M=128, block_N=64, block_K=32):
    @T.prim_func
    def kernel(
        A: T.Tensor((M, K), "float16"),
        B: T.Tensor((N, K), "float16"),
        bias: T.Tensor((N,), "float16"),
        C: T.Tensor((M, N), "float16"),
    ):
        with T.Kernel(T.ceildiv(N, block_N), T.ceildiv(M, block_M), threads=128) as (bx, by):
            A_shared = T.alloc_shared((block_M, block_K), "float16")
            B_shared = T.alloc_shared((block_N, block_K), "float16")
            acc = T.alloc_fragment((block_M, block_N), "float32")
            T.clear(acc)
            for k in T.Pipelined(T.ceildiv(K, block_K), num_stages=2):
                T.copy(A[by * block_M, k * block_K], A_shared)
                T.copy(B[bx * block_N, k * block_K], B_shared)
                T.gemm(A_shared, B_shared, acc, transpose_B=True)
            for i, j in T.Parallel(block_M, block_N):
                acc[i, j] = T.max((acc[i, j] + bias[bx * block_N + j]) * 0.5, 0)
            T.copy(acc, C[by * block_M, bx * block_N])

    return kernel


class ModelNew(nn.Module):
    def __init__(self, k, n):
        super().__init__()
        self.linear = nn.Linear(k, n)

    def forward(self, x):
        M, K = x.shape
        N = self.linear.weight.shape[0]
        return linear(M, N, K)(x, self.linear.weight, self.linear.bias)
"""

ROWS = """
import tilelang.language as T
import tilelang


@tilelang.jit(out_idx=[-1])
def rows(M, N, threads=128):
    @T.prim_func
    def kernel(X: T.Tensor((M, N), "float32"), Y: T.Tensor((M,), "float32")):
        with T.Kernel(M, threads=threads) as row:
            tx = T.get_thread_binding(0)
            best = T.alloc_local((1,), "float32")
            total = T.alloc_fragment((1,), "float32")
            tile = T.alloc_fragment((1, threads), "float32")
            T.fill(total, -T.infinity("float32"))
            best[0] = 0.0
            for k in T.serial(N // threads):
                column = k * threads + tx
                if column >= 0 and column < N:
                    best[0] += T.exp(-X[row, column])
                T.reduce_max(tile, total, dim=1, clear=False)
            if tx == 0:
                T.atomic_add(Y[row // 2], T.if_then_else(best[0] > 0, best[0], total[0]))

    return kernel
"""


def found(source: str, bug: str) -> list[str]:
    """What a class of bugs does to a kernel: the lines that are new, in its order."""
    kept = source.splitlines()
    answers = []
    for mutant in mutants(source):
        if mutant.bug == bug:
            lines = difflib.ndiff(kept, mutant.source.splitlines())
            answers.append(" ".join(line[2:].strip() for line in lines if line.startswith("+ ")))
    return answers


@pytest.mark.parametrize("path", KERNELS, ids=lambda path: path.stem)
def test_a_mutant_of_a_shipped_kernel_is_python_with_its_entry_point_and_one_bug(path: Path) -> None:
    candidate = load_kernel(str(path)).candidate
    made = list(mutants(candidate.source))
    assert len(made) >= 15
    assert len({mutant.source for mutant in made} - {candidate.source}) == len(made)
    for mutant in made:
        classes = [node.name for node in ast.parse(mutant.source).body if isinstance(node, ast.ClassDef)]
        assert candidate.entry_point in classes
        assert near(candidate.source, mutant)


def near(source: str, mutant: Mutant) -> bool:
    """Whether all lines that differ belong to what begins at the mutant's line, or to the loop after it."""
    matcher = difflib.SequenceMatcher(None, source.splitlines(), mutant.source.splitlines(), autojunk=False)
    changed = [first + 1 for tag, first, *_ in matcher.get_opcodes() if tag != "equal"]
    return min(changed) >= mutant.line and max(changed) <= mutant.line + 12


def test_the_shipped_kernels_have_mutants_of_every_class() -> None:
    bugs = {mutant.bug for path in KERNELS for mutant in mutants(load_kernel(str(path)).candidate.source)}
    assert bugs == set(BUGS)


def test_mutants_come_in_the_same_order_each_time() -> None:
    assert list(mutants(MATMUL)) == list(mutants(MATMUL))


def test_a_file_without_kernels_has_only_mutants_of_its_module() -> None:
    source = "class Model:\n    def forward(self, x, y):\n        z = x * 2 + y\n        return f(x, y) + z\n"
    assert [mutant.bug for mutant in mutants(source)] == ["swapped arguments"]


@pytest.mark.parametrize(
    ("bug", "expected"),
    [
        ("loop ends early", "for k in T.Pipelined(T.ceildiv(K, block_K) - 1, num_stages=2):"),
        ("loop starts late", "for k in T.Pipelined(1, T.ceildiv(K, block_K), num_stages=2):"),
        ("floor for ceiling", "for k in T.Pipelined((K // block_K), num_stages=2):"),
        ("half of a parallel loop", "for i, j in T.Parallel(block_M, block_N // 2):"),
        ("wrong block index", "T.copy(A[bx * block_M, k * block_K], A_shared)"),
        ("offset not scaled", "T.copy(A[by, k * block_K], A_shared)"),
        ("offset missing", "T.copy(A[by * block_M, 0], A_shared)"),
        ("wrong stride", "T.copy(A[by * block_N, k * block_K], A_shared)"),
        ("swapped subscripts", "T.copy(acc, C[bx * block_N, by * block_M])"),
        ("next element", "acc[i, j] = T.max((acc[i, j] + bias[bx * block_N + j + 1]) * 0.5, 0)"),
        ("not cleared", "pass"),
        ("cleared inside the loop", "pass T.clear(acc)"),
        ("wrong initial value", "T.fill(acc, 1.0)"),
        ("accumulator overwritten", "T.gemm(A_shared, B_shared, acc, transpose_B=True, clear_accum=True)"),
        ("wrong operator", "acc[i, j] = T.max((acc[i, j] - bias[bx * block_N + j]) * 0.5, 0)"),
        ("wrong constant", "acc[i, j] = T.max((acc[i, j] + bias[bx * block_N + j]) * 0.25, 0)"),
        ("max for min", "acc[i, j] = T.min((acc[i, j] + bias[bx * block_N + j]) * 0.5, 0)"),
        ("forgotten term", "acc[i, j] = T.max((acc[i, j] + bias[bx * block_N + j]), 0)"),
        (
            "grid too small",
            "with T.Kernel(T.ceildiv(N, block_N) - 1, T.ceildiv(M, block_M), threads=128) as (bx, by):",
        ),
        ("block not written", "if by > 0: T.copy(acc, C[by * block_M, bx * block_N])"),
        ("tile not loaded", "pass"),
        ("wrong transpose", "T.gemm(A_shared, B_shared, acc, transpose_B=False)"),
        ("swapped factors", "T.gemm(B_shared, A_shared, acc, transpose_B=True)"),
        ("parameter ignored", "return linear(M, N, K)(x, self.linear.weight, (self.linear.bias * 0))"),
        ("wrong dimension", "N = self.linear.weight.shape[1]"),
        ("swapped arguments", "return linear(N, M, K)(x, self.linear.weight, self.linear.bias)"),
    ],
)
def test_a_matrix_product_can_have_this_bug(bug: str, expected: str) -> None:
    assert expected in found(MATMUL, bug)


@pytest.mark.parametrize(
    ("bug", "expected"),
    [
        ("wrong initial value", 'T.fill(total, T.infinity("float32"))'),
        ("accumulator overwritten", "best[0] = T.exp(-X[row, column])"),
        ("wrong reduction", "T.reduce_sum(tile, total, dim=1, clear=False)"),
        ("wrong axis of reduction", "T.reduce_max(tile, total, dim=0, clear=False)"),
        ("wrong clear of reduction", "T.reduce_max(tile, total, dim=1, clear=True)"),
        ("guard dropped", "if column >= 0 and True:"),
        ("guard too strict", "if column >= 0 and column < N - 1:"),
        ("guard includes the border", "if column >= 0 and column <= N:"),
        ("flipped comparison", "if column < 0 and column < N:"),
        ("swapped branches", "T.atomic_add(Y[row // 2], T.if_then_else(best[0] > 0, total[0], best[0]))"),
        ("lost sign", "best[0] += T.exp(X[row, column])"),
        ("wrong function", "best[0] += T.exp2(-X[row, column])"),
        ("remainder for quotient", "T.atomic_add(Y[row % 2], T.if_then_else(best[0] > 0, best[0], total[0]))"),
        ("shared by all threads", 'best = T.alloc_shared((1,), "float32")'),
        ("lost update", "Y[row // 2] = Y[row // 2] + T.if_then_else(best[0] > 0, best[0], total[0])"),
    ],
)
def test_a_reduction_over_rows_can_have_this_bug(bug: str, expected: str) -> None:
    assert expected in found(ROWS, bug)


def test_a_clear_that_the_product_does_itself_is_no_place_for_a_bug() -> None:
    source = MATMUL.replace("transpose_B=True)", "transpose_B=True, clear_accum=True)")
    assert not found(source, "not cleared")
    assert not found(source, "cleared inside the loop")


def test_that_one_thread_alone_works_is_no_place_for_a_bug() -> None:
    assert not [mutant for mutant in mutants(ROWS) if "if tx == 0:" not in mutant.source]


def test_indices_are_not_taken_for_arithmetic_nor_border_values_for_constants() -> None:
    changed = [line for bug in ("wrong operator", "forgotten term", "wrong constant") for line in found(ROWS, bug)]
    assert not any("column =" in line or "if column" in line for line in changed)
