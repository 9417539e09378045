import pytest

from tilewright.proposers.rewrites.columns_across_threads import rewrite

torch = pytest.importorskip("torch")

LARGEST = """
@tilelang.jit(out_idx=[-1])
def column_max(rows, width, threads=128):
    @T.prim_func
    def kernel(X: T.Tensor((rows, width), "float16"), Y: T.Tensor((width,), "float16")):
        with T.Kernel(T.ceildiv(width, threads), threads=threads) as bx:
            tx = T.get_thread_binding(0)
            best = T.alloc_local((1,), "float32")
            col = bx * threads + tx
            if col < width:
                best[0] = -T.infinity("float32")
                for r in T.serial(rows):
                    best[0] = T.max(best[0], X[r, col])
                Y[col] = best[0]

    return kernel
"""


def test_columns_are_shared_by_the_threads_of_a_tile(module, run):
    source = module(LARGEST, "return column_max(*x[0].shape)(x[0])")
    (found,) = rewrite(source)
    assert "T.reduce_max(best_partial, best, dim=0)" in found.source
    x = torch.randn(130, 70, dtype=torch.float16)
    assert torch.equal(run(found.source, x), x.amax(0))


def test_a_numbering_of_points_that_scatters_neighbours_is_undone(module, run):
    scattered = LARGEST.replace("(rows, width)", "(2, rows, width)").replace("(width,)", "(2, width)")
    scattered = scattered.replace("T.ceildiv(width, threads)", "T.ceildiv(2 * width, threads)")
    scattered = scattered.replace("col = bx * threads + tx", "n = bx * threads + tx")
    places = "if n < 2 * width:\n                b = n % 2\n                col = n // 2"
    scattered = scattered.replace("if col < width:", places)
    scattered = scattered.replace("X[r, col]", "X[b, r, col]").replace("Y[col]", "Y[b, col]")
    source = module(scattered, "return column_max(*x[0].shape[1:])(x[0])")
    (found,) = rewrite(source)
    assert "T.Kernel(T.ceildiv(width, block_N), 2, threads=threads) as (bx, b)" in found.source
    x = torch.randn(2, 40, 33, dtype=torch.float16)
    assert torch.equal(run(found.source, x), x.amax(1))


def test_a_reduction_along_contiguous_rows_is_left_alone(module):
    source = module(LARGEST.replace("X[r, col]", "X[col, r]"), "return column_max(*x[0].shape)(x[0])")
    assert list(rewrite(source)) == []


def test_a_numbering_that_skips_points_is_left_alone(module):
    source = module(LARGEST.replace("bx * threads + tx", "bx * 64 + tx"), "return column_max(*x[0].shape)(x[0])")
    assert list(rewrite(source)) == []
