"""What gates said is used again only while they would say it again."""

from __future__ import annotations

from dataclasses import replace

from tilewright.gates.kernels import OwnKernelGate
from tilewright.gates.static import StaticGate
from tilewright.gates.version import version_of
from tilewright.hardware import load_gpu

GPU = load_gpu("H100")


def test_the_same_gates_for_the_same_gpu_have_one_version() -> None:
    first, again = (version_of([StaticGate(), OwnKernelGate()], load_gpu("H100"), 20.0) for _ in range(2))
    assert first == again


def test_other_gates_another_gpu_and_another_budget_are_other_versions() -> None:
    gates = [StaticGate()]
    versions = {
        version_of(gates, GPU, 20.0),
        version_of([*gates, OwnKernelGate()], GPU, 20.0),
        version_of(gates, replace(GPU, shared_bytes_per_block=1), 20.0),
        version_of(gates, GPU, 60.0),
    }
    assert len(versions) == 4
