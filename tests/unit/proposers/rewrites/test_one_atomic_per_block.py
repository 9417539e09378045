import pytest

from tilewright.proposers.rewrites.one_atomic_per_block import rewrite

torch = pytest.importorskip("torch")

COUNT = """
@tilelang.jit
def dot(n, block=256, dtype="float16"):
    @T.prim_func
    def kernel(A: T.Tensor((n,), dtype), B: T.Tensor((n,), dtype), Out: T.Tensor((1,), "float32")):
        with T.Kernel(T.ceildiv(n, block), threads=block) as bx:
            tx = T.get_thread_binding(0)
            i = bx * block + tx
            if i < n:
                T.atomic_add(Out[0], T.cast(A[i], "float32") * T.cast(B[i], "float32"))

    return kernel
"""
CALL = """
out = torch.zeros(1, dtype=torch.float32)
dot(x[0].shape[0])(x[0], x[1], out)
return out
"""


def test_a_block_gathers_before_it_updates_the_total(module, run):
    (found,) = rewrite(module(COUNT, CALL))
    assert found.source.count("T.atomic_add") == 1
    assert "T.reduce_sum(partial, total, dim=0)" in found.source and "if tx == 0:" in found.source
    a, b = torch.randn(2, 9001, dtype=torch.float16)
    torch.testing.assert_close(run(found.source, a, b), (a.double() @ b.double()).float()[None], rtol=1e-4, atol=1e-3)


def test_the_accumulator_keeps_its_dtype(module):
    (found,) = rewrite(module(COUNT.replace('"float32"', '"float64"'), CALL))
    assert 'partial = T.alloc_fragment((block_N,), "float64")' in found.source


def test_atomics_on_an_address_for_each_element_are_left_alone(module):
    histogram = COUNT.replace("Out[0]", "Out[i]").replace("(1,)", "(n,)")
    assert list(rewrite(module(histogram, CALL))) == []
    assert list(rewrite(module(COUNT.replace("T.atomic_add(Out[0],", "T.atomic_or(Out[0],"), CALL))) == []
