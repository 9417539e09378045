import pytest

from tilewright.proposers.rewrites.flat_elementwise import rewrite

torch = pytest.importorskip("torch")

RUNS = """
@tilelang.jit(out_idx=[-1])
def add(n, run=32, threads=64):
    chunk = run * threads

    @T.prim_func
    def kernel(A: T.Tensor((n,), "float16"), B: T.Tensor((n,), "float16"), C: T.Tensor((n,), "float16")):
        with T.Kernel(T.ceildiv(n, chunk), threads=threads) as bx:
            tx = T.get_thread_binding(0)
            for e in T.serial(run):
                if bx * chunk + tx * run + e < n:
                    C[bx * chunk + tx * run + e] = A[bx * chunk + tx * run + e] + B[bx * chunk + tx * run + e]

    return kernel
"""

SQUARE_BLOCKS = """
@tilelang.jit(out_idx=[-1])
def scale_rows(rows, width, tile=16):
    @T.prim_func
    def kernel(X: T.Tensor((rows, width), "float16"), S: T.Tensor((rows,), "float16"),
               Y: T.Tensor((rows, width), "float16")):
        with T.Kernel(T.ceildiv(width, tile), T.ceildiv(rows, tile), threads=(tile, tile)) as (bx, by):
            tx = T.get_thread_binding(0)
            ty = T.get_thread_binding(1)
            if by * tile + ty < rows and bx * tile + tx < width:
                Y[by * tile + ty, bx * tile + tx] = X[by * tile + ty, bx * tile + tx] * S[by * tile + ty]

    return kernel
"""


def test_runs_of_single_threads_become_tiles_of_neighbours(module, run):
    source = module(RUNS, "return add(x[0].shape[0])(*x)")
    (found,) = rewrite(source)
    assert "def add(n, threads=256, block_N=2048):" in found.source
    assert "chunk" not in found.source  # nothing else used it
    a, b = torch.randn(2, 5001, dtype=torch.float16)
    assert torch.equal(run(found.source, a, b), a + b)


def test_square_blocks_become_tiles_along_rows(module, run):
    source = module(SQUARE_BLOCKS, "return scale_rows(*x[0].shape)(*x)")
    (found,) = rewrite(source)
    assert "T.Parallel(block_N)" in found.source and "threads=(tile, tile)" not in found.source
    x, s = torch.randn(35, 70, dtype=torch.float16), torch.randn(35, dtype=torch.float16)
    assert torch.equal(run(found.source, x, s), x * s[:, None])


def test_a_value_that_the_factory_is_called_with_stays_a_parameter(module):
    source = module(RUNS, "return add(x[0].shape[0], run=16)(*x)")
    (found,) = rewrite(source)
    assert "def add(n, run=32, threads=256, block_N=2048):" in found.source


def test_tiles_that_are_there_are_left_alone(module):
    flat = RUNS.replace("for e in T.serial(run):", "for e in T.Parallel(chunk):").replace(" + tx * run", "")
    flat = flat.replace("            tx = T.get_thread_binding(0)\n", "")
    assert list(rewrite(module(flat, "return add(x[0].shape[0])(*x)"))) == []


def test_elements_that_read_their_neighbours_results_are_left_alone(module):
    source = module(RUNS.replace("= A[", "= C["), "return add(x[0].shape[0])(*x)")
    assert list(rewrite(source)) == []
