"""The guidelines of each tier, at its boundaries, and how findings reorder them."""

from __future__ import annotations

import math
import re
from pathlib import Path

import pytest

from tilewright.guidelines import create_optimization_guidelines, tiers
from tilewright.records import Finding
from tilewright.wording.instructions import instructions


def topics(speedup: float, iteration: int = 0, **more: object) -> list[str]:
    lines = create_optimization_guidelines(speedup, iteration, **more)  # type: ignore[arg-type]
    return [line.split(":")[0] for line in lines[1:]]


CRITICAL = [
    "Memory bandwidth",
    "Shared memory",
    "Locality",
    "Mixed precision",
    "Tensor cores",
    "Host",
    "Serial chains",
]
SLOW = ["Thread blocks", "Coalescing", "Register tiling", "Rebalancing"]
NEAR = ["Pipelining", "Architecture, Hopper", "Block and thread counts", "Instructions"]
FAST = [
    "Advanced techniques",
    "Memory hierarchy",
    "Architecture, Hopper and Blackwell",
    "Packed arithmetic",
    "Boundaries",
]
GOLDEN = Path(__file__).with_name("guidelines_golden.md")
BOUNDARIES = (0.0, 0.4999, 0.5, 0.7999, 0.8, 1.1999, 1.2, 60.0)


@pytest.mark.parametrize(
    ("speedup", "expected"),
    [
        (0.0, CRITICAL),
        (0.499, CRITICAL),
        (0.5, SLOW),
        (0.799, SLOW),
        (0.8, NEAR),
        (1.199, NEAR),
        (1.2, FAST),
        (60.0, FAST),
    ],
)
def test_a_speedup_gets_the_lines_of_its_tier(speedup: float, expected: list[str]) -> None:
    assert topics(speedup, gpu="H100") == expected


def test_the_text_at_each_boundary_is_the_golden_one() -> None:
    """After a change of the words: write `rendered()` there, and read the difference."""
    assert rendered() == GOLDEN.read_text(encoding="utf-8")


def rendered() -> str:
    parts = []
    for precision in ("fp16", "fp32"):
        for speedup in BOUNDARIES:
            lines = create_optimization_guidelines(speedup, 1, precision=precision, gpu="H100")  # type: ignore[arg-type]
            parts.append(f"## {speedup}x at {precision}\n" + "".join(f"- {line}\n" for line in lines))
    return "\n".join(parts)


def test_the_first_line_says_where_the_kernel_stands() -> None:
    (first, *_) = create_optimization_guidelines(0.312, 0, share_of_limit=0.27, gpu="H100")
    assert first == (
        "0.312x on H100, 27% of what the hardware allows. The kernel takes more than twice as long as the "
        "reference: change its structure before its parameters."
    )


def test_fp32_gets_no_advice_to_lower_the_precision() -> None:
    assert not {"Mixed precision", "Tensor cores"} & set(topics(0.3, precision="fp32"))
    for speedup in BOUNDARIES:
        lines = create_optimization_guidelines(speedup, 9, precision="fp32")[1:]
        assert not [line for line in lines if re.search("16-bit|fp16|half", line)]
    assert {"Mixed precision", "Tensor cores"} <= set(topics(0.3, precision="bf16"))


def test_each_gpu_gets_the_lines_of_its_architecture() -> None:
    def architectures(gpu: str) -> list[str]:
        return [topic for topic in topics(1.0, gpu=gpu) if topic.startswith("Architecture")]

    assert architectures("L4") == architectures("A100") == ["Architecture, Ampere and Ada"]
    assert architectures("B200") == ["Architecture, Blackwell"] and architectures("T4") == ["Architecture, Turing"]
    assert len(architectures("a GPU of 2040")) == 4


def test_a_kernel_at_its_limit_is_to_be_left_alone() -> None:
    at_limit = create_optimization_guidelines(1.4, 5, share_of_limit=0.95)
    assert len(at_limit) == 2 and at_limit[1].startswith("Near optimal")
    assert len(create_optimization_guidelines(1.4, 5, share_of_limit=0.949)) > 2


def test_far_from_the_limit_structure_comes_first_whatever_the_speedup() -> None:
    far = create_optimization_guidelines(3.0, 0, share_of_limit=0.24)
    assert far[1].startswith("The reference is slow here, too")
    for line in (
        create_optimization_guidelines(3.0, 0, share_of_limit=0.25)[1],
        create_optimization_guidelines(0.3, 0, share_of_limit=0.1)[1],
    ):
        assert not line.startswith("The reference is slow")


def test_lines_that_answer_a_finding_come_first_and_the_finding_is_named() -> None:
    finding = Finding(
        "kernel-built-in-forward", "host", "critical", "forward builds a kernel", "Build it once.", saves=0.9
    )
    lines = create_optimization_guidelines(0.3, 0, findings=[finding])
    assert lines[1] == "forward builds a kernel. Build it once." and lines[2].startswith("Host")


def test_three_findings_are_named_at_most() -> None:
    findings = [Finding(f"r{i}", "memory", "low", f"message {i}", "Act.") for i in range(5)]
    lines = create_optimization_guidelines(0.9, 0, findings=findings)
    assert [line for line in lines if line.startswith("message")] == [f"message {i}. Act." for i in range(3)]


def test_later_iterations_get_more_to_try() -> None:
    assert set(topics(0.6, 0)) < set(topics(0.6, 1)) < set(topics(0.6, 3))
    assert create_optimization_guidelines(0.6, 3)[-1].startswith("Several attempts have been made")


def test_the_same_arguments_give_the_same_lines() -> None:
    assert create_optimization_guidelines(0.7, 2) == create_optimization_guidelines(0.7, 2)


@pytest.mark.parametrize("speedup", [-0.1, math.nan, math.inf])
def test_what_is_no_speedup_raises(speedup: float) -> None:
    with pytest.raises(ValueError, match="current_speedup"):
        create_optimization_guidelines(speedup, 0)


def test_no_line_advises_what_the_notes_on_tilelang_do_not_show() -> None:
    notes = instructions("tilelang")
    for line in (line.text for tier in tiers() for line in tier.lines):
        assert all(name in notes for name in re.findall(r"\bT\.\w+|\bnum_stages\b", line)), line
        assert not re.search("cluster|multicast|tensor memory", line)


def test_tiers_cover_every_speedup_once() -> None:
    edges = [(tier.lowest, tier.below) for tier in tiers()]
    assert edges == [(0.0, 0.5), (0.5, 0.8), (0.8, 1.2), (1.2, math.inf)]
