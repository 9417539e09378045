"""TileLang candidates on a CPU: executed, rejected, or said to be not checked."""

import pytest

from tilewright import jsonform
from tilewright.channel import WorkerHost
from tilewright.gates.semantic import SemanticGate
from tilewright.records import Candidate, Evaluation, Evidence, Job, Problem, Rejected, Unscorable, Verified, Wrong

REFERENCE = """
import torch
import torch.nn as nn

batch_size = 32

class Model(nn.Module):
    def forward(self, x):
        return torch.relu(x) * 2

def get_inputs():
    return [torch.randn(batch_size, 512)]

def get_init_inputs():
    return []
"""

KERNEL = """
import tilelang
import tilelang.language as T
import torch


@tilelang.jit(out_idx=[-1])
def scaled_relu(rows, columns):
    @T.prim_func
    def main(X: T.Tensor((rows, columns), "float16"), Y: T.Tensor((rows, columns), "float16")):
        with T.Kernel(rows, threads=128) as row:
            for j in T.Parallel(columns):
                Y[row, j] = T.max(X[row, j], T.float16(0)) * T.float16(2)

    return main


class ModelNew(torch.nn.Module):
    def forward(self, x):
        return scaled_relu(x.shape[0], x.shape[1])(x)
"""

PROBLEM = Problem("Scaled_ReLU", REFERENCE)


def test_a_right_kernel_passes_and_says_what_was_executed(cpu_host: WorkerHost) -> None:
    verdict = SemanticGate(cpu_host, budget_s=20).check(Candidate(KERNEL), PROBLEM, Evidence())
    assert verdict.failure is None
    execution = verdict.evidence.execution
    assert execution is not None
    assert (execution.blocks, execution.of) == (32, 32)
    assert execution.batch_reduced == "" and not execution.not_checked
    assert execution.error_ratio is not None and execution.error_ratio <= 16


def test_a_kernel_that_forgets_columns_is_wrong(cpu_host: WorkerHost) -> None:
    short = Candidate(KERNEL.replace("T.Parallel(columns)", "T.Parallel(columns - 64)"))
    verdict = SemanticGate(cpu_host, budget_s=20).check(short, PROBLEM, Evidence())
    assert isinstance(verdict.failure, Wrong)
    assert "columns 448 and up" in verdict.failure.mismatch.message


SUMS = """
import tilelang
import tilelang.language as T
import torch


@tilelang.jit
def row_sums(rows, columns):
    @T.prim_func
    def main(X: T.Tensor((rows, columns), "float16"), Y: T.Tensor((rows,), "float32")):
        with T.Kernel(rows, threads=128) as row:
            part = T.alloc_fragment((columns,), "float32")
            total = T.alloc_fragment((1,), "float32")
            T.copy(X[row, 0], part)
            T.reduce_sum(part, total, dim=0)
            T.atomic_add(Y[row], total[0])

    return main


class ModelNew(torch.nn.Module):
    def forward(self, x):
        y = torch.zeros(x.shape[0], dtype=torch.float32, device=x.device)
        row_sums(x.shape[0], x.shape[1])(x, y)
        return y
"""


def test_a_wrong_value_is_explained_by_what_every_thread_adds(cpu_host: WorkerHost) -> None:
    summed = Problem("Sums", REFERENCE.replace("torch.relu(x) * 2", "x.float().sum(dim=1)"))
    verdict = SemanticGate(cpu_host, budget_s=20).check(Candidate(SUMS), summed, Evidence())
    assert isinstance(verdict.failure, Wrong)
    assert verdict.failure.mismatch.cause.startswith(
        "line 16: an atomic add of one value is executed by every thread"
    )


def test_an_access_out_of_bounds_is_rejected_with_its_line(cpu_host: WorkerHost) -> None:
    beyond = '            s = T.alloc_shared((columns,), "float16")\n            for j in T.serial(columns + 1):\n'
    beyond += "                s[j] = T.float16(0)\n            for j in T.Parallel"
    outside = Candidate(KERNEL.replace("            for j in T.Parallel", beyond))
    verdict = SemanticGate(cpu_host, budget_s=20).check(outside, PROBLEM, Evidence())
    assert isinstance(verdict.failure, Rejected)
    assert verdict.failure.gate == "semantic"
    assert verdict.failure.reasons[0].rule


def test_a_batch_too_large_for_the_time_is_made_smaller_and_said_so(cpu_host: WorkerHost) -> None:
    large = Problem("Scaled_ReLU", REFERENCE.replace("batch_size = 32", "batch_size = 1 << 20"))
    verdict = SemanticGate(cpu_host, budget_s=20).check(Candidate(KERNEL), large, Evidence())
    assert verdict.failure is None
    assert verdict.evidence.execution is not None
    assert verdict.evidence.execution.batch_reduced == "batch_size 1048576 -> 4"


def test_what_is_too_large_for_the_time_is_not_checked(cpu_host: WorkerHost) -> None:
    source = REFERENCE.replace("batch_size = 32", "rows = 1 << 20").replace("batch_size", "rows")
    verdict = SemanticGate(cpu_host, budget_s=5).check(Candidate(KERNEL), Problem("Large", source), Evidence())
    assert verdict.failure is None
    assert verdict.evidence.execution is not None
    assert verdict.evidence.execution.blocks == 0
    assert "too big" in verdict.evidence.execution.not_checked[0]


@pytest.mark.parametrize(("source", "kind"), [(KERNEL, Verified), (KERNEL.replace("(2)", "(3)"), Wrong)])
def test_without_a_gpu_a_kernel_is_verified_and_not_timed(cpu_host: WorkerHost, source: str, kind: type) -> None:
    job = Job(Candidate(source), PROBLEM, deadline_s=30)
    answer = cpu_host.call("measure", {"job": jsonform.to_plain(job)}, 30).result(60)
    evaluation = jsonform.from_plain(Evaluation, answer["evaluation"])
    assert isinstance(evaluation, kind)
    if isinstance(evaluation, Verified):
        assert evaluation.cpu_ratio is None


FUNCTION_REFERENCE = """
import torch

def matmul(a, b):
    return a @ b
"""

FUNCTION_KERNEL = """
import tilelang
import tilelang.language as T


@tilelang.jit(out_idx=[-1])
def matmul(M=128, N=64, K=96, block=32):
    @T.prim_func
    def main(A: T.Tensor((M, K), "float16"), B: T.Tensor((K, N), "float16"), C: T.Tensor((M, N), "float16")):
        with T.Kernel(T.ceildiv(N, block), T.ceildiv(M, block), threads=128) as (bx, by):
            a = T.alloc_shared((block, block), "float16")
            b = T.alloc_shared((block, block), "float16")
            c = T.alloc_fragment((block, block), "float")
            T.clear(c)
            for k in T.Pipelined(T.ceildiv(K, block), num_stages=2):
                T.copy(A[by * block, k * block], a)
                T.copy(B[k * block, bx * block], b)
                T.gemm(a, b, c)
            T.copy(c, C[by * block, bx * block])

    return main
"""


def test_a_function_may_be_given_as_a_factory_with_defaults(cpu_host: WorkerHost) -> None:
    from tilewright.records import InputSpec, Workload

    workload = Workload(inputs=(InputSpec((128, 96), "fp16"), InputSpec((96, 64), "fp16")))
    problem = Problem("matmul", FUNCTION_REFERENCE, form="function", entry_point="matmul", workloads=(workload,))
    gate = SemanticGate(cpu_host, budget_s=20)
    right = Candidate(FUNCTION_KERNEL, form="function", entry_point="matmul")
    verdict = gate.check(right, problem, Evidence())
    assert verdict.failure is None and verdict.evidence.execution is not None
    assert verdict.evidence.execution.blocks == 8
    wrong = Candidate(FUNCTION_KERNEL.replace("T.clear(c)", "T.fill(c, 1)"), form="function", entry_point="matmul")
    assert isinstance(gate.check(wrong, problem, Evidence()).failure, Wrong)
    plain = Candidate("def matmul(a, b):\n    return a.float().matmul(b.float()).half()\n", "function", "matmul")
    assert gate.check(plain, problem, Evidence()).failure is None


def test_a_reference_that_cannot_be_imported_is_not_the_kernels_fault(cpu_host: WorkerHost) -> None:
    broken = Problem("Broken", "import nothing_of_that_name\n" + REFERENCE)
    verdict = SemanticGate(cpu_host, budget_s=20).check(Candidate(KERNEL), broken, Evidence())
    assert isinstance(verdict.failure, Unscorable)


def test_inputs_of_a_shared_leading_size_shrink_alone() -> None:
    """Two operands of a product share an extent that is not a batch: only a lone input is made smaller."""
    from tilewright.records import InputSpec, Workload
    from tilewright.worker.executing import _with_leading

    workload = Workload(inputs=(InputSpec((4096, 64), "fp16"),))
    assert _with_leading(workload, 4).inputs == (InputSpec((4, 64), "fp16"),)


def test_an_input_that_is_a_number_reaches_reference_and_kernel(cpu_host: WorkerHost) -> None:
    reference = REFERENCE.replace("def forward(self, x)", "def forward(self, x, factor)")
    reference = reference.replace("relu(x) * 2", "relu(x) * factor").replace("512)]", "512), 2.0]")
    kernel = KERNEL.replace("def forward(self, x)", "def forward(self, x, factor)")
    gate = SemanticGate(cpu_host, budget_s=20)
    assert gate.check(Candidate(kernel), Problem("number", reference), Evidence()).failure is None
    other = Problem("other number", reference.replace("2.0]", "3.0]"))
    assert isinstance(gate.check(Candidate(kernel), other, Evidence()).failure, Wrong)


@pytest.mark.parametrize(("name", "small"), [("M", 512), ("N", 1024)])
def test_rows_are_reduced_where_no_batch_has_a_name(name: str, small: int, cpu_host: WorkerHost) -> None:
    reference = REFERENCE.replace("batch_size = 32", f"{name} = 400_000").replace("batch_size", name)
    verdict = SemanticGate(cpu_host, budget_s=20).check(Candidate(KERNEL), Problem("rows", reference), Evidence())
    assert verdict.failure is None and verdict.evidence.execution is not None
    assert verdict.evidence.execution.batch_reduced == f"{name} 400000 -> {small}"
