import pytest
from sample_candidates import KERNEL_LINE, PROBLEM, TWO_SIZES, candidate

from tilewright.records import Candidate, InputSpec, Problem, SupportFile, Workload
from tilewright.toolchain.harvest import CandidateFailed, Harvest, NotFollowed, ReferenceFailed, harvest


def harvested(made: Candidate, problem: Problem = PROBLEM, workload: Workload | None = None) -> Harvest:
    return harvest(made, problem, workload or problem.workloads[0])


def test_a_forward_shows_its_kernels_and_what_pytorch_does_around_them():
    found = harvested(candidate())
    assert [(k.name, k.launches, k.line) for k in found.kernels] == [("scale_kernel", 1, KERNEL_LINE)]
    assert dict(found.census.ops) == {"aten.addmm.default": 1}
    assert found.census.flops == 2 * 64 * 128 * 128
    assert found.census.bytes == 2 * (2 * 64 * 128 + 128 * 128 + 128)
    assert found.kernels_built_in_forward == 0


def test_tensors_at_the_border_have_the_dtype_of_the_task():
    found = harvested(candidate())
    assert [(t.shape, t.dtype, t.bytes) for t in found.inputs] == [((64, 128), "float16", 64 * 128 * 2)]
    assert [t.shape for t in found.parameters] == [(128, 128), (128,)]
    assert [(t.shape, t.dtype) for t in found.outputs] == [((64, 128), "float16")]


def test_the_reference_tells_how_much_there_is_to_compute():
    assert harvested(candidate()).reference_flops == pytest.approx(2 * 64 * 128 * 128, rel=0.02)


def test_a_workload_changes_the_sizes():
    found = harvested(candidate(), TWO_SIZES, TWO_SIZES.workloads[1])
    assert found.inputs[0].shape == (4096, 128)


def test_a_kernel_constructed_in_every_call_is_counted():
    found = harvested(
        candidate(
            ("@tilelang.jit(out_idx=[-1])\n", ""),
            (
                "scaled(*y.shape, self.factor)\n        return self.kernels[y.shape](y)",
                "None\n        return tilelang.compile(scaled(*y.shape, self.factor), out_idx=[-1])(y)",
            ),
        )
    )
    assert found.kernels_built_in_forward == 1
    assert [k.launches for k in found.kernels] == [1]


def test_the_same_kernel_launched_three_times_is_one_kernel():
    found = harvested(
        candidate(
            (
                "        return self.kernels[y.shape](y)",
                "        k = self.kernels[y.shape]\n        return k(k(k(y)))",
            )
        )
    )
    assert [(k.name, k.launches) for k in found.kernels] == [("scale_kernel", 3)]


def test_the_decorator_over_a_prim_func_of_2025_still_works():
    source = """
import tilelang
import tilelang.language as T
import torch.nn as nn

@tilelang.jit(out_idx=-1)
@T.prim_func
def double(X: T.Tensor((64, 128), "float16"), Y: T.Tensor((64, 128), "float16")):
    with T.Kernel(64, threads=128) as row:
        for j in T.Parallel(128):
            Y[row, j] = X[row, j] * 2.0

class ModelNew(nn.Module):
    def __init__(self, factor):
        super().__init__()

    def forward(self, x):
        return double(x)
"""
    assert [k.name for k in harvested(Candidate(source)).kernels] == ["double"]


def test_a_kernel_with_symbolic_sizes_knows_those_of_its_call():
    found = harvested(
        candidate(
            (
                'def scaled(rows, columns, factor, dtype="float16"):\n',
                'def scaled(_, columns, factor, dtype="float16"):\n    rows = T.dynamic("rows")\n',
            ),
        )
    )
    assert {var.name: size for var, size in found.kernels[0].sizes.items()} == {"rows": 64}


def test_a_module_that_reads_a_number_from_a_result_is_followed():
    found = harvested(candidate(("y = self.linear(x)", "y = self.linear(x)\n        scale = y.abs().max().item()")))
    assert [k.name for k in found.kernels] == ["scale_kernel"]


def test_a_module_that_reads_its_weights_while_it_is_built_is_followed():
    found = harvested(
        candidate(("self.kernels = {}", "self.kernels = {}\n        self.sum = float(self.linear.weight.sum())"))
    )
    assert [k.name for k in found.kernels] == ["scale_kernel"]


def test_a_module_that_moves_itself_to_the_gpu_is_followed():
    found = harvested(candidate(("y = self.linear(x)", "y = self.linear.cuda()(x.to('cuda')).contiguous()")))
    assert [k.name for k in found.kernels] == ["scale_kernel"]


def test_the_function_form_calls_the_function_with_the_tensors():
    problem = Problem(
        "double",
        "def double(x):\n    return x * 2\n",
        form="function",
        entry_point="double",
        workloads=(Workload(inputs=(InputSpec((64, 128), "fp16"),)),),
    )
    source = candidate().source.split("class ModelNew")[0] + "def run(x):\n    return scaled(*x.shape, 2.0)(x)\n"
    found = harvested(Candidate(source, form="function", entry_point="run"), problem)
    assert [(k.name, k.launches) for k in found.kernels] == [("scale_kernel", 1)]
    assert found.inputs[0].shape == (64, 128)


def test_a_factory_with_defaults_stands_for_its_kernel_in_the_function_form():
    problem = Problem(
        "double",
        "def double(x):\n    return x * 2\n",
        form="function",
        entry_point="double",
        workloads=(Workload(inputs=(InputSpec((64, 128), "fp16"),)),),
    )
    source = candidate(("scaled(rows, columns, factor,", "scaled(rows=64, columns=128, factor=2.0,")).source
    found = harvested(Candidate(source, form="function", entry_point="scaled"), problem)
    assert [k.name for k in found.kernels] == ["scale_kernel"]


def test_a_module_beside_the_kernel_is_importable_and_gone_afterwards():
    made = candidate(("import torch.nn as nn\n", "import torch.nn as nn\nfrom blocks import THREADS\n"),
                     ("threads=128", "threads=THREADS"))  # fmt: skip
    for threads in (64, 128):
        beside = SupportFile("blocks.py", f"THREADS = {threads}\n")
        found = harvested(Candidate(made.source, support=(beside,)))
        assert f"[{threads}, 1, 1]" in found.kernels[0].request.prim_func.script()


@pytest.mark.parametrize("test", ["y.sum() > 0", "bool(y.max() > y.min())", "y.flatten()[0] == 0"])
def test_a_module_that_branches_on_its_values_is_followed_along_one_branch(test):
    found = harvested(candidate(("y = self.linear(x)", f"y = self.linear(x)\n        y = y if {test} else y")))
    assert [k.name for k in found.kernels] == ["scale_kernel"]


def test_a_module_that_takes_all_its_values_out_is_not_followed_and_not_blamed():
    with pytest.raises(NotFollowed, match="reads the values of its tensors"):
        harvested(candidate(("y = self.linear(x)", "y = self.linear(x)\n        y.tolist()")))


def test_what_a_candidate_raises_comes_with_its_cause():
    with pytest.raises(CandidateFailed) as caught:
        harvested(candidate(("y = self.linear(x)", "y = undefined(x)")))
    assert isinstance(caught.value.__cause__, NameError)


def test_a_reference_that_raises_is_not_the_candidates_fault():
    with pytest.raises(ReferenceFailed):
        harvested(candidate(), Problem("broken", "raise ValueError('no')"))
