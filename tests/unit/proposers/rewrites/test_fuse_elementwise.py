import pytest

from tilewright.proposers.rewrites.fuse_elementwise import rewrite

torch = pytest.importorskip("torch")

SOURCE = """
import tilelang
import tilelang.language as T
import torch
import torch.nn as nn


@tilelang.jit(out_idx=[-1])
def row_sums(rows, n, threads=32):
    @T.prim_func
    def kernel(X: T.Tensor((rows, n), "float32"), S: T.Tensor((rows,), "float32")):
        with T.Kernel(T.ceildiv(rows, threads), threads=threads) as bx:
            tx = T.get_thread_binding(0)
            s = T.alloc_local((1,), "float32")
            r = bx * threads + tx
            if r < rows:
                s[0] = 0.0
                for c in T.serial(n):
                    s[0] += X[r, c]
                S[r] = s[0]

    return kernel


@tilelang.jit(out_idx=[-1])
def square(n, block=256):
    @T.prim_func
    def kernel(X: T.Tensor((n,), "float16"), Y: T.Tensor((n,), "float32")):
        with T.Kernel(T.ceildiv(n, block), threads=128) as bx:
            for i in T.Parallel(block):
                if bx * block + i < n:
                    Y[bx * block + i] = T.cast(X[bx * block + i], "float32") * T.cast(X[bx * block + i], "float32")

    return kernel


@tilelang.jit(out_idx=[-1])
def scale(n, factor, block=256):
    @T.prim_func
    def kernel(X: T.Tensor((n,), "float32"), Y: T.Tensor((n,), "float16")):
        with T.Kernel(T.ceildiv(n, block), threads=128) as bx:
            for i in T.Parallel(block):
                if bx * block + i < n:
                    Y[bx * block + i] = T.cast(X[bx * block + i] * factor, "float16")

    return kernel


class ModelNew(nn.Module):
    def __init__(self, factor):
        super().__init__()
        self.factor = factor
        self.kernels = {}

    def forward(self, x):
        rows, n = x.shape
        if rows not in self.kernels:
            self.kernels[rows] = (square(rows * n), row_sums(rows, n), scale(rows, self.factor))
        square_kernel, sum_kernel, scale_kernel = self.kernels[rows]
        y = square_kernel(x.view(-1)).view(rows, n)
        s = sum_kernel(y)
        return scale_kernel(s)
"""


def test_kernels_around_a_reduction_become_part_of_it(run):
    (found,) = rewrite(SOURCE)
    assert "def square(" not in found.source and "def scale(" not in found.source
    assert "self.kernels[rows] = row_sums(rows, n, scale_factor=self.factor)" in found.source
    torch.manual_seed(0)
    x = torch.randn(5, 40, dtype=torch.float16)
    expected = (x.float().square().sum(1) * 0.5).half()
    torch.testing.assert_close(run(found.source, x, init=(0.5,)), expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(
    ("old", "new", "left"),
    [
        ("return scale_kernel(s)", "return scale_kernel(s) + s", "scale"),
        ("y = square_kernel(x.view(-1))", "y = square_kernel(x.view(-1).abs())", ""),
        ("s = sum_kernel(y)", "s = sum_kernel(y) + y[:, 0]", "square"),
    ],
)
def test_a_result_that_is_used_elsewhere_stays(old, new, left):
    results = list(rewrite(SOURCE.replace(old, new)))
    assert not left or all(f"def {left}(" in result.source for result in results)


def test_a_kernel_that_moves_elements_is_left_alone():
    moved = SOURCE.replace("= T.cast(X[bx * block + i] * factor", "= T.cast(X[n - 1 - bx * block - i] * factor")
    assert all("def scale(" in result.source for result in rewrite(moved))
