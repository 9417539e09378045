import pytest

from tilewright.proposers.rewrites.scan_in_tiles import rewrite

torch = pytest.importorskip("torch")

SCAN = """
@tilelang.jit(out_idx=[-1])
def scan(rows, n, threads=32):
    @T.prim_func
    def kernel(X: T.Tensor((rows, n), "float16"), Y: T.Tensor((rows, n), "float32")):
        with T.Kernel(T.ceildiv(rows, threads), threads=threads) as bx:
            tx = T.get_thread_binding(0)
            s = T.alloc_local((1,), "float32")
            if bx * threads + tx < rows:
                s[0] = 0.0
                for k in T.serial(n):
                    square = T.cast(X[bx * threads + tx, k], "float32") * X[bx * threads + tx, k]
                    s[0] = s[0] + square
                    Y[bx * threads + tx, k] = s[0] * 0.5

    return kernel
"""


def test_a_running_sum_is_taken_tile_by_tile(module, run):
    (found,) = rewrite(module(SCAN, "return scan(*x[0].shape)(x[0])"))
    assert "T.cumsum(s_tile, dim=1)" in found.source
    x = torch.randn(3, 1500, dtype=torch.float16)
    torch.testing.assert_close(run(found.source, x), (x.float() ** 2).cumsum(1) * 0.5, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("s[0] = s[0] + square", "s[0] = s[0] * square", "no sum"),
        ("s[0] = s[0] + square", "s[0] = s[0] + square * s[0]", "a recurrence"),
    ],
)
def test_other_recurrences_are_left_alone(module, old, new, why):
    source = module(SCAN.replace(old, new), "return scan(*x[0].shape)(x[0])")
    assert list(rewrite(source)) == [], why
