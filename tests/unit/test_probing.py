"""A GPU that is here is known by what it reached, not by what the table says of others."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import replace
from typing import Any

import pytest

from tilewright import jsonform
from tilewright.errors import WorkerError
from tilewright.hardware import Ceilings, add_gpu, load_gpu
from tilewright.targets import Target, gpu_of

REACHED = Ceilings(2.9e12, fp16_flops=700e12, fp32_flops=51e12, launch_s=2.2e-6, bf16_flops=720e12, tf32_flops=380e12)
PROPERTIES = {
    "major": 9, "minor": 0, "sms": 114, "shared_bytes_per_block": 232448, "shared_bytes_per_sm": 233472,
    "registers_per_sm": 65536, "max_threads_per_sm": 2048, "l2_bytes": 52428800, "clock_hz": 1.7e9,
    "memory_clock_hz": 0.0, "memory_bus_bits": 0,
}  # fmt: skip


class Answering:
    """The end of a line to a host that knows its GPU."""

    def __init__(self, probe: dict[str, Any] | Exception) -> None:
        self._answers: dict[str, dict[str, Any] | Exception] = {
            "probe": probe,
            "describe": {"properties": PROPERTIES},
        }
        self.asked: list[str] = []

    def call(self, op: str, payload: dict[str, Any], deadline_s: float) -> Future[dict[str, Any]]:
        self.asked.append(op)
        answer, future = self._answers[op], Future[dict[str, Any]]()
        future.set_exception(answer) if isinstance(answer, Exception) else future.set_result(answer)
        return future


def listed(name: str) -> Target:
    """A GPU of the table with a name of its own, so that other tests find the table as it is."""
    add_gpu(replace(load_gpu("H100"), name=name, aliases=(), device_names=()))
    return Target("local", name, "here")


def test_a_gpu_that_is_here_is_probed_once() -> None:
    host, target = Answering({"ceilings": jsonform.to_plain(REACHED), "why_not": ""}), listed("Probed Once")
    first = gpu_of(target, host)  # type: ignore[arg-type]
    assert first.probed and first.measured_copy_bytes_per_s == 2.9e12
    assert gpu_of(target, host) == load_gpu("Probed Once") == first and host.asked == ["probe"]  # type: ignore[arg-type]


def test_a_gpu_that_is_not_in_the_table_is_read_from_the_device_and_probed() -> None:
    host = Answering({"ceilings": jsonform.to_plain(REACHED), "why_not": ""})
    found = gpu_of(Target("local", "NVIDIA Unlisted 114", "here"), host)  # type: ignore[arg-type]
    assert host.asked == ["describe", "probe"] and found.sms == 114
    assert found.memory_bytes_per_s == 2.9e12  # the driver did not tell


@pytest.mark.parametrize(
    ("name", "answer", "why"),
    [
        ("Shared One", {"ceilings": None, "why_not": "another process uses it"}, "another process uses it"),
        ("Broken One", WorkerError("Traceback:\n  ...\nRuntimeError: CUDA error"), "RuntimeError: CUDA error"),
    ],
)
def test_without_a_probe_the_table_holds_and_the_reason_is_kept(
    name: str, answer: dict[str, Any] | Exception, why: str
) -> None:
    host, target = Answering(answer), listed(name)
    found = gpu_of(target, host)  # type: ignore[arg-type]
    assert not found.probed and why in found.not_probed
    assert found.measured_copy_bytes_per_s == load_gpu("H100").measured_copy_bytes_per_s
    gpu_of(target, host)  # type: ignore[arg-type]
    assert host.asked == ["probe"]


def test_a_gpu_that_is_only_estimated_for_is_not_asked() -> None:
    host = Answering(WorkerError("there is none"))
    assert gpu_of(Target("offline", "L4", "chosen"), host) == load_gpu("L4") and not host.asked  # type: ignore[arg-type]
