"""Turns, blocks and the audit by the wall clock."""

import random
from pathlib import Path

import torch

from tilewright.worker import gpu, sandbox
from tilewright.worker.expected import Expected, _output
from tilewright.worker.timing import PLANS, Timing, _block_size, _enough, _order, _Side, _suspicion


def side(claimed_ms: float, wall_ms: float, lead_ms: float = 0.1, calls: int = 10) -> _Side:
    made = _Side.__new__(_Side)
    made.ms, made.calls = [claimed_ms] * calls, calls
    made.wall_ms, made.lead_ms, made.last_call_ms = wall_ms * calls, lead_ms * calls, wall_ms
    return made


def test_a_block_takes_every_input_set_in_turn() -> None:
    order = _order(9, 3, random.Random(1))
    assert sorted(order[:3]) == sorted(order[3:6]) == sorted(order[6:]) == [0, 1, 2]


def test_a_clock_that_lies_does_not_fit_the_wall_clock() -> None:
    honest, baseline = side(5.0, 5.6), side(6.0, 6.6)
    assert not _suspicion(honest, baseline)
    assert "saw 5.5 ms" in _suspicion(side(0.5, 6.1), baseline)


def test_a_slow_host_is_no_lie() -> None:
    assert not _suspicion(side(0.01, 3.2, lead_ms=3.0), side(0.01, 0.3))


def test_blocks_of_slow_kernels_are_short() -> None:
    truth = torch.zeros(4).double()
    expected = Expected((_output(truth, truth.half()),), (), True, ())
    assert _block_size(PLANS["full"], (side(1, 1.5), side(1, 1.5)), expected) == 10
    assert _block_size(PLANS["full"], (side(900, 900), side(900, 900)), expected) == 2


def test_pairs_are_taken_until_the_interval_is_narrow() -> None:
    plan = PLANS["full"]
    assert not _enough(Timing([(1.0, 1.0)] * 10, 1.0, 1.0, 1.0), plan, float("inf"))
    assert _enough(Timing([(1.0, 1.0)] * 30, 1.0, 0.995, 1.005), plan, float("inf"))
    assert not _enough(Timing([(1.0, 1.0)] * 30, 1.0, 0.9, 1.1), plan, float("inf"))
    assert _enough(Timing([(1.0, 1.0)] * 100, 1.0, 0.9, 1.1), plan, float("inf"))
    assert _enough(Timing([(1.0, 1.0)] * 4, 1.0, 0.9, 1.1), plan, 0.0)


def test_gpus_have_short_names() -> None:
    assert gpu.short_name("NVIDIA H100 80GB HBM3") == "H100"
    assert gpu.short_name("NVIDIA H200") == "H200"
    assert gpu.short_name("Tesla T4") == "T4"
    assert gpu.short_name("NVIDIA GeForce RTX 4090") == "GeForce RTX 4090"


def test_a_runner_gets_at_most_twelve_variables_and_no_keys(tmp_path: Path) -> None:
    source = {
        name: "x" for name in ("PATH", "HOME", "OPENAI_API_KEY", "CUDA_HOME", "PYTHONPATH", "LANG", "AWS_SECRET")
    }
    given = sandbox.runner_environment(source, sandbox.Folders(tmp_path / "r", tmp_path / "c"), 1)
    assert len(given) <= 12
    assert "OPENAI_API_KEY" not in given and "AWS_SECRET" not in given
    assert given["HOME"] == str(tmp_path / "r" / "home")
    assert given["TILELANG_CACHE_DIR"] == str(tmp_path / "c")


def test_a_candidates_cache_is_found_again_and_the_oldest_is_removed(tmp_path: Path) -> None:
    scratch = sandbox.Scratch(tmp_path)
    first = scratch.open("first")
    (first.cache / "kernel").touch()
    scratch.close(first)
    assert not first.root.exists()
    again = scratch.open("first")
    assert (again.cache / "kernel").exists() and again.root != first.root
    scratch.close(again)
    for number in range(64):
        scratch.close(scratch.open(f"other{number}"))
    assert not first.cache.exists()
    assert (tmp_path / "caches" / "other63").exists()
