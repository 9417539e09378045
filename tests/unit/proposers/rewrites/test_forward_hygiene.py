import pytest

from tilewright.proposers.rewrites import cache_conversions, cache_kernels, drop_round_trips

torch = pytest.importorskip("torch")

SOURCE = """
import tilelang
import tilelang.language as T
import torch
import torch.nn as nn


@tilelang.jit(out_idx=[-1])
def add_bias(rows, n, block=128):
    @T.prim_func
    def kernel(X: T.Tensor((rows, n), "float16"), B: T.Tensor((n,), "float16"), Y: T.Tensor((rows, n), "float16")):
        with T.Kernel(T.ceildiv(n, block), rows, threads=128) as (bx, r):
            for i in T.Parallel(block):
                if bx * block + i < n:
                    Y[r, bx * block + i] = X[r, bx * block + i] + B[bx * block + i]

    return kernel


class ModelNew(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 60)

    def forward(self, x):
        bias = self.layer.bias.float().contiguous().half()  # converted every time
        y = add_bias(x.shape[0], 60)(x.contiguous(), bias)
        return y
"""


def _expected(x):
    torch.manual_seed(0)
    return x + torch.nn.Linear(4, 60).half().bias


def test_a_kernel_is_kept_by_all_of_its_arguments(run):
    (found,) = cache_kernels.rewrite(SOURCE)
    assert "self.add_bias_kernels = {}" in found.source
    assert "kernel_key = (x.shape[0], 60)" in found.source
    assert "# converted every time" in found.source
    x = torch.randn(3, 60, dtype=torch.float16)
    assert torch.equal(run(found.source, x), _expected(x))


def test_a_kernel_that_is_kept_already_is_left_alone():
    look_up = "if not hasattr(self, 'k'):\n            self.k = add_bias(3, 60)\n        y = self.k"
    kept = SOURCE.replace("y = add_bias(x.shape[0], 60)", look_up)
    assert list(cache_kernels.rewrite(kept)) == []
    assert list(cache_kernels.rewrite(SOURCE.replace("x.shape[0], 60)", "int(x.sum()), 60)"))) == []


def test_a_parameter_is_converted_once(run):
    (found,) = cache_conversions.rewrite(SOURCE)
    assert 'self.converted("layer.bias", self.layer.bias, lambda t: t.float().contiguous().half())' in found.source
    x = torch.randn(3, 60, dtype=torch.float16)
    assert torch.equal(run(found.source, x), _expected(x))


def test_a_parameter_that_is_loaded_anew_is_converted_anew():
    from tilewright.interpreter import interpreted
    from tilewright.records import Candidate
    from tilewright.toolchain.modules import module_of

    (found,) = cache_conversions.rewrite(SOURCE)
    with interpreted(), module_of(Candidate(source=found.source)) as module, torch.no_grad():
        network, x = module.ModelNew().half(), torch.zeros(2, 60, dtype=torch.float16)
        network(x)
        network.load_state_dict({key: torch.ones_like(value) for key, value in network.state_dict().items()})
        assert torch.equal(network(x), torch.ones_like(x))
        network.layer.bias += 1
        assert torch.equal(network(x), torch.full_like(x, 2))


@pytest.mark.parametrize(
    "value", ["x.float().half()", "self.layer.bias.view(60)", "self.scratch.half()", "self.f(x).half()"]
)
def test_what_is_no_copy_of_a_parameter_is_left_alone(value):
    source = SOURCE.replace("self.layer.bias.float().contiguous().half()", value)
    assert list(cache_conversions.rewrite(source)) == []


def test_a_detour_through_fp32_goes(run):
    (found,) = drop_round_trips.rewrite(SOURCE)
    assert "bias = self.layer.bias.contiguous().half()  # converted every time" in found.source
    x = torch.randn(3, 60, dtype=torch.float16)
    assert torch.equal(run(found.source, x), _expected(x))


@pytest.mark.parametrize("chain", ["half().float()", "float().sum().half()", "float()", "half().contiguous()"])
def test_conversions_with_an_effect_are_left_alone(chain):
    source = SOURCE.replace("float().contiguous().half()", chain)
    assert list(drop_round_trips.rewrite(source)) == []
