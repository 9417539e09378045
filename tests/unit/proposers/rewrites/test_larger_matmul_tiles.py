import pytest

from tilewright.proposers.rewrites.larger_matmul_tiles import rewrite

torch = pytest.importorskip("torch")

MATMUL = """
BK = 16


@tilelang.jit(out_idx=[-1])
def matmul(M, N, K, bm=32, bn=64, nt=64):
    @T.prim_func
    def kernel(A: T.Tensor((M, K), "float16"), B: T.Tensor((K, N), "float16"), C: T.Tensor((M, N), "float16")):
        with T.Kernel(T.ceildiv(N, bn), T.ceildiv(M, bm), threads=nt) as (bx, by):
            a = T.alloc_shared((bm, BK), "float16")
            b = T.alloc_shared((BK, bn), "float16")
            acc = T.alloc_fragment((bm, bn), "float32")

            T.clear(acc)
            for k in T.serial(T.ceildiv(K, BK)):
                T.copy(A[by * bm, k * BK], a)
                T.copy(B[k * BK, bx * bn], b)
                T.gemm(a, b, acc)
            T.copy(acc, C[by * bm, bx * bn])

    return kernel
"""
CALL = "return matmul(x[0].shape[0], x[1].shape[1], x[0].shape[1])(*x)"


def test_all_sizes_jump_together_whatever_they_are_called(module, run):
    found = list(rewrite(module(MATMUL, CALL)))
    first = found[0].source
    assert "BK = 64" in first and "bm=128, bn=128, nt=256" in first
    assert "for k in T.Pipelined(T.ceildiv(K, BK), num_stages=3):" in first
    assert "T.use_swizzle(10)" in first
    assert len({rewritten.source for rewritten in found}) == len(found) > 1
    torch.manual_seed(0)
    a, b = torch.randn(150, 100, dtype=torch.float16), torch.randn(100, 140, dtype=torch.float16)
    torch.testing.assert_close(run(first, a, b), (a.float() @ b.float()).half(), rtol=2e-3, atol=2e-2)


def test_large_pipelined_tiles_are_left_to_the_knob_search(module):
    tuned = MATMUL.replace("bm=32, bn=64, nt=64", "bm=128, bn=128, nt=256")
    tuned = tuned.replace("T.serial(T.ceildiv(K, BK))", "T.Pipelined(T.ceildiv(K, BK), num_stages=3)")
    assert list(rewrite(module(tuned, CALL))) == []


def test_threads_that_have_places_in_the_tile_keep_their_number(module):
    clear = "            T.clear(acc)"
    bound = MATMUL.replace(clear, f"            tx = T.get_thread_binding(0)\n{clear}")
    assert list(rewrite(module(bound, CALL))) == []
