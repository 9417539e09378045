import pytest

from tilewright.proposers.rewrites.block_per_row import rewrite

torch = pytest.importorskip("torch")

# A thread for each row: the largest element is subtracted from all of them.
SHIFT = """
@tilelang.jit(out_idx=[-1])
def shift_rows(rows, width, threads=64):
    @T.prim_func
    def kernel(X: T.Tensor((rows, width), "float16"), Y: T.Tensor((rows, width), "float16")):
        with T.Kernel(T.ceildiv(rows, threads), threads=threads) as b:
            t = T.get_thread_binding(0)
            top = T.alloc_local((1,), "float32")
            r = b * threads + t
            if r < rows:
                top[0] = -T.infinity("float32")
                for c in T.serial(width):
                    top[0] = T.max(top[0], T.cast(X[r, c], "float32"))
                for c in T.serial(width):
                    Y[r, c] = T.cast(T.cast(X[r, c], "float32") - top[0], "float16")

    return kernel
"""

# One thread of the block sums while the others wait; the mean is the only output.
MEAN = """
@tilelang.jit(out_idx=[-1])
def mean_of_rows(rows, width, threads=32):
    @T.prim_func
    def kernel(X: T.Tensor((rows, width), "float16"), Y: T.Tensor((rows,), "float16")):
        with T.Kernel(rows, threads=threads) as row:
            lane = T.get_thread_binding(0)
            acc = T.alloc_local((1,), "float32")
            if lane == 0:
                acc[0] = 0.0
                for j in T.serial(width):
                    acc[0] += X[row, j]
                Y[row] = T.cast(acc[0] / width, "float16")

    return kernel
"""

SOMETIMES_ONE = "acc[0] = 0.0\n                if width > 4:\n                    acc[0] = 1.0"
AGAIN = "for j in T.serial(width):\n                    acc[0] += X[row, j]\n                Y[row] ="


def test_a_thread_for_each_row_becomes_a_block_for_each_row(module, run):
    source = module(SHIFT, "return shift_rows(*x[0].shape)(x[0])")
    (found,) = rewrite(source)
    assert "get_thread_binding" not in found.source
    assert "T.reduce_max(top_partial, top, dim=1)" in found.source
    assert "def shift_rows(rows, width, threads=256, block_M=1, block_N=2048):" in found.source
    x = torch.randn(5, 300, dtype=torch.float16)
    expected = (x.float() - x.float().amax(1, keepdim=True)).half()
    assert torch.equal(run(found.source, x), expected)


def test_one_thread_that_works_for_its_block_gets_help(module, run):
    source = module(MEAN, "return mean_of_rows(*x[0].shape)(x[0])")
    (found,) = rewrite(source)
    assert "T.reduce_sum(acc_partial, acc, dim=1)" in found.source
    x = torch.randn(3, 2100, dtype=torch.float16)
    torch.testing.assert_close(run(found.source, x), x.float().mean(1).half(), rtol=2e-3, atol=1e-4)


# As kernels of 2025 look after their migration: scalars that start where they are declared, built by a method.
NORM = """
import tilelang
import tilelang.language as T
import torch.nn as nn


class ModelNew(nn.Module):
    def __init__(self):
        super().__init__()

    def build(self, rows, width, threads=64, dtype="float16"):
        @T.prim_func
        def kernel(X: T.Tensor((rows, width), dtype), Y: T.Tensor((rows, width), dtype)):
            one = T.float32(1)
            with T.Kernel(T.ceildiv(rows, threads), threads=threads) as bx:
                row = bx * threads + T.get_thread_binding(0)
                if row < rows:
                    total = T.alloc_var("float32", init=T.float32(0))
                    for j in range(width):
                        total += T.abs(T.Cast("float32", X[row, j]))
                    for j in range(width):
                        Y[row, j] = T.Cast(dtype, T.Cast("float32", X[row, j]) / (total + one))

        return tilelang.compile(kernel, out_idx=-1)

    def forward(self, x):
        return self.build(*x.shape)(x)
"""


def test_scalars_that_start_where_they_are_declared_and_builder_methods_are_understood(run):
    (found,) = rewrite(
        NORM.replace("T.get_thread_binding(0)", "tx").replace(
            "                row =", "                tx = T.get_thread_binding(0)\n                row ="
        )
    )
    assert 'def build(self, rows, width, threads=256, dtype="float16", block_M=1, block_N=2048):' in found.source
    x = torch.randn(3, 70, dtype=torch.float16)
    expected = (x.float() / (x.float().abs().sum(1, keepdim=True) + 1)).half()
    torch.testing.assert_close(run(found.source, x), expected, rtol=2e-3, atol=1e-5)


def test_what_is_outside_the_kernel_stays_byte_for_byte(module):
    source = module(MEAN, "return mean_of_rows(*x[0].shape)(x[0])  # kept")
    (found,) = rewrite(source)
    assert found.source.partition("class ModelNew")[2] == source.partition("class ModelNew")[2]
    assert found.line == source[: source.index("with T.Kernel")].count("\n") + 1


def test_partial_sums_that_threads_keep_to_themselves_are_left_alone(module):
    shared = MEAN.replace("T.float32", "").replace(
        "            if lane == 0:\n                acc[0] = 0.0\n                for j in T.serial(width):\n"
        "                    acc[0] += X[row, j]\n",
        "            part = T.alloc_shared((threads,), 'float32')\n"
        "            acc[0] = 0.0\n            for j in T.serial(T.ceildiv(width, threads)):\n"
        "                if j * threads + lane < width:\n                    acc[0] += X[row, j * threads + lane]\n"
        "            part[lane] = acc[0]\n            T.sync_threads()\n            if lane == 0:\n"
        "                acc[0] = 0.0\n                for t in T.serial(threads):\n"
        "                    acc[0] += part[t]\n",
    )
    assert shared != MEAN
    assert list(rewrite(module(shared, "return mean_of_rows(*x[0].shape)(x[0])"))) == []


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("acc[0] = 0.0", "acc[0] = 1.0", "the sum starts from something"),
        ("acc[0] = 0.0", SOMETIMES_ONE, "the sum starts from something under a condition"),
        ("Y[row] =", AGAIN, "a second loop goes on with the sum"),
        ("acc[0] += X[row, j]", "acc[0] = acc[0] * 0.5 + X[row, j]", "each step depends on the one before"),
        ("acc[0] += X[row, j]", "acc[0] += Y[row]", "it reads what it writes"),
        ("if lane == 0:", "if lane == 1:", "another thread than the first"),
        ("X[row, j]", "X[j, row]", "the loop does not run along memory"),
    ],
)
def test_a_loop_that_is_no_plain_reduction_along_a_row_is_left_alone(module, old, new, why):
    source = module(MEAN.replace(old, new), "return mean_of_rows(*x[0].shape)(x[0])")
    assert list(rewrite(source)) == [], why
