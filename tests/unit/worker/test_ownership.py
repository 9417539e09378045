"""Whose kernels did the work? Judged by a census, by a forward without the kernels, and by source and facts."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import pytest
import tilelang
import tilelang.language as T
import torch

from tilewright import jsonform
from tilewright.channel import WorkerHost
from tilewright.gates.semantic import SemanticGate
from tilewright.records import Candidate, Evaluation, Evidence, Facts, Job, KernelFacts, Problem, Rejected, Verified
from tilewright.toolchain.intercept import intercept
from tilewright.worker import ownership
from tilewright.worker.ownership import Ablation, Census
from tilewright.worker.running.ablation import Ablated, written_parameters
from tilewright.worker.running.census import MOST_NAMES, Activity, summary

REFERENCE = """
import torch
import torch.nn as nn

class Model(nn.Module):
    def forward(self, x):
        return torch.softmax(x, dim=1) * 2

def get_inputs():
    return [torch.randn(32, 128)]
"""
PROBLEM = Problem("Scaled_Softmax", REFERENCE, precision="fp32")

KERNEL = """
import tilelang
import tilelang.language as T
import torch


@tilelang.jit(out_idx=[-1])
def doubled(rows, columns):
    @T.prim_func
    def double(X: T.Tensor((rows, columns), "float32"), Y: T.Tensor((rows, columns), "float32")):
        with T.Kernel(rows, threads=128) as row:
            for j in T.Parallel(columns):
                Y[row, j] = X[row, j] * 2

    return double


@tilelang.jit
def doubled_in_place(rows, columns):
    @T.prim_func
    def double(Y: T.Tensor((rows, columns), "float32")):
        with T.Kernel(rows, threads=128) as row:
            for j in T.Parallel(columns):
                Y[row, j] = Y[row, j] * 2

    return double


class ModelNew(torch.nn.Module):
    def forward(self, x):
        soft = torch.softmax(x, dim=1)
        return doubled(*x.shape)(soft)
"""
LAST = "        return doubled(*x.shape)(soft)\n"


def job(source: str = KERNEL, **more: object) -> Job:
    return Job(Candidate(source), PROBLEM, effort="quick", deadline_s=30, **more)  # type: ignore[arg-type]


def evaluated(host: WorkerHost, what: Job) -> Evaluation:
    answer = host.call("measure", {"job": jsonform.to_plain(what)}, 30).result(60)
    return jsonform.from_plain(Evaluation, answer["evaluation"])


def rules(failure: object) -> list[str]:
    assert isinstance(failure, Rejected) and failure.gate == "ownership"
    assert all(reason.action for reason in failure.reasons)
    return [reason.rule for reason in failure.reasons]


@pytest.mark.parametrize(
    "ending",
    [
        LAST,
        "        doubled_in_place(*x.shape)(soft)\n        return soft\n",
        "        peak = doubled(*x.shape)(x).amax(dim=1, keepdim=True) / 2\n"
        "        e = torch.exp(x - peak)\n        return e / e.sum(dim=1, keepdim=True) * 2\n",
    ],
    ids=["its result is returned", "in place", "only for numerical reasons"],
)
def test_a_kernel_whose_result_matters_is_none_of_a_decoy(cpu_host: WorkerHost, ending: str) -> None:
    assert isinstance(evaluated(cpu_host, job(KERNEL.replace(LAST, ending))), Verified)


@pytest.mark.parametrize(
    "ending",
    [
        "        doubled(*x.shape)(soft)\n        return soft * 2\n",
        "        return soft * 2 + 0 * doubled(*x.shape)(soft)\n",
        "        y = doubled(*x.shape)(soft)\n        return torch.where(y.isnan(), y, soft * 2)\n",
        "        doubled_in_place(*x.shape)(soft.clone())\n        return soft * 2\n",
    ],
    ids=["not used", "times zero", "used where it is no number", "of a copy in place"],
)
def test_a_kernel_that_outputs_owe_nothing_is_a_decoy(cpu_host: WorkerHost, ending: str) -> None:
    failure = evaluated(cpu_host, job(KERNEL.replace(LAST, ending)))
    assert rules(failure) == ["decoy-kernel"]


def test_a_kernel_that_is_never_launched_is_rejected_with_its_line(cpu_host: WorkerHost) -> None:
    failure = evaluated(cpu_host, job(KERNEL.replace(LAST, "        return soft * 2\n")))
    assert rules(failure) == ["kernel-not-launched"]
    assert isinstance(failure, Rejected) and failure.reasons[0].line == 10
    verdict = SemanticGate(cpu_host, budget_s=20).check(
        Candidate(KERNEL.replace(LAST, "        return soft * 2\n")), PROBLEM, Evidence()
    )
    assert rules(verdict.failure) == ["kernel-not-launched"]


def test_at_a_smaller_size_a_kernel_may_be_left_out() -> None:
    taken = ownership.verdict(job(), Census(), Ablation(right=True), None, full_size=False)
    assert taken is None


def test_kernels_that_ran_by_another_way_are_no_decoys() -> None:
    """A CUDA graph replays them: no launch could be left out."""
    assert ownership.verdict(job(), Census(), Ablation(right=True, ran=1), None) is None
    own = ownership.shares(summary([Activity("double_kernel", 0, 5, 7)]), {"double"})
    assert ownership.verdict(job(), own, Ablation(right=True), None) is None


MIXED = [
    Activity("double_kernel", 0.0, 4.0, 7),
    Activity("void cutlass::Kernel2<cutlass_80_tensorop>(Params)", 4.5, 20.5, 7),
    Activity("double_kernel_1", 21.0, 25.0, 7),
    Activity("Memcpy DtoD (Device -> Device)", 25.0, 26.0, 13),
]


def test_a_census_tells_the_candidates_kernels_from_a_librarys() -> None:
    taken = ownership.shares(summary(MIXED), {"double"})
    assert [(kernel.own, kernel.launches) for kernel in taken.shares] == [
        (False, 1),
        (True, 1),
        (True, 1),
        (False, 1),
    ]
    assert taken.own_share == pytest.approx(8 / 25) and (taken.busy_us, taken.streams) == (25.0, 2)
    assert not ownership.is_own("sm80_xmma_gemm_f16f16_tn_kernel", {"double"})


def test_a_census_stays_small() -> None:
    many = [Activity(f"kernel_{number}_{'x' * 300}", 0.0, float(number), 0) for number in range(1, 101)]
    rows = summary(many)["kernels"]
    assert len(rows) == MOST_NAMES + 1 and rows[-1][:2] == ["36 others", 36]
    assert sum(us for _, _, us in rows) == sum(range(1, 101))
    assert summary([]) == {"kernels": [], "streams": 0}


def test_under_own_kernels_most_of_the_time_must_be_in_tilelang_kernels() -> None:
    taken = ownership.shares(summary(MIXED), {"double"})
    assert ownership.verdict(job(), taken, Ablation(), None) is None
    failure = ownership.verdict(job(policy="own-kernels"), taken, Ablation(), None)
    assert rules(failure) == ["library-kernels"]
    assert failure is not None and "32%" in failure.reasons[0].message and "cutlass" in failure.reasons[0].message


FACTS = Facts(
    "H100",
    "default",
    (KernelFacts("double", 1, (1,), 128),),
    torch_ops=(("aten.addmm.default", 2), ("aten.relu.default", 1)),
)


@pytest.mark.parametrize(("flops", "rejected"), [(1e6, False), (9e6, True)])
def test_under_own_kernels_the_problems_products_are_not_left_to_pytorch(flops: float, rejected: bool) -> None:
    facts = dataclasses.replace(FACTS, torch_flops=flops, reference_flops=1e7)
    what = job(policy="own-kernels", evidence=Evidence(facts=(facts,)))
    failure = ownership.refused(what)
    assert (failure is not None) == rejected
    if failure:
        assert rules(failure) == ["library-products"] and "90%" in failure.reasons[0].message
        assert failure.reasons[0].message.endswith("addmm")
    assert ownership.refused(dataclasses.replace(what, policy="report")) is None


def test_under_own_kernels_there_must_be_one() -> None:
    source = "import torch\nclass ModelNew(torch.nn.Module):\n    def forward(self, x):\n        return x\n"
    assert rules(ownership.refused(job(source, policy="own-kernels"))) == ["no-own-kernel"]
    assert ownership.refused(job(source)) is None


def test_under_own_kernels_pytorchs_compiler_does_not_do_the_work() -> None:
    source = KERNEL + "\n\nfast = torch.compile(torch.softmax)\n"
    assert rules(ownership.refused(job(source, policy="own-kernels"))) == ["torch-compile"]


def test_what_a_kernel_would_write_is_found_however_it_writes() -> None:
    @T.prim_func
    def main(
        A: T.Tensor((64, 64), "float32"),
        B: T.Tensor((64, 64), "float32"),
        C: T.Tensor((64,), "float32"),
        D: T.Tensor((64, 64), "float32"),
    ):
        with T.Kernel(1, threads=64):
            tile = T.alloc_shared((64, 64), "float32")
            T.copy(A, tile)
            T.copy(tile, B)
            flat = T.reshape(D, (4096,))
            for i in T.Parallel(64):
                T.atomic_add(C[i], A[i, 0])
                flat[i] = A[i, 1]

    assert written_parameters(main) == {1, 2, 3}


def test_in_place_of_a_launch_its_outputs_are_overwritten() -> None:
    @tilelang.jit(out_idx=[1, 2])
    def factory(n):
        @T.prim_func
        def main(X: T.Tensor((n,), "float16"), Y: T.Tensor((n,), "float16"), Z: T.Tensor((n,), "int32")):
            with T.Kernel(1, threads=32):
                for i in T.Parallel(n):
                    Y[i] = X[i]
                    Z[i] = i

        return main

    def never(kernel: object, args: object) -> object:
        raise AssertionError("launched")

    with intercept(never), torch.no_grad():
        ablated = Ablated(lambda x: factory(64)(x + 1))
        values, places = ablated(torch.zeros(64, dtype=torch.float16))
    assert set(values.tolist()) == {-1e4, 1e4} and int(places.min()) > 1 << 30
    assert ablated.seen == {"skipped": 1, "ran": 0, "operations": ["aten.add.Tensor"], "flops": 0.0}


@pytest.mark.skipif(shutil.which("g++") is None, reason="no compiler for kernels that run on the CPU")
def test_a_compiled_kernel_is_left_out_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TILELANG_CACHE_DIR", str(tmp_path))

    @tilelang.jit(target="c")
    def doubled(X: T.Tensor((64,), "float32")):
        Y = T.empty((64,), "float32")
        with T.Kernel(4) as block:
            for i in T.serial(16):
                Y[block * 16 + i] = X[block * 16 + i] * 2
        return Y

    x, ablated = torch.ones(64), Ablated(doubled)
    assert torch.equal(doubled(x), x * 2)
    assert set(ablated(x).tolist()) == {-1e4, 1e4} and ablated.seen["skipped"] == 1
    assert torch.equal(doubled(x), x * 2)
