from __future__ import annotations

import contextlib
from pathlib import Path

import dspy
import pytest

from tilewright.errors import AwaitingAnswers, ModelFailed, ModelUnavailable
from tilewright.lm import Model, open_model, parse_models
from tilewright.records import Interaction


class Rewrite(dspy.Signature):  # type: ignore[misc]
    """Make it faster."""

    kernel: str = dspy.InputField()
    module: str = dspy.OutputField()


def model(folder: Path, told: list[Interaction] | None = None) -> Model:
    listeners = [told.append] if told is not None else []
    return open_model(parse_models(f"file:{folder}"), on_interaction=listeners)


def ask(folder: Path, kernel: str = "k1", rollout_id: int = 0, told: list[Interaction] | None = None) -> str:
    asked = model(folder, told).ask(Rewrite, {"kernel": kernel}, purpose="rewrite, turn 1", rollout_id=rollout_id)
    return asked.text("module")


def test_a_question_is_written_down_whole_and_its_answer_found_by_the_next_run(tmp_path: Path) -> None:
    folder = tmp_path / "exchange"
    told: list[Interaction] = []
    with pytest.raises(AwaitingAnswers, match=r"0001-rewrite-turn-1-\w+\.answer\.md") as raised:
        ask(folder, told=told)
    [prompt] = folder.iterdir()
    assert raised.value.prompts == (str(prompt),) and told == []
    text = prompt.read_text()
    answer = prompt.with_name(prompt.name.replace(".prompt.", ".answer."))
    for part in ("Make it faster.", "[[ ## kernel ## ]]\nk1", "# system", "# user", answer.name):
        assert part in text
    answer.write_text("[[ ## module ## ]]\nx = 1\n")
    assert ask(folder, told=told) == "x = 1"
    assert [(call.model, call.usd, call.tokens_in) for call in told] == [(f"file:{folder}", 0.0, None)]
    assert sorted(path.name for path in folder.iterdir()) == sorted([prompt.name, answer.name])


def test_prompts_are_told_apart_by_what_they_ask_and_by_rollout(tmp_path: Path) -> None:
    for kernel, rollout_id in (("k1", 0), ("k2", 0), ("k1", 1), ("k1", 0)):
        with pytest.raises(AwaitingAnswers):
            ask(tmp_path, kernel, rollout_id)
    assert [path.name[:4] for path in sorted(tmp_path.iterdir())] == ["0001", "0002", "0003"]


def test_answers_may_come_in_any_order_and_under_the_number_alone(tmp_path: Path) -> None:
    for kernel in ("k1", "k2"):
        with pytest.raises(AwaitingAnswers):
            ask(tmp_path, kernel)
    (tmp_path / "0002.answer.md").write_bytes(b"\xef\xbb\xbf```python\r\nx = 2\r\n```\r\n")
    assert ask(tmp_path, "k2") == "```python\nx = 2\n```"
    with pytest.raises(AwaitingAnswers):
        ask(tmp_path, "k1")


def test_a_folder_may_be_named_like_a_model(tmp_path: Path) -> None:
    folder = tmp_path / "o3"
    with pytest.raises(AwaitingAnswers):
        open_model(parse_models(f"file:{folder}/")).ask(Rewrite, {"kernel": "k"}, purpose="rewrite")
    assert len(list(folder.iterdir())) == 1


def test_an_empty_file_is_no_answer_yet(tmp_path: Path) -> None:
    with pytest.raises(AwaitingAnswers):
        ask(tmp_path)
    (tmp_path / "0001.answer.md").write_text(" \n")
    with pytest.raises(AwaitingAnswers):
        ask(tmp_path)


def test_an_answer_with_a_flaw_brings_a_second_prompt_that_says_so(tmp_path: Path) -> None:
    def flawed() -> str:
        asked = model(tmp_path).ask(Rewrite, {"kernel": "k"}, purpose="rewrite", flaw=lambda fields: "no good")
        return asked.text("module")

    with pytest.raises(AwaitingAnswers):
        flawed()
    (tmp_path / "0001.answer.md").write_text("x")
    with pytest.raises(AwaitingAnswers):
        flawed()
    [second] = tmp_path.glob("0002-*.prompt.md")
    assert "could not be used: no good" in second.read_text()
    (tmp_path / "0002.answer.md").write_text("x")
    with pytest.raises(ModelFailed, match="no good"):
        flawed()


def asked_by(folder: Path, run: str, words: str, about: str = "k", answer: str = "") -> list[str]:
    """What stands in the folder once a run has asked what a turn taught."""
    asking = open_model(parse_models(f"file:{folder}"), run=run)
    with pytest.raises(AwaitingAnswers) if not answer else contextlib.nullcontext():
        asked = asking.ask(Rewrite, {"kernel": words}, purpose="reflect turn 1", rollout_id=100, about=about)
        assert asked.text("module") == answer
    return sorted(f"{path.name[:4]} {path.name.split('.')[1]}" for path in folder.iterdir())


def test_what_is_asked_again_with_other_words_supersedes_what_had_no_answer(tmp_path: Path) -> None:
    assert asked_by(tmp_path, "r1", "one change") == ["0001 prompt"]
    assert asked_by(tmp_path, "r1", "two changes") == ["0001 superseded", "0002 prompt"]
    [old], [new] = tmp_path.glob("0001-*"), tmp_path.glob("0002-*")
    assert old.read_text().startswith(f"<!-- Superseded: {new.name} asks instead. ")
    assert "one change" in old.read_text() and "Awaited by run r1/" in new.read_text()
    assert asked_by(tmp_path, "r1", "one change") == ["0001 prompt", "0002 superseded"]
    [again] = tmp_path.glob("0001-*")
    assert "Superseded" not in again.read_text() and "one change" in again.read_text()


def test_an_answer_that_was_given_is_never_taken_away(tmp_path: Path) -> None:
    asked_by(tmp_path, "r1", "one change")
    (tmp_path / "0001.answer.md").write_text("x = 1")
    assert asked_by(tmp_path, "r1", "two changes") == ["0001 answer", "0001 prompt", "0002 prompt"]
    asked_by(tmp_path, "r1", "one change", answer="x = 1")


def test_a_prompt_that_another_run_or_candidate_awaits_stays(tmp_path: Path) -> None:
    asked_by(tmp_path, "r1", "one change")
    assert asked_by(tmp_path, "r1", "one change of another kernel", "other") == ["0001 prompt", "0002 prompt"]
    asked_by(tmp_path, "r2", "one change")
    assert asked_by(tmp_path, "r1", "two changes") == ["0001 prompt", "0002 prompt", "0003 prompt"]
    [shared] = tmp_path.glob("0001-*")
    assert "Awaited by run r2/" in shared.read_text() and "r1/" not in shared.read_text()
    assert "0001 superseded" in asked_by(tmp_path, "r2", "two changes")


def test_a_folder_that_cannot_be_made_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ModelUnavailable, match="--model file:"):
        ask(tmp_path / "file")
