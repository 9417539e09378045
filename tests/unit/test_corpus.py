"""The shipped kernels: each has its reference, and its header is what was measured of exactly this kernel."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tilewright.header import read_stats
from tilewright.kernelfile import corpus_root, load_kernel
from tilewright.problems import problem_for

RESULTS = Path(__file__).resolve().parents[2] / "benchmarks" / "results" / "seeds.jsonl"
ALL = sorted(path for path in corpus_root().glob("level*/*.py") if "_optimized_" not in path.name)

KERNELS = [path for path in ALL if load_kernel(str(path)).header.speedup_ratio is not None]
"""Those that were measured; a kernel may be shipped before it was."""


@pytest.fixture(scope="module")
def measured() -> dict[str, dict[str, object]]:
    rows = [json.loads(line) for line in RESULTS.read_text(encoding="utf-8").splitlines()]
    return {row["kernel"]: row for row in rows}


def test_there_are_enough_of_them_and_enough_slow_ones() -> None:
    ratios = [load_kernel(str(path)).header.speedup_ratio for path in KERNELS]
    assert len(ALL) >= 60 and len(KERNELS) >= 42
    assert sum(ratio is not None and ratio < 0.8 for ratio in ratios) >= 10
    assert {"1_38", "1_94", "2_10", "2_61"} <= {path.stem for path in KERNELS}


@pytest.mark.parametrize("path", KERNELS, ids=lambda path: path.stem)
def test_a_header_is_the_measurement_of_this_very_kernel(path: Path, measured: dict[str, dict[str, object]]) -> None:
    kernel = load_kernel(str(path))
    row = measured[path.name]
    assert kernel.candidate.id == row["candidate"]
    assert problem_for(kernel).id == row["problem_id"]
    stats = read_stats(kernel.text)
    evaluation = row["evaluation"]
    assert isinstance(evaluation, dict)
    assert stats["speedup_ratio"] == round(evaluation["measurement"]["speedup_ratio"], 4)
    assert stats["gpu"] == evaluation["measurement"]["device"]
