"""What is read of a candidate's source without running it."""

from __future__ import annotations

import pytest

from tilewright.analysis import torchops
from tilewright.analysis.source import read_source

SOURCE = """\
import tilelang
import tilelang.language as T
import torch.nn as nn

BLOCK = 32


@tilelang.jit(out_idx=[-1])
def factory(M, N, K, block_M=2 * 64, threads=256, num_stages=2, accum="float64"):
    block_N = BLOCK * 2

    @T.prim_func
    def product(A: T.Tensor((M, K), "float16"), B: T.Tensor((K, N), "float16"), C: T.Tensor((M, N), "float16")):
        with T.Kernel(T.ceildiv(N, block_N), T.ceildiv(M, block_M), threads=threads) as (bx, by):
            A_s = T.alloc_shared((block_M, 32), "float16")
            acc = T.alloc_fragment((block_M, block_N), accum)
            tx = T.get_thread_binding(0)
            for k in T.Pipelined(K // 32, num_stages=num_stages):
                T.copy(A[by * block_M, k * 32], A_s)
                T.gemm(A_s, A_s, acc)
            if tx == 0:
                for i in T.serial(8):
                    C[by, i] = acc[i, 0]
                    T.atomic_add(C[by, 0], acc[i, 0] * 2)
            T.atomic_add(C[by, 0], acc)

    return product


@tilelang.jit
def eager(X):
    with T.Kernel(1) as b:
        X[0] = X[1]


def compiled(n):
    return tilelang.compile(factory(n, n, n))


class ModelNew(nn.Module):
    def forward(self, x):
        return x
"""


def test_kernels_are_found_in_factories_and_as_eager_functions() -> None:
    source = read_source(SOURCE)
    assert source is not None
    assert [kernel.name for kernel in source.kernels] == ["product", "eager"]
    assert source.factories == {"factory", "compiled"}
    assert source.forward is not None and source.forward.name == "forward"


def test_constants_and_defaults_are_followed() -> None:
    source = read_source(SOURCE)
    assert source is not None
    product, eager = source.kernels
    assert product.threads == 256 and product.matmul_tile == (128, 64)
    assert eager.threads == 128  # TileLang's default
    assert [(loop.kind, loop.stages, loop.has_gemm, loop.in_one_thread) for loop in product.loops] == [
        ("pipelined", 2, True, False),
        ("serial", None, False, True),
    ]


def test_lines_point_into_the_source() -> None:
    source = read_source(SOURCE)
    assert source is not None
    product = source.kernels[0]
    lines = SOURCE.splitlines()
    assert "T.Kernel(" in lines[product.launch_line - 1]
    assert [lines[line - 1].strip() for line in product.gemm_lines] == ["T.gemm(A_s, A_s, acc)"]
    assert [lines[line - 1].strip() for line in product.atomic_lines] == ["T.atomic_add(C[by, 0], acc[i, 0] * 2)"]
    assert "C[by, i]" in lines[product.access_lines[0] - 1]
    assert ["accum" in lines[line - 1] for line in source.fp64_lines] == [True]


def test_a_kernel_is_looked_up_by_line_then_by_name() -> None:
    source = read_source(SOURCE)
    assert source is not None
    product, eager = source.kernels
    assert source.kernel("main", product.line + 3) is product
    assert source.kernel("eager") is eager and source.kernel("eager_kernel") is eager
    assert source.kernel("other") is None


@pytest.mark.parametrize("text", ["def broken(", "x = 1\0", "(" * 5000])
def test_text_that_is_no_python_is_none(text: str) -> None:
    assert read_source(text) is None


@pytest.mark.parametrize("text", ["", "import torch", "ModelNew = 3", "class ModelNew: pass", "x: int = 3"])
def test_python_without_kernels_has_none(text: str) -> None:
    source = read_source(text)
    assert source is not None and source.kernels == () and source.forward is None


@pytest.mark.parametrize(
    ("op", "name"),
    [
        ("aten.add.Tensor", "add"),
        ("aten::add_", "add"),
        ("torch.ops.aten.mm.default", "mm"),
        ("_to_copy", "_to_copy"),
    ],
)
def test_operations_have_one_name_however_they_are_spelled(op: str, name: str) -> None:
    assert torchops.base_name(op) == name


def test_views_and_allocations_start_no_kernel() -> None:
    ops = [("aten.view.default", 3), ("aten.add.Tensor", 2), ("aten::empty", 1), ("aten.mm.default", 1)]
    assert torchops.launching(ops) == [("add", 2), ("mm", 1)]
    assert torchops.counted(ops, torchops.HEAVY) == [("mm", 1)]
    assert torchops.named([("add", 2), ("mm", 1)]) == "add x2, mm"
