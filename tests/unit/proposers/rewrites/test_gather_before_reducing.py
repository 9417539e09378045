import pytest

from tilewright.proposers.rewrites.gather_before_reducing import rewrite

torch = pytest.importorskip("torch")

# A weighted sum of each row; tiles of both operands are copied into shared memory first.
DOT = """
@tilelang.jit(out_idx=[-1])
def weighted(rows, n, br=4, bc=64):
    @T.prim_func
    def kernel(X: T.Tensor((rows, n), "float16"), W: T.Tensor((1, n), "float16"), Y: T.Tensor((rows,), "float32")):
        with T.Kernel(T.ceildiv(rows, br), threads=64) as b:
            xs = T.alloc_shared((br, bc), "float16")
            prod = T.alloc_fragment((br, bc), "float32")
            s = T.alloc_fragment((br,), "float32")

            T.clear(s)
            for k in T.serial(T.ceildiv(n, bc)):
                T.copy(X[b * br, k * bc], xs)
                for i, j in T.Parallel(br, bc):
                    prod[i, j] = T.if_then_else(k * bc + j < n, T.cast(xs[i, j], "float32") * W[0, k * bc + j], 0.0)
                T.reduce_sum(prod, s, dim=1, clear=False)
            T.copy(s, Y[b * br])

    return kernel
"""
CALL = "return weighted(*x[0].shape)(*x)"


def test_a_row_is_reduced_once_after_its_tiles(module, run):
    (found,) = rewrite(module(DOT, CALL))
    assert found.source.index("T.reduce_sum") > found.source.index("s_partial[i, j] +=")
    assert "                T.reduce_sum" not in found.source  # no longer in the loop
    torch.manual_seed(0)
    x, w = torch.randn(6, 3000, dtype=torch.float16), torch.randn(1, 3000, dtype=torch.float16)
    torch.testing.assert_close(run(found.source, x, w), (x.double() @ w[0].double()).float(), rtol=1e-4, atol=1e-3)


def test_what_it_makes_is_left_alone(module):
    (found,) = rewrite(module(DOT, CALL))
    assert list(rewrite(found.source)) == []


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("* W[0, k * bc + j], 0.0)", "* W[0, k * bc + j] - s[i], 0.0)", "a tile uses what was gathered before it"),
        ("prod[i, j] = T.if", "prod[i, j] = prod[i, j] + T.if", "tiles that depend on each other"),
        ("T.copy(X[b * br, k * bc], xs)", "T.copy(X[b * br, k], xs)", "overlapping tiles"),
    ],
)
def test_loops_that_carry_more_are_left_alone(module, old, new, why):
    assert list(rewrite(module(DOT.replace(old, new), CALL))) == [], why
