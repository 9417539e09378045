import ast

import pytest

from tilewright.proposers.rewrites.split_rows import rewrite
from tilewright.source.knobs import find_knobs

torch = pytest.importorskip("torch")

# A softmax over whole rows, one thread for each: two reductions, then all elements.
SOFTMAX = """
@tilelang.jit(out_idx=[-1])
def softmax(rows, n, scale, threads=32):
    @T.prim_func
    def kernel(X: T.Tensor((rows, n), "float16"), Y: T.Tensor((rows, n), "float16")):
        with T.Kernel(T.ceildiv(rows, threads), threads=threads) as bx:
            tx = T.get_thread_binding(0)
            top = T.alloc_local((1,), "float32")
            total = T.alloc_local((1,), "float32")
            r = bx * threads + tx
            if r < rows:
                top[0] = -T.infinity("float32")
                for c in T.serial(n):
                    top[0] = T.max(top[0], X[r, c] * T.float32(scale))
                total[0] = 0.0
                for c in T.serial(n):
                    total[0] += T.exp(X[r, c] * T.float32(scale) - top[0])
                for c in T.serial(n):
                    Y[r, c] = T.exp(X[r, c] * T.float32(scale) - top[0]) / total[0]

    return kernel
"""
CALL = """
if "k" not in self.kernels:
    self.kernels["k"] = softmax(*x[0].shape, 0.5)
return self.kernels["k"](x[0])
"""


def test_a_row_is_shared_by_many_blocks(module, run):
    (found,) = rewrite(module(SOFTMAX, CALL))
    functions = [node.name for node in ast.parse(found.source).body if isinstance(node, ast.FunctionDef)]
    assert functions == ["softmax_part_1", "softmax_part_2", "softmax_part_3", "softmax"]
    torch.manual_seed(0)
    x = torch.randn(3, 5000, dtype=torch.float16)
    expected = torch.softmax(x.double() * 0.5, 1).half()
    torch.testing.assert_close(run(found.source, x), expected, rtol=2e-3, atol=1e-6)


def test_one_literal_holds_each_knob_of_all_stages(module):
    (found,) = rewrite(module(SOFTMAX, CALL))
    knobs = {knob.name: knob.value for knob in find_knobs(found.source)}
    assert knobs == {"block_M": 1, "block_N": 2048, "num_splits": 64, "threads": 256}


@pytest.mark.parametrize("out_idx", ["[0]", "[1]"])
def test_outputs_that_are_not_counted_from_the_end_are_left_alone(module, out_idx):
    assert list(rewrite(module(SOFTMAX.replace("[-1]", out_idx, 1), CALL))) == []


def test_a_kernel_without_a_reduction_is_left_alone(module):
    start = SOFTMAX.index("                top[0] = -T")
    end = SOFTMAX.index("                for c in T.serial(n):\n                    Y")
    plain = SOFTMAX[:start] + SOFTMAX[end:].replace(" - top[0]) / total[0]", ")")
    assert list(rewrite(module(plain, CALL))) == []
