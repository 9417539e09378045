import time

import pytest
from sample_candidates import KERNEL_LINE, PROBLEM, TWO_SIZES, candidate

from tilewright import jsonform
from tilewright.records import Evidence, TensorAccess
from tilewright.toolchain.facts import gather
from tilewright.toolchain.programs import find_nvcc, find_nvdisasm

needs_nvcc = pytest.mark.skipif(find_nvcc() is None, reason="nvcc is not installed")


@needs_nvcc
def test_facts_of_a_candidate_hold_what_source_code_and_binary_say():
    evidence, failure = gather(candidate(), PROBLEM, "H100", deadline_s=60)
    assert failure is None
    (facts,) = evidence.facts
    (kernel,) = facts.kernels
    assert (facts.gpu, facts.workload) == ("H100", "default")
    assert (kernel.name, kernel.line, kernel.grid, kernel.block_threads) == (
        "scale_kernel",
        KERNEL_LINE,
        (64, 1, 1),
        128,
    )
    assert kernel.global_bytes == 2 * 64 * 128 * 2
    assert kernel.registers is not None and kernel.blocks_per_sm == 16 and kernel.occupancy == 1.0
    assert kernel.uses_tensor_cores is False and kernel.spill_bytes == 0
    assert facts.torch_ops == (("aten.addmm.default", 1),)
    assert facts.torch_flops == 2 * 64 * 128 * 128


@needs_nvcc
def test_every_workload_has_its_own_facts_and_evidence_travels_as_json():
    evidence, failure = gather(candidate(), TWO_SIZES, "A100", deadline_s=60)
    assert failure is None
    assert [(f.workload, f.kernels[0].grid) for f in evidence.facts] == [
        ("default", (64, 1, 1)),
        ("tall", (4096, 1, 1)),
    ]
    assert jsonform.loads(Evidence, jsonform.dumps(evidence)) == evidence


@needs_nvcc
def test_a_candidate_seen_before_costs_no_compilation():
    gather(candidate(), PROBLEM, "H100", deadline_s=60)
    started = time.monotonic()
    evidence, _ = gather(candidate(), PROBLEM, "H100", deadline_s=60)
    assert time.monotonic() - started < 1.0
    assert evidence.facts[0].kernels[0].registers is not None


@needs_nvcc
def test_where_nobody_wants_the_instructions_all_else_is_there_and_nothing_is_missed(monkeypatch):
    monkeypatch.setattr("tilewright.toolchain.together.disassembly", lambda binary: pytest.fail("looked into"))
    unseen = candidate(("X[row, j] * factor", "X[row, j] * factor - 3"))
    evidence, failure = gather(unseen, PROBLEM, "H100", deadline_s=60, instructions=False)
    (kernel,) = evidence.facts[0].kernels
    assert failure is None and kernel.registers is not None and kernel.instructions is None
    assert evidence.unread == () and evidence.not_checked == ()


@needs_nvcc
@pytest.mark.skipif(find_nvdisasm() is None, reason="nvdisasm is not installed")
def test_machine_instructions_are_told_with_the_lines_that_they_are_for():
    evidence, failure = gather(candidate(), PROBLEM, "H100", deadline_s=60)
    (kernel,) = evidence.facts[0].kernels
    assert failure is None and evidence.not_checked == ()
    assert kernel.instructions is not None and kernel.instructions.global_stores == ((16, 1),)
    assert kernel.accesses == (
        TensorAccess("X", "load", ((16, 1),), (), (KERNEL_LINE + 3,)),
        TensorAccess("Y", "store", ((16, 1),), (), (KERNEL_LINE + 3,)),
    )


@needs_nvcc
def test_without_nvdisasm_all_else_is_there_and_what_is_missing_is_said(monkeypatch, tmp_path):
    monkeypatch.setattr("tilewright.toolchain.disassemble.find_nvdisasm", lambda: None)
    monkeypatch.setattr("tilewright.toolchain.facts.find_nvdisasm", lambda: None)
    unseen = candidate(("X[row, j] * factor", "X[row, j] * factor + 1"))
    evidence, failure = gather(unseen, PROBLEM, "H100", deadline_s=60)
    (kernel,) = evidence.facts[0].kernels
    assert failure is None and kernel.registers is not None
    assert kernel.instructions is None and kernel.loop_instructions is None and kernel.accesses is None
    assert evidence.unread == (
        "machine instructions: nvdisasm is not installed here (pip install nvidia-cuda-nvdisasm)",
    )


def test_without_nvcc_the_counts_are_there_and_what_is_missing_is_said(monkeypatch, tmp_path):
    monkeypatch.setenv("CUDA_HOME", str(tmp_path))
    evidence, failure = gather(candidate(), PROBLEM, "H100", deadline_s=60)
    (kernel,) = evidence.facts[0].kernels
    assert failure is None
    assert kernel.global_bytes == 2 * 64 * 128 * 2 and kernel.registers is None and kernel.occupancy is None
    assert evidence.not_checked == ("registers, spills and occupancy: nvcc is not installed here",)


def test_a_pipeline_that_copies_synchronously_is_warned_of():
    slow = candidate(
        ("            for j in T.Parallel(columns):\n                Y[row, j] = X[row, j] * factor",
         "            a = T.alloc_shared((16, 128), 'float32')\n"
         "            c = T.alloc_fragment((16, 128), 'float32')\n"
         "            T.clear(c)\n"
         "            for k in T.Pipelined(4, num_stages=2):\n"
         "                for i, j in T.Parallel(16, 128):\n"
         "                    a[i, j] = T.cast(X[k * 16 + i, j], 'float32') * 2.0\n"
         "                for i, j in T.Parallel(16, 128):\n"
         "                    c[i, j] += a[i, j]\n"
         "            for j in T.Parallel(columns):\n"
         "                Y[row, j] = c[0, j]"),
    )  # fmt: skip
    evidence, failure = gather(slow, PROBLEM, "H100", deadline_s=60)
    assert failure is None
    assert [w.rule for w in evidence.warnings] == ["synchronous-pipeline"]
