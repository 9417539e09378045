"""Random index arithmetic against plain loops: whichever way an access takes, it must reach the same elements."""

import itertools
import random
from typing import Any

import pytest
import tilelang.language as T
import torch

from tilewright.interpreter import run

ROWS, COLUMNS = 40, 64


def element(c: list[int], *places: Any) -> Any:
    return sum((step * place for step, place in zip(c[1:], places)), start=c[0])


@pytest.mark.parametrize("seed", range(16))
def test_any_sum_of_block_thread_and_loop_numbers_is_the_same_address_as_in_plain_loops(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = random.Random(seed)
    gx, gy, tx_count, ty_count, k_count = rng.choice([1, 3]), rng.choice([1, 4]), 8, rng.choice([1, 4]), 3
    row = [rng.randint(-3, 5)] + [rng.choice([0, 1, 2, 8, -1]) for _ in range(5)]
    column = [rng.randint(-3, 5)] + [rng.choice([0, 1, 2, 8, -1]) for _ in range(5)]
    limit = rng.randint(1, tx_count * ty_count)
    size = gx * gy * tx_count * ty_count * k_count
    monkeypatch.setattr("tilewright.interpreter.launch.LANE_BUDGET", rng.choice([1, 200, 1 << 20]))

    def out(bx: Any, by: Any, tx: Any, ty: Any, k: Any) -> Any:
        return (((by * gx + bx) * ty_count + ty) * tx_count + tx) * k_count + k

    @T.prim_func
    def kernel(
        A: T.Tensor((ROWS, COLUMNS), "float32"),
        B: T.Tensor((size,), "float32"),
        Hits: T.Tensor((ROWS, COLUMNS), "float32"),
    ):
        with T.Kernel(gx, gy, threads=(tx_count, ty_count)) as (bx, by):
            tx = T.get_thread_binding(0)
            ty = T.get_thread_binding(1)
            for k in T.serial(k_count):
                i = element(row, bx, by, tx, ty, k)
                j = element(column, bx, by, tx, ty, k)
                if ty * tx_count + tx < limit:
                    B[out(bx, by, tx, ty, k)] = A[i, j]
                else:
                    B[out(bx, by, tx, ty, k)] = T.cast(tx + k, "float32")
                T.atomic_add(Hits[i, j], 1.0)

    a, b, hits = torch.randn(ROWS, COLUMNS), torch.full((size,), torch.nan), torch.zeros(ROWS, COLUMNS)
    run(kernel, a, b, hits, seed=seed % 2)
    expected, expected_hits = torch.zeros(size), torch.zeros(ROWS, COLUMNS)
    for bx, by, tx, ty, k in itertools.product(*map(range, (gx, gy, tx_count, ty_count, k_count))):
        i, j = element(row, bx, by, tx, ty, k), element(column, bx, by, tx, ty, k)
        inside = 0 <= i < ROWS and 0 <= j < COLUMNS
        if inside:
            expected_hits[i, j] += 1
        value = (a[i, j] if inside else 0.0) if ty * tx_count + tx < limit else float(tx + k)
        expected[out(bx, by, tx, ty, k)] = value
    assert torch.equal(b, expected)
    assert torch.equal(hits, expected_hits)


@pytest.mark.parametrize("seed", range(8))
def test_any_tile_in_a_parallel_loop_is_the_same_box_as_in_plain_loops(seed: int) -> None:
    rng = random.Random(100 + seed)
    gx, gy, rows, columns = rng.choice([1, 2, 5]), rng.choice([1, 3]), rng.choice([2, 8]), rng.choice([3, 8])
    row = [rng.randint(-2, 3)] + [rng.choice([0, 1, 4, 8]) for _ in range(4)]
    column = [rng.randint(-2, 3)] + [rng.choice([0, 1, 4, -1]) for _ in range(4)]
    wraps = rng.random() < 0.5  # through shared memory, where indices must stay inside

    @T.prim_func
    def kernel(A: T.Tensor((ROWS, COLUMNS), "float32"), B: T.Tensor((gy * rows, gx * columns), "float32")):
        with T.Kernel(gx, gy, threads=32) as (bx, by):
            s = T.alloc_shared((ROWS, COLUMNS), "float32")
            T.copy(A, s)
            for i, j in T.Parallel(rows, columns):
                if wraps:
                    B[by * rows + i, bx * columns + j] = s[
                        element(row, bx, by, i, j) % ROWS, element(column, bx, by, i, j) % COLUMNS
                    ]
                else:
                    B[by * rows + i, bx * columns + j] = A[element(row, bx, by, i, j), element(column, bx, by, i, j)]

    a, b = torch.randn(ROWS, COLUMNS), torch.full((gy * rows, gx * columns), torch.nan)
    run(kernel, a, b)
    for bx, by, i, j in itertools.product(range(gx), range(gy), range(rows), range(columns)):
        r, c = element(row, bx, by, i, j), element(column, bx, by, i, j)
        if wraps:
            expected = float(a[r % ROWS, c % COLUMNS])
        else:
            expected = float(a[r, c]) if 0 <= r < ROWS and 0 <= c < COLUMNS else 0.0
        assert float(b[by * rows + i, bx * columns + j]) == expected
