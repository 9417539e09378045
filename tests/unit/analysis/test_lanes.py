"""How far apart neighbouring threads are is read of the source."""

from __future__ import annotations

import pytest
from analysis_facts import elementwise_kernel, facts, tensor

from tilewright.analysis.lanes import Strided, strided_access
from tilewright.analysis.source import read_source

KERNEL = """
import tilelang.language as T

def factory(rows, length, per_thread=8, threads=128):
    @T.prim_func
    def scale(X: T.Tensor((rows, length), "float16"), Y: T.Tensor((rows, length), "float16")):
        with T.Kernel(rows, threads=threads) as bx:
            tx = T.get_thread_binding(0)
            row = bx * threads + tx
            start = tx * per_thread
            for {loop}:
                Y[0, 0] += X[{index}]
    return scale
"""


def read(index: str, loop: str = "j in T.serial(length)") -> Strided | None:
    source = read_source(KERNEL.format(index=index, loop=loop))
    assert source is not None
    shape = tensor(512, 4000)
    return strided_access(source, source.kernels[0], facts([elementwise_kernel()], inputs=(shape,), outputs=(shape,)))


@pytest.mark.parametrize(
    ("index", "stride", "moving"),
    [
        ("row, j", "4000", "row"),
        ("row % rows, j", "4000", "row % rows"),
        ("bx, start + j", "8", "start + j"),
        ("bx, j + tx * (length // per_thread)", "500", "j + tx * (length // per_thread)"),
        ("bx, j + tx * other", "other", "j + tx * other"),
    ],
)
def test_the_stride_follows_names_shapes_and_sizes(index: str, stride: str, moving: str) -> None:
    found = read(index)
    assert found is not None and (found.stride, found.moving) == (stride, moving)


@pytest.mark.parametrize("index", ["bx, j * threads + tx", "bx, j", "tx // 32, j", "f(tx), j", "row, tx"])
def test_neighbours_side_by_side_and_what_cannot_be_told_are_left_alone(index: str) -> None:
    assert read(index) is None


def test_a_parallel_loops_last_variable_follows_the_thread() -> None:
    found = read("j, i", "i, j in T.Parallel(8, 512)")
    assert found is not None and (found.stride, found.moving, found.last) == ("4000", "j", "i")
    assert read("i, j", "i, j in T.Parallel(8, 512)") is None


def test_a_loops_variable_is_not_the_threads_of_the_same_name() -> None:
    assert read("row, bx", "row in T.serial(rows)") is None
