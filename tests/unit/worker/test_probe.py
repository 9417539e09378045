"""A GPU's ceilings: the arithmetic around a probe, and what is kept of it. The probe itself needs a GPU."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tilewright import jsonform
from tilewright.channel import WorkerHost
from tilewright.hardware import Ceilings
from tilewright.worker.timing.probe import (
    calls_within,
    product_flops,
    remember,
    remembered,
    side_within,
)

FOUND = Ceilings(3.0e12, fp16_flops=700e12, fp32_flops=50e12, launch_s=2.2e-6, bf16_flops=720e12)


def test_a_product_fills_the_device_and_ends_soon() -> None:
    assert side_within(700e12) == 8192  # 1.6 ms
    assert side_within(50e12) == 4096  # 2.7 ms; the next would take 22
    assert side_within(6e12) == 2048
    assert side_within(1e12) == 2048  # none is quick enough
    assert product_flops(8192) / 700e12 < 4e-3


def test_calls_are_enough_to_choose_from_and_fit_a_queue() -> None:
    assert calls_within(0.15, 1.5e-3) == 100
    assert calls_within(0.15, 0.1) == 5
    assert calls_within(0.15, 1e-6) == calls_within(0.15, 0.0) == 200


def test_a_probe_is_kept_for_its_device_driver_and_versions(tmp_path: Path) -> None:
    path = tmp_path / "cache" / "ceilings-GPU-1.json"
    key = [1, "NVIDIA X", ["driver", "580"]]
    assert remembered(path, key) is None
    remember(path, key, FOUND)
    assert remembered(path, key) == FOUND
    assert remembered(path, [1, "NVIDIA X", ["driver", "590"]]) is None
    path.write_text("{}")
    assert remembered(path, key) is None


def test_a_cache_that_cannot_be_written_is_no_failure(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    remember(tmp_path / "file" / "ceilings.json", [1], FOUND)


def test_ceilings_travel_as_json() -> None:
    assert jsonform.from_plain(Ceilings, jsonform.to_plain(FOUND)) == FOUND


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU to probe")
def test_a_machine_without_a_gpu_says_so() -> None:
    with WorkerHost("cpu", jobs=1) as host:
        answer = host.call("probe", {}, 30.0).result()
    assert answer == {"ceilings": None, "why_not": "no CUDA GPU here"}
