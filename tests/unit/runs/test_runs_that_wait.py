"""Whole runs whose model goes away, answers through files, or is a recorded one; first kernels; the commands."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from scripted_runs import (
    GOOD_TURN,
    MENDED,
    PYTORCH_ONLY,
    TWICE,
    Workplace,
    asked,
    kinds,
    module,
    outcomes,
    question,
    saying,
)

from openai_server import Reply, serving

ROOT = Path(__file__).resolve().parents[3]


def test_a_run_whose_server_went_away_goes_on_where_it_was(workplace: Workplace) -> None:
    def leaving(body: dict[str, Any]) -> Reply:
        return Reply(GOOD_TURN[asked(body)], hangs_up=asked(body) == "rewrite 2")

    with serving(leaving) as first:
        run = workplace.run(api_base=first.url).run
    assert run.stop_reason == "model_unavailable" and f"tilewright resume {run.id}" in run.stop_detail
    assert kinds(first.requests) == {"analyse": 1, "plan": 1, "rewrite 1": 1, "rewrite 2": 3}
    assert workplace.resume().run.stop_reason == "model_unavailable"  # nobody listens there any more
    with serving(saying(GOOD_TURN)) as second:
        ended = workplace.resume(api_base=second.url).run
    assert kinds(second.requests) == {"rewrite 2": 1, "repair": 1}
    assert outcomes(ended) == [("user", "estimated"), ("llm", "estimated"), ("llm", "wrong"), ("llm", "estimated")]


def test_a_recorded_run_is_repeated_without_a_model(workplace: Workplace) -> None:
    with serving(saying(GOOD_TURN)) as server:
        run = workplace.run(api_base=server.url).run
    again = workplace.run(model=f"replay:{run.id}")
    assert [a.candidate.id for a in again.run.attempts] == [a.candidate.id for a in run.attempts]
    assert again.usd == 0.0 and not any("holds no answer to this very prompt" in note for note in workplace.notes)


def test_files_are_answered_for_all_runs_that_wait(workplace: Workplace) -> None:
    """A person writes the answers; two runs share a folder, and one command goes on with both."""
    folder = workplace.folder / "prompts"
    runs = [workplace.run(model=f"file:{folder}").run for _ in range(2)]
    assert {run.stop_reason for run in runs} == {"awaiting_answers"}
    assert answer(folder) == {"analyse": 1}
    assert [workplace.resume(run.id).run.stop_reason for run in runs] == ["awaiting_answers"] * 2
    assert answer(folder) == {"plan": 1}
    assert [workplace.resume(run.id).run.stop_reason for run in runs] == ["awaiting_answers"] * 2
    assert answer(folder) == {"rewrite 1": 1, "rewrite 2": 1}  # all that a step needs
    assert [workplace.resume(run.id).run.stop_reason for run in runs] == ["awaiting_answers"] * 2
    assert answer(folder) == {"repair": 1}
    done = tilewright("resume", "--waiting", "--results", workplace.results)
    assert done.returncode == 0, done.stderr
    assert [line.partition("; stopped: ")[2] for line in done.stdout.splitlines()] == ["iterations (1 turns)"] * 2
    ended = [workplace.load(run.id) for run in runs]
    assert [run.stop_reason for run in ended] == ["iterations"] * 2
    assert [run.attempts[-1].candidate.source for run in ended] == [MENDED] * 2


def test_a_first_kernel_is_generated_and_made_faster_by_the_command_that_is_named(workplace: Workplace) -> None:
    """PyTorch alone is no kernel, though it is right."""
    folder, kernels = workplace.folder / "prompts", workplace.folder / "kernels"
    options = ("--model", f"file:{folder}", "--results", workplace.results, "--evaluator", "offline")
    reference = workplace.folder / "reference.py"
    waiting = tilewright("generate", reference, *options, "--hypotheses", "2", "--out", kernels)
    assert waiting.returncode == 2 and "awaits its answer" in waiting.stderr
    assert answer(folder) == {"plan": 1}
    assert tilewright("resume", "--waiting", "--results", workplace.results).returncode == 2
    assert answer(folder, GOOD_TURN | {"rewrite 1": module(PYTORCH_ONLY), "rewrite 2": module(TWICE)}) == {
        "rewrite 1": 1,
        "rewrite 2": 1,
    }
    done = tilewright("resume", "--waiting", "--results", workplace.results)
    assert done.returncode == 0, done.stderr
    run = workplace.load("last")
    assert outcomes(run)[1:] == [("llm", "rejected"), ("llm", "estimated")]
    written = kernels / "reference.py"
    assert TWICE.strip() in written.read_text()
    command = done.stderr.partition("Make it faster: ")[2].splitlines()[0]
    following = subprocess.run(
        [sys.executable, *shlex.split(command), "--tune-budget", "0"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=ENVIRONMENT,
    )
    assert following.returncode == 2 and "awaits its answer" in following.stderr, following.stderr


def test_brief_shows_exactly_what_is_sent(workplace: Workplace) -> None:
    config = workplace.config()
    options = ("--reference", config.reference, "--evaluator", "offline", "--results", workplace.results)
    shown = tilewright("brief", config.kernel_file, *options, "--rag-k", "1", "--hypotheses", "1")
    finding = "### 1. (what the model says in its analysis stands here)\nCategory: algorithmic"
    hypothesis = "### 1. (one of the plan's hypotheses stands here)\n\n### 2. Not asked for\nGain: 1"
    with serving(saying({"analyse": finding, "plan": hypothesis, "rewrite 1": module(TWICE)})) as server:
        workplace.run(api_base=server.url, hypotheses=1)
    sent = [(asked(body).split()[0], message) for body in server.requests for message in body["messages"]]
    assert [kind for kind, _ in sent] == ["analyse", "analyse", "plan", "plan", "rewrite", "rewrite"]
    assert shown.stdout == "".join(
        f"==== {kind}: {message['role']} ====\n\n{message['content']}\n\n" for kind, message in sent
    )


ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT / "src")}


def tilewright(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tilewright", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=ENVIRONMENT)


def answer(folder: Path, answers: dict[str, str] = GOOD_TURN) -> Counter[str]:
    """Write what is missing, as a person would; what was asked."""
    found: Counter[str] = Counter()
    for prompt in sorted(folder.glob("*.prompt.md")):
        path = prompt.with_name(prompt.name.replace(".prompt.md", ".answer.md"))
        if not path.exists():
            kind = question(prompt.read_text())
            path.write_text(answers[kind])
            found[kind] += 1
    return found
