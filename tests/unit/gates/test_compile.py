"""The gate over a host that answers from this process, as a runner process would."""

import dataclasses
from concurrent.futures import Future
from typing import Any

import pytest

from tilewright import jsonform
from tilewright.gates.compile import CompileGate
from tilewright.hardware import load_gpu
from tilewright.protocols import Gate
from tilewright.records import Candidate, CompileFailed, Evidence, Execution, Facts, KernelFacts, Problem, Rejected

FITTING = KernelFacts(
    name="k", launches=1, grid=(64, 1, 1), block_threads=256, registers=64, shared_bytes=1024, spill_bytes=0,
    blocks_per_sm=4, occupancy=0.5, limited_by="registers", matmul_flops=0.0, uses_tensor_cores=False, line=7,
)  # fmt: skip


@dataclasses.dataclass
class Answering:
    """A host that has the answer ready."""

    evidence: Evidence
    failure: Any = None

    def call(self, op: str, payload: dict[str, Any], deadline_s: float) -> Future[dict[str, Any]]:
        assert op == "inspect" and payload["gpu"]["name"] == "H100"
        answer: Future[dict[str, Any]] = Future()
        answer.set_result({"evidence": jsonform.to_plain(self.evidence), "failure": jsonform.to_plain(self.failure)})
        return answer


def verdict(kernel: KernelFacts, evidence: Evidence | None = None, failure: Any = None) -> Any:
    found = Evidence(facts=(Facts("H100", "default", (kernel,)),))
    gate = CompileGate(Answering(found, failure), load_gpu("H100"))
    return gate.check(Candidate("kernel"), Problem("p", "reference"), evidence or Evidence())


def test_it_is_a_gate():
    assert isinstance(CompileGate(Answering(Evidence()), load_gpu("H100")), Gate)


def test_a_kernel_that_fits_passes_with_its_facts_and_what_was_known_before():
    before = Evidence(execution=Execution(4, 4), not_checked=("something",))
    passed = verdict(FITTING, before)
    assert passed.failure is None
    assert passed.evidence.facts[0].kernels == (FITTING,)
    assert passed.evidence.execution == before.execution
    assert passed.evidence.warnings == () and passed.evidence.not_checked == ("something",)


def rejected(**change: Any) -> Any:
    failure = verdict(dataclasses.replace(FITTING, **change)).failure
    assert isinstance(failure, Rejected) and failure.gate == "compile"
    (reason,) = failure.reasons
    assert reason.line == 7 and reason.action
    return reason


def test_more_shared_memory_than_a_block_can_have_is_rejected_with_both_numbers():
    reason = rejected(shared_bytes=262144, blocks_per_sm=0, limited_by="shared memory")
    assert "262144 bytes" in reason.message and "232448" in reason.message


def test_more_than_1024_threads_are_rejected():
    assert "2176 threads" in rejected(block_threads=2176, blocks_per_sm=0, limited_by="registers").message


def test_more_registers_than_there_are_is_rejected():
    reason = rejected(block_threads=1024, registers=168, blocks_per_sm=0, limited_by="registers")
    assert "168 registers in each of 1024 threads" in reason.message and "65536" in reason.message


def test_two_workloads_with_the_same_fault_give_one_reason():
    bad = dataclasses.replace(FITTING, shared_bytes=300000)
    found = Evidence(facts=(Facts("H100", "a", (bad,)), Facts("H100", "b", (bad,))))
    failure = (
        CompileGate(Answering(found), load_gpu("H100")).check(Candidate("k"), Problem("p", "r"), Evidence()).failure
    )
    assert isinstance(failure, Rejected) and len(failure.reasons) == 1


@pytest.mark.parametrize(
    ("change", "rule", "number"),
    [
        ({"spill_bytes": 968}, "spills", "968 bytes"),
        ({"matmul_flops": 1e9}, "no-tensor-cores", ""),
        ({"occupancy": 0.125, "blocks_per_sm": 1}, "low-occupancy", "12%"),
    ],
)
def test_what_only_costs_speed_is_a_warning(change, rule, number):
    passed = verdict(dataclasses.replace(FITTING, **change))
    assert passed.failure is None
    assert [w.rule for w in passed.evidence.warnings] == [rule]
    assert number in passed.evidence.warnings[0].message


def test_low_occupancy_is_no_warning_where_tensor_cores_do_the_work():
    kernel = dataclasses.replace(FITTING, occupancy=0.125, matmul_flops=1e9, uses_tensor_cores=True)
    assert verdict(kernel).evidence.warnings == ()


def test_a_kernel_that_did_not_compile_keeps_its_message_line_and_action():
    told = CompileFailed("the name Z is not defined", 14, "Define Z.")
    assert verdict(FITTING, failure=told).failure == told


def test_unknown_resources_are_no_reason_to_reject():
    unknown = KernelFacts(name="k", launches=1, grid=(1, 1, 1), block_threads=128)
    passed = verdict(unknown)
    assert passed.failure is None and passed.evidence.warnings == ()
