import pytest

from tilewright.proposers.rewrites.tiled_matmul import rewrite

torch = pytest.importorskip("torch")

# Both operands lie the other way round than in A @ B, and there is a bias and a ReLU behind the sum.
LINEAR = """
@tilelang.jit(out_idx=[-1])
def linear(M, N, K, threads=128):
    @T.prim_func
    def kernel(X: T.Tensor((K, M), "float16"), W: T.Tensor((N, K), "float16"), bias: T.Tensor((N,), "float16"),
               Y: T.Tensor((M, N), "float16")):
        with T.Kernel(T.ceildiv(N, threads), M, threads=threads) as (bx, m):
            tx = T.get_thread_binding(0)
            s = T.alloc_local((1,), "float32")
            n = bx * threads + tx
            if n < N:
                s[0] = 0.0
                for k in T.serial(K):
                    a = T.cast(X[k, m], "float32")
                    s[0] = s[0] + a * T.cast(W[n, k], "float32")
                shifted = s[0] + bias[n]
                Y[m, n] = T.cast(T.max(shifted, T.float32(0)), "float16")

    return kernel
"""
CALL = """
K, M = x[0].shape
return linear(M, x[1].shape[0], K)(*x)
"""


def test_dot_products_of_threads_become_tiles(module, run):
    (found,) = rewrite(module(LINEAR, CALL))
    assert "T.gemm(X_shared, W_shared, acc, transpose_A=True, transpose_B=True)" in found.source
    assert "block_M=128, block_N=128, block_K=64" in " ".join(found.source.split())
    torch.manual_seed(0)
    x, w, b = (torch.randn(s, dtype=torch.float16) for s in ((70, 150), (90, 70), (90,)))
    expected = torch.relu(x.float().T @ w.float().T + b.float()).half()
    torch.testing.assert_close(run(found.source, x, w, b), expected, rtol=2e-3, atol=2e-2)


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("a * T.cast(W[n, k]", "a - T.cast(W[n, k]", "no product"),
        ("X[k, m]", "X[k // 2, m]", "not every k"),
        ("s[0] = 0.0", "s[0] = 1.0", "starts from something"),
        ('W: T.Tensor((N, K), "float16")', 'W: T.Tensor((N, K), "float32")', "two dtypes"),
        ('"float16"', '"float32"', "fp32 operands would be rounded to tf32"),
        ("X[k, m]", "X[k, n]", "the same index twice"),
        ("for k in T.serial(K):", "for k in T.serial(K // 2):", "half of the sum"),
    ],
)
def test_what_is_no_matrix_product_is_left_alone(module, old, new, why):
    assert list(rewrite(module(LINEAR.replace(old, new), CALL))) == [], why
