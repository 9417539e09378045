"""A run that a GPU judges goes on without one: the model is asked, and its kernels wait to be measured."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from samples import measured
from tilewright.cli import main
from tilewright.config import OptimizationConfig, from_pairs, to_pairs
from tilewright.errors import UsageError
from tilewright.hardware import Gpu, known_as, load_gpu
from tilewright.kernelfile import load_kernel
from tilewright.merging import merge
from tilewright.problems import problem_for
from tilewright.records import Attempt, Run
from tilewright.reporting import known_of
from tilewright.serving.following import Following
from tilewright.targets import SharedWorkers
from tilewright.wiring import open_store, resume

FINDINGS = "### 1. Too few blocks\nCategory: parallelism\nSaves: 30%\nEvidence: 16 blocks\nDo: more blocks\n"
PLAN = "### 1. More columns a block\nGain: 1.5x, fewer launches' worth of latency\nHow: as it is, with other tiles\n"


def begun(results: Path, exchange: Path) -> str:
    """A run on a GPU whose seed was measured there."""
    kernel = load_kernel("1_48")
    config = OptimizationConfig()
    config.kernel_file, config.model, config.results = "1_48", f"file:{exchange}", str(results)
    config.hypotheses, config.candidates, config.tune_budget, config.no_save = 1, 0, 0, True
    run = Run(
        "r1",
        problem_for(kernel),
        str(kernel.path),
        to_pairs(config),
        "local",
        "H200",
        "2026-01-01",
        notes=("evaluator local: a CUDA GPU is here (NVIDIA H200)",),
    )
    with closing(open_store(results)) as store:
        store.begin(run)
        store.keep_gpu("r1", replace(load_gpu("H200"), measured_launch_s=9.9e-6, probed=True))
        store.append("r1", Attempt(0, 0, "seed", kernel.candidate, measured(0.5)))
        store.finish(run)
    return kernel.candidate.source


def answered(exchange: Path, answer: Callable[[str], str]) -> int:
    """Answers every prompt that waits; how many did."""
    open_ones = [
        prompt
        for prompt in sorted(exchange.glob("*.prompt.md"))
        if not prompt.with_name(prompt.name.replace(".prompt.", ".answer.")).exists()
    ]
    for prompt in open_ones:
        prompt.with_name(prompt.name.replace(".prompt.", ".answer.")).write_text(answer(prompt.name))
    return len(open_ones)


def test_the_model_is_asked_until_a_kernel_waits_for_the_gpu(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results, exchange = tmp_path / "results", tmp_path / "exchange"
    source = begun(results, exchange)
    better = source.replace('"""Problem', '"""Better. Problem', 1)

    def answer(name: str) -> str:
        if "analyse" in name:
            return f"[[ ## findings ## ]]\n{FINDINGS}\n[[ ## completed ## ]]"
        if "plan" in name:
            return f"[[ ## hypotheses ## ]]\n{PLAN}\n[[ ## completed ## ]]"
        return f"[[ ## module ## ]]\n```python\n{better}\n```\n[[ ## completed ## ]]"

    asked = []
    with closing(SharedWorkers()) as shared:
        for _ in range(5):
            ended = resume("r1", OptimizationConfig(results=str(results)), shared=shared).run
            asked.append(ended.stop_reason)
            if ended.stop_reason != "awaiting_answers":
                break
            assert answered(exchange, answer) == 1
    assert asked == ["awaiting_answers"] * 3 + ["awaiting_gpu"]
    with closing(open_store(results)) as store:
        assert store.waiting() == ("r1",)
        assert len(store.load("r1").attempts) == 1  # nothing was judged by anything else
        told = store.interactions("r1")
    assert len(told) == 3
    # What that GPU reached where the run began, not what the table says.
    assert all("an empty kernel takes 9.9 us" in one.messages[1].text for one in told[1:])
    with pytest.raises(SystemExit, match="2"):
        main(["resume", "r1", "--quiet", "--results", str(results)])
    [line] = capsys.readouterr().err.splitlines()
    wait = "1 candidate waits to be measured on a GPU (H200). Go on where one is: tilewright resume r1"
    assert line.endswith(f"(run r1): {wait}")
    assert ended.notes[0].startswith("evaluator absent: no GPU is here") and len(ended.notes) == 1


def test_a_run_does_not_go_on_where_its_numbers_would_not_compare(tmp_path: Path) -> None:
    begun(tmp_path / "results", tmp_path / "exchange")
    elsewhere = OptimizationConfig(results=str(tmp_path / "results"), model="none", evaluator="offline")
    with pytest.raises(UsageError, match="local evaluator for H200; here it would be offline for H100"):
        resume("r1", elsewhere)
    other_gpu = OptimizationConfig(results=str(tmp_path / "results"), model="none", evaluator="modal", gpu="A100")
    with pytest.raises(UsageError, match="modal for A100"):
        resume("r1", other_gpu)


def asked_on(machine: Gpu, results: Path) -> str:
    """What the run waits for where the GPU of its name is known as `machine`."""
    with known_as(machine):
        return resume("r1", OptimizationConfig(results=str(results))).run.stop_reason


def test_machines_that_know_another_gpu_by_its_name_ask_the_same_prompt_once(tmp_path: Path) -> None:
    here, there, exchange = tmp_path / "here", tmp_path / "there", tmp_path / "exchange"
    begun(here, exchange)
    assert asked_on(load_gpu("H200"), here) == "awaiting_answers"
    [asked] = exchange.iterdir()
    assert "<!-- Awaited by run r1/" in asked.read_text()
    merge(there, [here])
    slower = replace(load_gpu("H200"), measured_copy_bytes_per_s=2e12, measured_tensor_flops=4e14, probed=True)
    assert asked_on(slower, there) == "awaiting_answers"
    assert list(exchange.iterdir()) == [asked]


def test_an_option_that_a_run_is_resumed_with_is_its_own_from_then_on(tmp_path: Path) -> None:
    results = tmp_path / "results"
    begun(results, tmp_path / "exchange")
    resume("r1", OptimizationConfig(results=str(results), target_speedup=100.0, quiet=True))
    resume("r1", OptimizationConfig(results=str(results)))
    resume("r1", OptimizationConfig(results=str(results), target_speedup=100.0))
    with closing(open_store(results)) as store:
        run = store.load("r1")
    config = from_pairs(run.settings, OptimizationConfig())
    assert config.target_speedup == 100.0 and not config.quiet and config.hypotheses == 1
    _, changed = run.notes
    assert re.fullmatch(r"resumed on 20\S+Z with --target-speedup 100.0", changed)
    [began, _] = known_of(run).reproduce
    assert "--target-speedup 100.0" in began
    with closing(Following(results)) as follower:
        assert follower.run("r1").run.settings == run.settings


def test_both_machines_that_merge_know_what_a_run_was_resumed_with(tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    begun(here, tmp_path / "exchange")
    merge(there, [here])
    resume("r1", OptimizationConfig(results=str(there), target_speedup=100.0))
    assert merge(here, [there]).continued == ("r1",)
    with closing(open_store(here)) as store:
        assert from_pairs(store.load("r1").settings, OptimizationConfig()).target_speedup == 100.0
