"""What a model may cost is shared by all kernels of a batch, also when it goes on."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from openai_server import Reply, serving
from runs.scripted_runs import GOOD_TURN, KERNEL, KEY, NO_WAIT, REFERENCE, asked
from stand_in_workers import StandIn, StandInWorkers
from tilewright.batching import book
from tilewright.batching.running import work_on
from tilewright.config import OptimizationConfig
from tilewright.report.batch.rows import Summary
from tilewright.report.batch.screen import BatchScreen

ANSWER = 1500
"""Tokens of each."""
LESSONS = """[[ ## lessons ## ]]
### 1. Adding is as good as multiplying.
When: elementwise

[[ ## completed ## ]]"""


def answered(body: dict[str, Any]) -> Reply:
    looks_back = "[[ ## changes ## ]]" in str(body["messages"])
    return Reply(LESSONS) if looks_back else Reply(GOOD_TURN[asked(body)])


def test_tokens_are_shared_and_counted_over_interruptions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TILEWRIGHT_API_KEY", KEY)
    (tmp_path / "reference.py").write_text(REFERENCE)
    kernels = [str(tmp_path / f"kernel_{number}.py") for number in range(3)]
    for number, kernel in enumerate(kernels):
        Path(kernel).write_text(f"{KERNEL}\n# {number}\n")

    def go(batch: book.Batch, url: str, max_tokens: int, jobs: int = 1) -> Summary:
        config = OptimizationConfig()
        config.results, config.reference = str(tmp_path / "results"), str(tmp_path / "reference.py")
        config.evaluator, config.no_save, config.max_iterations, config.tune_budget = "modal", True, 1, 0
        config.model, config.api_base, config.max_tokens = "openai/gpt-4o", url, max_tokens
        config.candidates, config.hypotheses, config.near_optimal = 0, 2, 0.0
        workers = StandInWorkers(StandIn("modal", Path(os.devnull)))
        screen = BatchScreen(Console(file=io.StringIO()))
        return work_on(batch, config, screen, jobs, workers, NO_WAIT)

    results = tmp_path / "results"
    with serving(answered) as server:
        first = go(book.new_batch(kernels, kernels, OptimizationConfig(), "b"), server.url, 4 * ANSWER)
        assert first.stop_reason == "budget" and not first.ended
        assert first.tokens == len(server.requests) * ANSWER <= 5 * ANSWER, "one more may be under way"
        again = go(book.find(results, "b"), server.url, 4 * ANSWER)
        assert again.tokens == first.tokens and len(server.requests) * ANSWER == first.tokens
        last = go(book.find(results, "b"), server.url, 10**6, jobs=3)
    assert last.ended and {row.state for row in last.rows} == {"iterations"}
    assert last.tokens == len(server.requests) * ANSWER
    assert len({str(body["messages"]) for body in server.requests}) == len(server.requests), "one was asked twice"
