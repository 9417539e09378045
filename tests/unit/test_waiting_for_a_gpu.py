"""A run that a GPU judges goes on without one: the model is asked, and its kernels wait to be measured."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from samples import measured
from tilewright.cli import main
from tilewright.config import OptimizationConfig, to_pairs
from tilewright.errors import UsageError
from tilewright.hardware import load_gpu
from tilewright.kernelfile import load_kernel
from tilewright.problems import problem_for
from tilewright.records import Attempt, Run
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
