import pytest

from tilewright.proposers.rewrites.whole_tile_store import rewrite

torch = pytest.importorskip("torch")

HEAD = """
@tilelang.jit(out_idx=[-1])
def matmul(M, N, K, bm=64, bn=64, bk=32):
    @T.prim_func
    def kernel(A: T.Tensor((M, K), "float16"), B: T.Tensor((K, N), "float16"), C: T.Tensor((M, N), "float16")):
        with T.Kernel(T.ceildiv(N, bn), T.ceildiv(M, bm), threads=bm) as (bx, by):
            a = T.alloc_shared((bm, bk), "float16")
            b = T.alloc_shared((bk, bn), "float16")
            out = T.alloc_shared((bm, bn), "float32")
            acc = T.alloc_fragment((bm, bn), "float32")
            t = T.get_thread_binding(0)

            T.clear(acc)
            for k in T.Pipelined(T.ceildiv(K, bk), num_stages=2):
                T.copy(A[by * bm, k * bk], a)
                T.copy(B[k * bk, bx * bn], b)
                T.gemm(a, b, acc)
"""
BY_THREAD = (
    HEAD
    + """
            T.copy(acc, out)
            r = by * bm + t
            for c in T.serial(bn):
                if r < M and bx * bn + c < N:
                    C[r, bx * bn + c] = T.cast(out[t, c], "float16")

    return kernel
"""
)
DIRECT = (
    HEAD
    + """
            T.copy(acc, C[by * bm, bx * bn])

    return kernel
"""
)
CALL = "return matmul(x[0].shape[0], x[1].shape[1], x[0].shape[1])(*x)"


@pytest.fixture
def matrices():
    torch.manual_seed(0)
    return torch.randn(100, 50, dtype=torch.float16), torch.randn(50, 90, dtype=torch.float16)


def _assert_right(got, matrices):
    expected = (matrices[0].float() @ matrices[1].float()).half()
    torch.testing.assert_close(got, expected, rtol=2e-3, atol=1e-2)


def test_a_row_for_each_thread_leaves_as_a_tile(module, run, matrices):
    (found,) = rewrite(module(BY_THREAD, CALL))
    assert 'out = T.alloc_shared((bm, bn), "float16")' in found.source
    assert "T.copy(out, C[by * bm, bx * bn])" in found.source
    assert "get_thread_binding" not in found.source and "r = by" not in found.source
    _assert_right(run(found.source, *matrices), matrices)


def test_registers_leave_through_a_shared_tile(module, run, matrices):
    (found,) = rewrite(module(DIRECT, CALL))
    assert "T.copy(acc, C_shared)" in found.source and "T.copy(C_shared, C[by * bm, bx * bn])" in found.source
    _assert_right(run(found.source, *matrices), matrices)


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("out[t, c]", "out[t, c] * 2.0", "more than a store"),
        ("C[r, bx * bn + c]", "C[r, bx * bn + bn - 1 - c]", "another order"),
        ("threads=bm", "threads=128", "rows without a thread"),
    ],
)
def test_other_stores_are_left_alone(module, old, new, why):
    assert list(rewrite(module(BY_THREAD.replace(old, new), CALL))) == [], why


def test_an_uncast_accumulator_is_left_alone(module):
    wide = DIRECT.replace('C: T.Tensor((M, N), "float16")', 'C: T.Tensor((M, N), "float32")')
    assert list(rewrite(module(wide, CALL))) == []
