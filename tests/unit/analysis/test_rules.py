"""Each rule is tripped by a kernel that has its fault, and leaves one alone that hasn't."""

from __future__ import annotations

import re
import sys
from dataclasses import replace

import cases_of_code
import cases_of_runs
import pytest
from analysis_facts import elementwise_kernel, evidence, facts, gemm_facts, gemm_kernel, tensor

from tilewright.analysis.rules import RULES, built_in_rules
from tilewright.protocols import Rule
from tilewright.records import Candidate, Evidence, Facts, Problem

PROBLEM = Problem("p", "class Model: pass")

PREFIX = """
import tilelang
import tilelang.language as T
import torch
import torch.nn as nn
import torch.nn.functional as F

@tilelang.jit(out_idx=[-1])
def factory(M, N, K, block_M={tile}, block_N={tile}, block_K=32, threads={threads}, num_stages={stages}):
    @T.prim_func
    def matmul_kernel(A: T.Tensor((M, K), "float16"), B: T.Tensor((K, N), "float16"), C: T.Tensor((M, N), "float16")):
        with T.Kernel(T.ceildiv(N, block_N), T.ceildiv(M, block_M), threads=threads) as (bx, by):
            A_shared = T.alloc_shared((block_M, block_K), "float16")
            B_shared = T.alloc_shared((block_K, block_N), "float16")
            C_local = T.alloc_fragment((block_M, block_N), "float32")
            T.clear(C_local)
            for k in T.Pipelined(T.ceildiv(K, block_K), num_stages=num_stages):
                T.copy(A[by * block_M, k * block_K], A_shared)
                T.copy(B[k * block_K, bx * block_N], B_shared)
                T.gemm(A_shared, B_shared, C_local)
            T.copy(C_local, C[by * block_M, bx * block_N])
    return matmul_kernel
"""
MODULE = """
class ModelNew(nn.Module):
    def __init__(self):
        super().__init__()
        self.kernels = {}
    def forward(self, x, w):
        key = x.shape
        if key not in self.kernels:
            self.kernels[key] = factory(*key)
        return self.kernels[key](x, w)
"""
WIDE = (PREFIX.format(tile=128, threads=256, stages=3) + MODULE).replace(
    'block_K), "float16")', 'block_K), "float32")'
)
GEMM = PREFIX.format(tile=128, threads=256, stages=3) + MODULE


FEW_ROWS = (PREFIX.format(tile=64, threads=128, stages=3) + MODULE).replace("block_N=64", "block_N=256")


def forward(body: str) -> str:
    lines = "".join(f"        {line}\n" for line in body.splitlines())
    return (
        PREFIX.format(tile=128, threads=256, stages=3)
        + f"\nclass ModelNew(nn.Module):\n    def forward(self, x, w):\n{lines}"
    )


SERIAL = """
import tilelang
import tilelang.language as T

@tilelang.jit(out_idx=[-1])
def factory(rows, dim, threads=256, accum_dtype="{accum}"):
    @T.prim_func
    def row_sum(X: T.Tensor((rows, dim), "float16"), Y: T.Tensor((rows,), "float16")):
        with T.Kernel(rows, threads=threads) as row:
            tx = T.get_thread_binding(0)
            acc = T.alloc_local((1,), accum_dtype)
            if {guard}:
                for j in T.serial(dim):
                    acc[0] += T.cast(X[row, j], accum_dtype)
                Y[row] = acc[0]
    return row_sum
"""
ATOMIC = """
import tilelang.language as T

def factory(n):
    @T.prim_func
    def loss(X: T.Tensor((n,), "float16"), Y: T.Tensor((1,), "float32")):
        with T.Kernel(n // 1024, threads=256) as bx:
            tx = T.get_thread_binding(0)
            for i in T.serial(4):
                d = X[bx * 1024 + i * 256 + tx]
                T.atomic_add(Y[0], d * d)
    return loss
"""

STEPS = """
import tilelang.language as T

def factory(rows, dim):
    @T.prim_func
    def row_sum(X: T.Tensor((rows, dim), "float16"), Y: T.Tensor((rows,), "float16")):
        with T.Kernel(rows, threads=256) as row:
            tile = T.alloc_fragment((1, 512), "float32")
            total = T.alloc_fragment((1,), "float32")
            for k in T.serial(dim // 512):
                T.copy(X[row, k * 512], tile)
{inside}
            T.copy(total, Y[row])
    return row_sum
"""
EACH_STEP = STEPS.format(inside="                T.reduce_sum(tile, total, dim=1, clear=False)")
ONCE = STEPS.format(inside="            T.reduce_sum(tile, total, dim=1)")
ROWS = """
import tilelang.language as T

def factory(rows, width={width}):
    @T.prim_func
    def scale_kernel(X: T.Tensor((rows, 128), "float16"), Y: T.Tensor((rows, 128), "float16")):
        with T.Kernel(rows // 128, threads=128) as bx:
            tx = T.get_thread_binding(0)
            tile = T.alloc_shared((128, width), "float32")
            T.copy(X[bx * 128, 0], tile)
            for j in T.serial(128):
                Y[bx * 128 + tx, j] = tile[{index}]
    return scale_kernel
"""
TWO_KERNELS = """
import tilelang.language as T

def factory(n):
    @T.prim_func
    def scale_kernel(X: T.Tensor((n, n), "float16"), S: T.Tensor((n,), "float32")):
        with T.Kernel(n, threads=256) as bx:
            row = T.alloc_fragment((1, n), "float32")
            total = T.alloc_fragment((1,), "float32")
            T.copy(X[bx, 0], row)
            T.reduce_sum(row, total, dim=1)
            T.copy(total, S[bx])
    @T.prim_func
    def second_kernel(S: T.Tensor((n,), "float32"), Y: T.Tensor((n,), "float16")):
        with T.Kernel(1, threads=256) as bx:
            {second}
    return scale_kernel, second_kernel
"""
SUM_OF_SUMS = TWO_KERNELS.format(
    second="""total = T.alloc_fragment((1,), "float32")
            for i in T.serial(n):
                total[0] += S[i]
            T.copy(total, Y)"""
)
SCALED = TWO_KERNELS.format(
    second="""for i in T.Parallel(n):
                Y[i] = S[i] * 2"""
)

row_sum = elementwise_kernel(name="row_sum", grid=(512,), global_bytes=2.0 * 512 * 65536, serial_depth=65536.0)
rows = facts([row_sum], inputs=(tensor(512, 65536),), outputs=(tensor(512),))
tiled_sum = replace(row_sum, serial_depth=8.0)
narrow_sum = replace(row_sum, serial_depth=256.0)
naive_gemm = gemm_kernel(
    1024,
    uses_tensor_cores=False,
    matmul_flops=0.0,
    shared_bytes=0,
    grid=(64, 64),
    global_bytes=64 * 64 * 2.0 * 1024 * 32,
    serial_depth=1024.0,
    asynchronous_copies=False,
)
small_gemm = gemm_kernel(4096, tile=32, block_threads=128, blocks_per_sm=8)
with_torch = facts(
    [elementwise_kernel()], torch_ops=(("aten.add.Tensor", 1), ("aten.relu.default", 1)), torch_bytes=1.3e8
)
conv = facts([elementwise_kernel()], torch_ops=(("aten::convolution", 1),), torch_flops=2e12, torch_bytes=1e8)
casts = facts([elementwise_kernel()], torch_ops=(("aten::_to_copy", 2),), torch_bytes=2e8)
copies = facts(
    [elementwise_kernel()], torch_ops=(("aten::clone", 1),), torch_bytes=2e8, parameters=(tensor(4096, 4096),)
)
tiny = facts([elementwise_kernel(4096, launches=3)], elements=4096)
one_tiny = facts([elementwise_kernel(4096)], elements=4096)
two = facts([elementwise_kernel(), elementwise_kernel(name="second_kernel")])
other_grid = facts([elementwise_kernel(), elementwise_kernel(name="second_kernel", grid=(1,))])
tiny_two = facts(
    [elementwise_kernel(4096, tile=256), elementwise_kernel(4096, name="second_kernel", grid=(1,))], elements=4096
)
pooling = elementwise_kernel(name="pool_kernel", global_bytes=16.8e6, tensor_bytes=16.8e6)
after_torch = facts([pooling], elements=550_000, torch_ops=(("aten::convolution", 1),), torch_bytes=19.3e6)
after_kernel = facts([elementwise_kernel(global_bytes=17.9e6, tensor_bytes=17.9e6), pooling], elements=550_000)
in_parts = facts([elementwise_kernel(1024 * 1024, launches=16)])
padded = facts([elementwise_kernel()], torch_ops=(("aten.constant_pad_nd.default", 1),), torch_bytes=1.4e8)
stored = facts([elementwise_kernel(threads=128, tile=16384, serial_depth=128.0)])
few_products = gemm_facts(gemm_kernel(512, tile=64), 512)
good = facts([elementwise_kernel()])
good_gemm = gemm_facts(gemm_kernel())
NO_SOURCE = "class ModelNew: pass"
large_gemm = replace(naive_gemm, flops=2.0 * 4096**3, global_bytes=4096.0**3 / 8)
convolved = facts(
    [elementwise_kernel(flops=2.0 * 16 * 128 * 56 * 56 * 64 * 9)],
    inputs=(tensor(16, 64, 56, 56),),
    parameters=(tensor(128, 64, 3, 3),),
    outputs=(tensor(16, 128, 56, 56),),
    reference_flops=2.0 * 16 * 128 * 56 * 56 * 64 * 9,
)
indexed = replace(casts, torch_ops=(("aten::_to_copy", 3),), inputs=(*casts.inputs, tensor(4096, dtype="int64")))
flat = 2.0 * 64 * 4096 * 131072
few_rows = gemm_facts(
    gemm_kernel(grid=(512,), flops=flat, matmul_flops=flat, global_bytes=flat / 37, stages=3),
    inputs=(tensor(64, 4096), tensor(4096, 131072)),
    outputs=(tensor(64, 131072),),
)
SCAN = SERIAL.replace("                Y[row] = acc[0]\n", "").replace(
    "accum_dtype)\n    return", "accum_dtype)\n                    Y[row, j] = acc[0]\n    return"
)
SOFTMAX = SCAN.replace("Y[row, j] = acc[0]", "Y[row, j] = T.exp(X[row, j])")

Case = tuple[str, str, "Facts | Evidence | None", str]
TRIPS: list[Case] = [
    ("uncoalesced-access", "strided reads", facts([elementwise_kernel(coalescing=0.0625)]), NO_SOURCE),
    ("no-shared-reuse", "eight reads", facts([elementwise_kernel(global_bytes=18.0 * 4096 * 4096)]), NO_SOURCE),
    ("extra-passes", "three passes", facts([elementwise_kernel(global_bytes=8.0 * 4096 * 4096)]), NO_SOURCE),
    ("bank-conflicts", "a row a thread", stored, ROWS.format(width=128, index="tx, j")),
    ("bank-conflicts", "without facts", None, ROWS.format(width=128, index="tx, j")),
    ("little-work-per-thread", "one value a thread", facts([elementwise_kernel(tile=256)]), NO_SOURCE),
    ("scalar-loads", "indexing in a loop", facts([narrow_sum]), SERIAL.format(accum="float32", guard="row >= 0")),
    ("scalar-loads", "without facts", None, SERIAL.format(accum="float32", guard="row >= 0")),
    ("matmul-without-tensor-cores", "scalar loops", gemm_facts(naive_gemm, 1024), NO_SOURCE),
    (
        "matmul-without-tensor-cores",
        "a gemm lowered to scalar code",
        gemm_facts(gemm_kernel(uses_tensor_cores=False)),
        GEMM,
    ),
    ("small-matmul-tile", "32 x 32 tiles", gemm_facts(small_gemm), GEMM),
    ("small-matmul-tile", "of an unknown tile", few_rows, NO_SOURCE),
    ("small-matmul-tile", "without facts", None, PREFIX.format(tile=32, threads=128, stages=3) + MODULE),
    ("wide-operands", "float32 tiles", gemm_facts(gemm_kernel(stages=0)), WIDE),
    ("wide-operands", "without facts", None, WIDE),
    ("register-spills", "256 bytes spilled", gemm_facts(gemm_kernel(spill_bytes=256)), GEMM),
    (
        "redundant-work",
        "a product done four times",
        gemm_facts(gemm_kernel(flops=8.0 * 4096**3, matmul_flops=8.0 * 4096**3)),
        GEMM,
    ),
    ("fp64-arithmetic", "a double accumulator", None, SERIAL.format(accum="float64", guard="tx == 0")),
    ("no-pipelining", "no stages", gemm_facts(gemm_kernel(stages=0)), GEMM),
    ("no-pipelining", "without facts", None, PREFIX.format(tile=128, threads=256, stages=0) + MODULE),
    ("too-few-blocks", "16 blocks", facts([elementwise_kernel(grid=(16,), serial_depth=512.0)]), NO_SOURCE),
    ("tail-wave", "1.1 waves", gemm_facts(gemm_kernel(grid=(145,), global_bytes=1e8)), GEMM),
    (
        "low-occupancy",
        "one block of many registers",
        facts(
            [elementwise_kernel(occupancy=0.06, blocks_per_sm=1, threads=128, registers=255, limited_by="registers")]
        ),
        NO_SOURCE,
    ),
    ("few-threads", "one warp", facts([elementwise_kernel(tile=32, threads=32, blocks_per_sm=32)]), NO_SOURCE),
    ("few-threads", "without facts", None, PREFIX.format(tile=128, threads=32, stages=3) + MODULE),
    ("serial-reduction", "a row in one thread", rows, SERIAL.format(accum="float32", guard="tx == 0")),
    ("serial-reduction", "without facts", None, SERIAL.format(accum="float32", guard="tx == 0")),
    (
        "atomic-per-element",
        "a loss",
        facts([elementwise_kernel(atomics=4096.0 * 4096)], outputs=(tensor(1),)),
        ATOMIC,
    ),
    ("atomic-per-element", "without facts", None, ATOMIC),
    ("reduction-every-step", "128 steps", replace(rows, kernels=(replace(row_sum, serial_depth=128.0),)), EACH_STEP),
    ("reduction-every-step", "without facts", None, EACH_STEP),
    ("unfused-kernels", "two kernels", two, NO_SOURCE),
    ("unfused-kernels", "element by element after a sum", other_grid, SCALED),
    ("unfused-kernels", "two sums of the same rows", two, SUM_OF_SUMS),
    ("unfused-epilogue", "add and relu", with_torch, forward("return torch.relu(self.k(x, w) + w)")),
    ("library-compute", "a convolution", conv, forward("return self.k(F.conv2d(x, w))")),
    (
        "kernel-built-in-forward",
        "once a call",
        replace(good, kernels_built_in_forward=1),
        forward("return factory(1, 2, 3)(x, w)"),
    ),
    ("kernel-built-in-forward", "looked up", good, forward("return factory(1, 2, 3)(x, w)")),
    ("kernel-built-in-forward", "without facts", None, forward("kernel = factory(1, 2, 3)\nreturn kernel(x, w)")),
    ("dtype-round-trips", "there and back", casts, forward("return self.k(x.float(), w).half()")),
    ("dtype-round-trips", "without facts", None, forward("return self.k(x.float(), w).to(torch.float16)")),
    ("weights-prepared-in-forward", "transposed", copies, forward("return self.k(x, self.weight.t().contiguous())")),
    (
        "weights-prepared-in-forward",
        "without facts",
        None,
        forward("return self.k(x, self.fc.weight.t().contiguous())"),
    ),
    ("waits-for-gpu", "item", good, forward("return self.k(x, w.max().item())")),
    ("waits-for-gpu", "without facts", None, forward("torch.cuda.synchronize()\nreturn self.k(x, w)")),
    ("layout-copies", "padding", padded, forward("return self.k(F.pad(x, (1, 1)), w)")),
    (
        "launches-in-a-loop",
        "one for each part",
        in_parts,
        forward("for b in range(16):\n    y[b] = self.k(x[b], w)\nreturn y"),
    ),
    ("launches-in-a-loop", "a list", in_parts, forward("return torch.stack([self.k(part) for part in x])")),
    ("launch-bound", "copies of nothing", replace(one_tiny, torch_ops=(("aten::clone", 2),)), NO_SOURCE),
    *cases_of_code.TRIPS,
    *cases_of_runs.TRIPS,
]
SPARES: list[Case] = [
    ("uncoalesced-access", "whole rows", good, NO_SOURCE),
    ("uncoalesced-access", "unknown", facts([elementwise_kernel(coalescing=None)]), NO_SOURCE),
    ("uncoalesced-access", "every second value", facts([elementwise_kernel(coalescing=0.4)]), NO_SOURCE),
    ("bank-conflicts", "threads along the row", stored, ROWS.format(width=128, index="j, tx")),
    ("bank-conflicts", "longer rows", stored, ROWS.format(width=132, index="tx, j")),
    ("no-shared-reuse", "one read", good, NO_SOURCE),
    ("no-shared-reuse", "shared tiles", good_gemm, GEMM),
    ("no-shared-reuse", "a product to be made with T.gemm", gemm_facts(naive_gemm, 1024), NO_SOURCE),
    ("no-shared-reuse", "tensors of its own", facts([elementwise_kernel(global_bytes=3e8, tensor_bytes=1e8)]), ""),
    ("no-shared-reuse", "what PyTorch left", after_torch, NO_SOURCE),
    ("no-shared-reuse", "what another kernel left", after_kernel, NO_SOURCE),
    ("extra-passes", "what PyTorch left", after_torch, NO_SOURCE),
    ("extra-passes", "what another kernel left", after_kernel, NO_SOURCE),
    ("extra-passes", "one pass", good, NO_SOURCE),
    ("extra-passes", "a product", good_gemm, GEMM),
    ("little-work-per-thread", "32 values a thread", good, NO_SOURCE),
    ("little-work-per-thread", "few blocks", facts([elementwise_kernel(65536, tile=256)], elements=65536), NO_SOURCE),
    ("scalar-loads", "tile copies", good_gemm, GEMM),
    ("matmul-without-tensor-cores", "a gemm", good_gemm, GEMM),
    ("matmul-without-tensor-cores", "no product", good, NO_SOURCE),
    ("small-matmul-tile", "128 x 128", good_gemm, GEMM),
    ("small-matmul-tile", "a small problem", gemm_facts(gemm_kernel(256, tile=64), 256), GEMM),
    ("small-matmul-tile", "without facts", None, GEMM),
    ("small-matmul-tile", "as large as its rows permit", few_rows, FEW_ROWS),
    ("wide-operands", "a float32 accumulator", gemm_facts(gemm_kernel(stages=0)), GEMM),
    ("register-spills", "none", gemm_facts(gemm_kernel(spill_bytes=0)), GEMM),
    ("redundant-work", "as much as needed", good_gemm, GEMM),
    ("redundant-work", "a costly function of each element", facts([elementwise_kernel(flops=20.0 * 4096**2)]), GEMM),
    ("fp64-arithmetic", "a float accumulator", good, SERIAL.format(accum="float32", guard="tx == 0")),
    ("no-pipelining", "three stages", good_gemm, GEMM),
    ("no-pipelining", "no tiles", good, NO_SOURCE),
    ("too-few-blocks", "plenty", good, NO_SOURCE),
    ("too-few-blocks", "a product of small tiles", few_products, GEMM),
    ("tail-wave", "many waves", good_gemm, GEMM),
    ("tail-wave", "bound by memory", facts([elementwise_kernel(grid=(1200,))]), NO_SOURCE),
    ("low-occupancy", "full", good, NO_SOURCE),
    ("low-occupancy", "asynchronous copies", good_gemm, GEMM),
    ("low-occupancy", "accumulators", gemm_facts(gemm_kernel(stages=0)), GEMM),
    ("few-threads", "256", good, NO_SOURCE),
    ("serial-reduction", "eight tiles", replace(rows, kernels=(tiled_sum,)), NO_SOURCE),
    ("serial-reduction", "a loop over K", gemm_facts(gemm_kernel(16384, tile_k=32), 16384), GEMM),
    (
        "atomic-per-element",
        "one per block",
        facts([elementwise_kernel(atomics=2048.0)], outputs=(tensor(1),)),
        NO_SOURCE,
    ),
    ("atomic-per-element", "split K adds a tile", gemm_facts(gemm_kernel(atomics=2.0 * 4096**2)), GEMM),
    ("reduction-every-step", "once", replace(rows, kernels=(replace(row_sum, serial_depth=128.0),)), ONCE),
    ("reduction-every-step", "a product's loop", good_gemm, GEMM),
    ("unfused-kernels", "one kernel", good, NO_SOURCE),
    ("unfused-kernels", "a sum of all blocks' sums", other_grid, SUM_OF_SUMS),
    ("unfused-epilogue", "views only", replace(good, torch_ops=(("aten.view.default", 2),)), NO_SOURCE),
    ("library-compute", "own kernels only", good, NO_SOURCE),
    ("kernel-built-in-forward", "kept by shape", None, GEMM),
    ("kernel-built-in-forward", "kept by shape, with facts", good, GEMM),
    ("dtype-round-trips", "one conversion to a device", None, forward("return self.k(x.to('cuda'), w)")),
    (
        "dtype-round-trips",
        "of a few indices",
        replace(indexed, torch_ops=(("aten::_to_copy", 1),)),
        forward("return self.k(x, w.to(torch.int32))"),
    ),
    ("dtype-round-trips", "no copies", good, forward("return self.k(x.half(), w)")),
    ("weights-prepared-in-forward", "an input", None, forward("return self.k(x.t().contiguous(), self.weight)")),
    (
        "weights-prepared-in-forward",
        "nothing was copied",
        good,
        forward("return self.k(x, self.weight.contiguous())"),
    ),
    ("waits-for-gpu", "nothing read", good, GEMM),
    ("layout-copies", "a parameter", copies, forward("return self.k(x, self.weight.t().contiguous())")),
    (
        "layout-copies",
        "views",
        replace(good, torch_ops=(("aten.permute.default", 2),)),
        forward("return self.k(x, w)"),
    ),
    ("launches-in-a-loop", "a recurrence", in_parts, forward("for t in range(16):\n    x = self.k(x, w)\nreturn x")),
    ("launches-in-a-loop", "one launch", good, forward("return [self.k(part) for part in x]")),
    ("launch-bound", "a large problem", good, NO_SOURCE),
    ("launch-bound", "what unfused-kernels says", tiny, NO_SOURCE),
    ("launch-bound", "a sum that takes two", tiny_two, SUM_OF_SUMS),
    *cases_of_code.SPARES,
    *cases_of_runs.SPARES,
]


def found(case: Case) -> list[object]:
    name, _, one, source = case
    rule = next(rule for rule in built_in_rules() if rule.name == name)
    known = evidence(one) if isinstance(one, Facts) else one or Evidence()
    return list(rule.find(Candidate(source), PROBLEM, known))


@pytest.mark.parametrize("case", TRIPS, ids=lambda case: f"{case[0]}: {case[1]}")
def test_a_kernel_with_the_fault_trips_the_rule(case: Case) -> None:
    findings = found(case)
    assert findings, case
    for finding in findings:
        assert finding.rule == case[0]  # type: ignore[attr-defined]
        assert 0 <= finding.saves <= 1 and finding.message and finding.action  # type: ignore[attr-defined]


@pytest.mark.parametrize("case", SPARES, ids=lambda case: f"{case[0]}: {case[1]}")
def test_a_kernel_without_the_fault_is_left_alone(case: Case) -> None:
    assert found(case) == []


def test_every_rule_has_a_kernel_that_trips_it_and_one_that_does_not() -> None:
    names = {rule.name for rule in RULES}
    assert {case[0] for case in TRIPS} == names
    assert {case[0] for case in SPARES} == names


def test_every_rule_has_its_own_name_and_follows_the_protocol() -> None:
    rules = built_in_rules()
    assert len({rule.name for rule in rules}) == len(rules) >= 25
    assert all(isinstance(rule, Rule) for rule in rules)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_a_rules_file_says_what_it_finds_why_that_is_slow_an_example_and_what_to_do(rule: type[Rule]) -> None:
    module = sys.modules[rule.__module__]
    assert module.__name__.rsplit(".", 1)[1] == rule.name.replace("-", "_")
    title, _, parts = (module.__doc__ or "").partition("\n\n")
    assert title.endswith(".") and "\n" not in title
    heads = ["What:", "Slow because:", "Example:", "Instead:"]
    starts = [parts.find(f"\n{head}") if number else parts.find(head) for number, head in enumerate(heads)]
    assert starts[0] == 0 and starts == sorted(starts) and min(starts) >= 0, "What, Slow because, Example, Instead"
    for part in re.split("^(?:What|Slow because|Example|Instead):", parts, flags=re.MULTILINE)[1:]:
        assert len(part.strip()) >= 20
    assert re.search(r"`|\d", parts[starts[2] : starts[3]]), "an example is code, or has sizes"


@pytest.mark.parametrize("rule", built_in_rules(), ids=lambda rule: rule.name)
def test_a_rule_says_nothing_of_what_it_cannot_read(rule: Rule) -> None:
    assert list(rule.find(Candidate("def broken("), PROBLEM, Evidence())) == []
    unknown = replace(good, gpu="a GPU of 2040")
    assert all(0 <= finding.saves <= 1 for finding in rule.find(Candidate(GEMM), PROBLEM, evidence(unknown)))


@pytest.mark.parametrize(
    ("rule_name", "source", "expected"),
    [
        ("no-pipelining", PREFIX.format(tile=128, threads=256, stages=0), "num_stages=num_stages):"),
        ("few-threads", PREFIX.format(tile=128, threads=32, stages=3), "T.Kernel("),
        ("small-matmul-tile", PREFIX.format(tile=32, threads=128, stages=3), "T.gemm("),
        ("atomic-per-element", ATOMIC, "T.atomic_add("),
        ("serial-reduction", SERIAL.format(accum="float32", guard="tx == 0"), "T.serial(dim)"),
        ("kernel-built-in-forward", forward("return factory(1, 2, 3)(x, w)"), "factory(1, 2, 3)(x, w)"),
    ],
)
def test_a_finding_points_at_the_line_that_causes_it(rule_name: str, source: str, expected: str) -> None:
    (finding, *_) = found((rule_name, "", None, source))
    assert expected in source.splitlines()[finding.line - 1]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("rule", "one", "source", "said"),
    [
        ("matmul-without-tensor-cores", gemm_facts(large_gemm), NO_SOURCE, "block_M=128, block_N=256, block_K=64"),
        ("small-matmul-tile", gemm_facts(small_gemm), GEMM, "(512 blocks for the 132 multiprocessors of H100)"),
        (
            "dtype-round-trips",
            casts,
            forward("return self.k(x.float(), w).half()"),
            "2 times; it asks for x to float32 (line 26), self.k(...) to float16 (line 26)",
        ),
        (
            "dtype-round-trips",
            replace(casts, torch_ops=(("aten::_to_copy", 1),)),
            forward("return self.k(x.float(), w)"),
            "types once;",
        ),
        (
            "dtype-round-trips",
            indexed,
            forward("return self.k(x.float(), w.to(torch.int32)).half()"),
            "2 times; it asks for x to float32",
        ),
        ("serial-reduction", rows, SCAN.format(accum="float32", guard="tx == 0"), "T.cumsum it (threads=32, 64,"),
        ("serial-reduction", rows, SOFTMAX.format(accum="float32", guard="tx == 0"), "T.reduce_sum"),
        ("no-pipelining", gemm_facts(gemm_kernel(stages=0)), GEMM, "T.Parallel become cp.async"),
        (
            "little-work-per-thread",
            facts([elementwise_kernel(tile=256)]),
            NO_SOURCE,
            "(8 values of float16); keep 128",
        ),
        (
            "uncoalesced-access",
            replace(rows, kernels=(replace(row_sum, coalescing=0.0625),)),
            SERIAL.format(accum="float32", guard="row >= 0").replace("X[row, j]", "X[tx, j]"),
            "in X[tx, j] neighbouring threads are 65536 values apart. Swap what `tx` and `j` do",
        ),
        (
            "reduction-every-step",
            replace(rows, kernels=(replace(row_sum, serial_depth=128.0),)),
            EACH_STEP,
            "chain of steps is 128 (nested loops multiplied, consecutive ones added)",
        ),
        ("too-few-blocks", facts([elementwise_kernel(grid=(1,), serial_depth=512.0)]), NO_SOURCE, "has 1 block for"),
        ("too-few-blocks", facts([elementwise_kernel(grid=(16,), serial_depth=512.0)]), NO_SOURCE, "8 times as many"),
        (
            "too-few-blocks",
            replace(rows, kernels=(replace(row_sum, grid=(16,), serial_depth=512.0),)),
            EACH_STEP,
            "split the reduction over about 8 blocks each; adding their partial results costs a second launch",
        ),
        (
            "too-few-blocks",
            replace(rows, kernels=(replace(row_sum, grid=(16,), serial_depth=4096.0),)),
            SCAN.format(accum="float32", guard="row >= 0"),
            "one kernel for the pieces'",
        ),
    ],
)
def test_a_finding_says_what_to_do_at_this_shape(rule: str, one: Facts, source: str, said: str) -> None:
    (finding, *_) = found((rule, "", one, source))
    assert said in f"{finding.message}. {finding.action}"  # type: ignore[attr-defined]


def test_a_convolution_is_a_product_for_each_tap() -> None:
    (rule,) = (rule for rule in built_in_rules() if rule.name == "matmul-without-tensor-cores")
    problem = Problem("p", "self.conv = nn.Conv2d(64, 128, 3)")
    (finding,) = rule.find(Candidate(NO_SOURCE), problem, evidence(convolved))
    assert "one T.gemm for each tap of the filter" in finding.action
    assert "weights (output channels x input channels)" in finding.action and "block_K=64" in finding.action
