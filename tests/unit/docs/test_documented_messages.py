"""The messages on the page about troubleshooting are those that the program prints."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from samples import attempt, measured, run
from tilewright.cli.showing import final_record
from tilewright.errors import KernelNotFound
from tilewright.kernelfile import corpus_root, load_kernel
from tilewright.records import Crashed, Run, Wrong
from tilewright.wiring import Outcome
from tilewright.worker.verifying.patterns import described

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
MIN_IMPROVEMENT = 0.05


def documented(title: str) -> str:
    """A pattern for the message below a heading, whose `...` stand for anything."""
    block = re.search(rf"^## {title}\n\n```text\n(.*?)^```", PAGE, re.S | re.M)
    assert block is not None, title
    return ".*".join(re.escape(part) for part in " ".join(block[1].split()).split("..."))


def printed(ended: Run, capsys: pytest.CaptureFixture[str]) -> str:
    """What a command says at the end of a run."""
    final_record(Outcome(ended, None), MIN_IMPROVEMENT, quiet=False, show=True)
    return " ".join(capsys.readouterr().err.split())


def test_a_kernel_that_is_not_there() -> None:
    with pytest.raises(KernelNotFound) as raised:
        load_kernel("level2/2_11.py")
    said = str(raised.value).replace(str(corpus_root()), "DIR")
    assert re.fullmatch(documented("Could not find kernel file"), said)


def test_a_kernel_that_is_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    truth = torch.full((4, 256), 1.37, dtype=torch.float64)
    got = torch.where(torch.arange(256) < 128, truth, 0.0).half()
    wrong = Wrong(described(got, truth, got == 0, 0, None, 0.0))
    seed = attempt(0, wrong, turn=0, phase="seed")
    ended = replace(run(seed), stop_reason="seed_wrong", stop_detail=wrong.mismatch.message)
    assert re.fullmatch(documented("Optimization failed correctness check"), printed(ended, capsys))


def test_a_kernel_that_can_not_be_judged(capsys: pytest.CaptureFixture[str]) -> None:
    seed = attempt(0, Crashed("an illegal memory access was encountered"), turn=0, phase="seed")
    said = printed(replace(run(seed), stop_reason="seed_failed", stop_detail="crashed"), capsys)
    assert said.startswith("Optimization failed correctness check: the kernel as it is can't be judged: ")
    assert '"the kernel as it is can\'t be judged"' in PAGE


def test_a_run_that_gained_too_little(capsys: pytest.CaptureFixture[str]) -> None:
    seed = attempt(0, measured(1.0, 0.001), turn=0, phase="seed")
    right = [attempt(index, measured(0.9, 0.001)) for index in range(1, 31)]
    failed = [attempt(index, Crashed("an illegal memory access was encountered")) for index in range(31, 40)]
    ended = run(seed, *right, *failed, attempt(40, measured(1.012, 0.001)))
    said = printed(replace(ended, stop_reason="plateau"), capsys)
    assert re.fullmatch(documented("Improvement below threshold"), said)


def strings_of_the_program() -> Iterator[str]:
    """Every text in the package, what is filled in as `...`."""
    for path in sorted((ROOT / "src" / "tilewright").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr):
                parts = (part.value if isinstance(part, ast.Constant) else "..." for part in node.values)
                yield "".join(map(str, parts))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value


def test_the_other_messages_are_in_the_program() -> None:
    table = PAGE.split("## Others")[1]
    messages = re.findall(r"^\| `([^`]+)`", table, re.M)
    assert len(messages) > 8
    texts = list(strings_of_the_program())
    for message in messages:
        assert any(message.strip(". ") in text for text in texts), message
