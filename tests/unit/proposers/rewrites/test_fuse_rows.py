import ast

import pytest

from tilewright.proposers.rewrites.fuse_rows import rewrite

torch = pytest.importorskip("torch")

# Mean, then the centred elements and their squares' sum, then a division: a thread a row, a block a row, flat tiles.
SOURCE = """
import tilelang
import tilelang.language as T
import torch
import torch.nn as nn


@tilelang.jit(out_idx=[-1])
def mean(m, n, threads=32):
    @T.prim_func
    def kernel(X: T.Tensor((m, n), "float16"), M: T.Tensor((m,), "float32")):
        with T.Kernel(T.ceildiv(m, threads), threads=threads) as bx:
            tx = T.get_thread_binding(0)
            s = T.alloc_local((1,), "float32")
            r = bx * threads + tx
            if r < m:
                s[0] = 0.0
                for c in T.serial(n):
                    s[0] += X[r, c]
                M[r] = s[0] / n

    return kernel


@tilelang.jit(out_idx=[-2, -1])
def centre(rows, cols, eps):
    @T.prim_func
    def kernel(X: T.Tensor((rows, cols), "float16"), M: T.Tensor((rows,), "float32"),
               C: T.Tensor((rows, cols), "float32"), S: T.Tensor((rows,), "float32")):
        with T.Kernel(rows, threads=64) as r:
            tx = T.get_thread_binding(0)
            acc = T.alloc_local((1,), "float32")
            for k in T.serial(T.ceildiv(cols, 64)):
                if k * 64 + tx < cols:
                    C[r, k * 64 + tx] = X[r, k * 64 + tx] - M[r]
            if tx == 0:
                acc[0] = 0.0
                for c in T.serial(cols):
                    acc[0] += (X[r, c] - M[r]) * (X[r, c] - M[r])
                S[r] = T.sqrt(acc[0] + T.float32(eps))

    return kernel


@tilelang.jit(out_idx=[-1])
def divide(rows, cols, block=128):
    @T.prim_func
    def kernel(C: T.Tensor((rows, cols), "float32"), S: T.Tensor((rows,), "float32"),
               Y: T.Tensor((rows, cols), "float16")):
        with T.Kernel(T.ceildiv(cols, block), rows, threads=128) as (bx, r):
            for j in T.Parallel(block):
                if bx * block + j < cols:
                    Y[r, bx * block + j] = C[r, bx * block + j] / S[r]

    return kernel


class ModelNew(nn.Module):
    def __init__(self):
        super().__init__()
        self.kernels = {}

    def forward(self, x):
        b, d = x.shape
        if b not in self.kernels:
            self.kernels[b] = (mean(b, d), centre(b, d, 1e-3), divide(b, d))
        mean_kernel, centre_kernel, divide_kernel = self.kernels[b]
        m = mean_kernel(x)
        c, s = centre_kernel(x, m)
        return divide_kernel(c, s)
"""


def test_kernels_on_the_same_rows_become_one(run):
    (found,) = rewrite(SOURCE.replace("cols, eps)", "cols, eps=1e-3)").replace("(b, d, 1e-3)", "(b, d)"))
    functions = [node.name for node in ast.parse(found.source).body if isinstance(node, ast.FunctionDef)]
    assert functions == ["divide"]
    assert "return divide_kernel(x)" in found.source
    torch.manual_seed(0)
    x = torch.randn(5, 300, dtype=torch.float16)
    centred = x.double() - x.double().mean(1, keepdim=True)
    expected = (centred / (centred.square().sum(1, keepdim=True) + 1e-3).sqrt()).half()
    torch.testing.assert_close(run(found.source, x), expected, rtol=2e-3, atol=1e-5)


@pytest.mark.parametrize(
    ("old", "new", "gone"),
    [
        ("return divide_kernel(c, s)", "return divide_kernel(c, s) + c", "centre"),
        ("m = mean_kernel(x)", "m = mean_kernel(x * 2)", ""),
        ("c, s = centre_kernel(x, m)", "x = x + 1\n        c, s = centre_kernel(x, m)", "mean"),
        ("(mean(b, d),", "(mean(d, b),", "mean"),
        ("C[r, bx * block + j] / S[r]", "C[r, cols - 1 - bx * block - j] / S[r]", ""),
    ],
)
def test_what_is_used_elsewhere_or_differs_stays_apart(run, old, new, gone):
    changed = SOURCE.replace(old, new)
    assert changed != SOURCE
    for result in rewrite(changed):
        assert not gone or f"def {gone}(" in result.source
