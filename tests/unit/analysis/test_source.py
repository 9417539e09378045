"""What is read of a candidate's source without running it."""

from __future__ import annotations

import pytest

from tilewright.analysis import torchops
from tilewright.analysis.source import KernelSource, read_source

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


BODY = """
import tilelang.language as T

def factory(n, width=128):
    @T.prim_func
    def kernel(X: T.Tensor((n,), "float16"), Y: T.Tensor((n,), "float16")):
        with T.Kernel(n, threads=128) as bx:
            tx = T.get_thread_binding(0)
            tile = T.alloc_shared((128, width), "float32")
            acc = T.alloc_local((1,), "float32")
{body}
    return kernel
"""


def kernel_with(*lines: str) -> KernelSource:
    source = read_source(BODY.format(body="\n".join(f"            {line}" for line in lines)))
    assert source is not None
    return source.kernels[0]


@pytest.mark.parametrize(
    ("lines", "reduces"),
    [
        (["for i in T.Parallel(n):", "    Y[i] = X[i] * 2"], False),
        (["for i in T.serial(n):", "    Y[i] = X[i] + Y[i]"], False),
        (["for i in T.serial(n):", "    acc[0] += X[i]"], True),
        (["for i in range(n):", "    acc[0] = T.max(acc[0], X[i])"], True),
        (["T.reduce_sum(tile, acc, dim=1)"], True),
        (["T.atomic_add(Y[0], acc[0])"], True),
    ],
)
def test_a_kernel_that_combines_elements_is_told_from_one_that_does_not(lines: list[str], reduces: bool) -> None:
    assert kernel_with(*lines).reduces is reduces


def test_reductions_in_loops_are_those_of_the_block_not_those_behind_the_loop() -> None:
    looped = kernel_with(
        "for k in T.serial(n):", "    T.reduce_max(tile, acc, dim=1)", "T.reduce_sum(tile, acc, dim=1)"
    )
    assert looped.reductions_in_loops == (12,)
    product = kernel_with("for k in T.Pipelined(n):", "    T.gemm(tile, tile, acc)", "    T.reduce_max(tile, acc)")
    assert product.reductions_in_loops == ()


def test_a_shared_buffer_indexed_by_thread_in_its_rows_conflicts_as_often_as_its_loops_run() -> None:
    (conflict,) = kernel_with(
        "for i in T.serial(4):", "    for j in range(8):", "        Y[0] = tile[tx, i + j]"
    ).conflicts
    assert (conflict.line, conflict.buffer, conflict.times) == (13, "tile", 32)
    assert kernel_with("for j in T.serial(n):", "    Y[0] = tile[tx + 1, j]").conflicts[0].times is None
    assert kernel_with("Y[0] = tile[0, tx]").conflicts == ()


@pytest.mark.parametrize(
    ("allocated", "dtype"),
    [
        ('"float32"', "float32"),
        ("T.float16", "float16"),
        ("accum", "float64"),
        ("dtype", ""),
        ('dtype="bfloat16"', "bfloat16"),
    ],
)
def test_the_types_of_a_products_operands_are_read_through_names(allocated: str, dtype: str) -> None:
    text = SOURCE.replace(
        'A_s = T.alloc_shared((block_M, 32), "float16")', f"A_s = T.alloc_shared((block_M, 32), {allocated})"
    )
    source = read_source(text)
    assert source is not None and source.kernels[0].operand_dtypes == (dtype, dtype)
