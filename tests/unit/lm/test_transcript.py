from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import dspy
import pytest

from tilewright.errors import MissingDependency, StoreError
from tilewright.lm import Model, Transcript, keys_in, load_dspy, scripted, transcript_path, without_keys
from tilewright.records import Interaction, Message

KEY = "sk-proj-abcdefghijklmnop0123"


class Plan(dspy.Signature):  # type: ignore[misc]
    """Plan."""

    kernel: str = dspy.InputField()
    plan: str = dspy.OutputField()


def test_the_file_is_named_after_the_kernel_and_the_time() -> None:
    path = transcript_path(Path("results"), "some/level2/2_10.py")
    assert path.parent == Path("results/multiturn_logs")
    assert path.name.startswith("dspy_history_2_10_20") and path.suffix == ".txt"


def test_every_interaction_is_readable_while_the_run_goes_on(tmp_path: Path) -> None:
    transcript = Transcript(tmp_path / "logs" / "t.txt")
    model = Model([scripted(lambda question: f"answer to {question.purpose}")], on_interaction=[transcript.add])
    model.ask(Plan, {"kernel": "first\nkernel"}, purpose="plan turn 1")
    text = transcript.path.read_text()
    for part in (
        "#1  plan turn 1  scripted",
        "---- system ----",
        "first\nkernel",
        "answer to plan turn 1",
        "0.0000 USD",
    ):
        assert part in text
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda n: model.ask(Plan, {"kernel": f"{n}"}, purpose=f"p{n}"), range(20)))
    text = transcript.path.read_text()
    assert text.count("---- answer ----") == 21 and "#21  " in text


def test_failures_and_unknown_prices_are_shown(tmp_path: Path) -> None:
    transcript = Transcript(tmp_path / "t.txt")
    messages = (Message("user", "q"),)
    transcript.add(Interaction("plan", "m", messages, "", None, None, None, 2.0, "then", error="rate limited"))
    transcript.add(Interaction("plan", "m", messages, "a", 5, 7, 0.25, 2.0, "then", finish="length"))
    text = transcript.path.read_text()
    for part in (
        "problem: rate limited",
        "tokens unknown, price unknown",
        "(none)",
        "5 tokens in, 7 out, 0.2500 USD",
    ):
        assert part in text
    assert "ended by length" in text


def test_a_folder_that_cannot_be_written_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="--results DIR"):
        Transcript(tmp_path / "file" / "t.txt").add(Interaction("", "", (), "", None, None, None, 0.0, ""))


def test_keys_reach_no_record_and_no_transcript(tmp_path: Path) -> None:
    own = "anything-that-is-secret"
    told: list[Interaction] = []
    transcript = Transcript(tmp_path / "t.txt")
    model = Model([scripted(lambda q: f"{KEY} {own}")], on_interaction=[told.append, transcript.add], secrets=[own])
    model.ask(Plan, {"kernel": f"key = '{KEY}' or {own}"}, purpose="plan")
    for text in (repr(told), transcript.path.read_text()):
        assert KEY not in text and own not in text and "[key removed]" in text


@pytest.mark.parametrize(
    "text",
    [
        "disk-2-based-approach-to-the-tiles",
        "n = sk-block_size_of_the_kernel",
        "sk-block_2",
        "key_padding_mask_shared_2",
    ],
)
def test_ordinary_words_and_code_are_no_keys(text: str) -> None:
    assert without_keys(text) == text


def test_keys_of_an_environment_are_known_by_their_names() -> None:
    found = keys_in({"OPENAI_API_KEY": "a", "HF_TOKEN": "b", "HOME": "c", "AWS_SECRET_ACCESS_KEY": "d"})
    assert found == ("a", "b", "d")


def test_without_dspy_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "dspy", None)
    with pytest.raises(MissingDependency, match=r"pip install 'tilewright\[llm\]'"):
        load_dspy()


def test_the_room_is_entered_without_loading_dspy() -> None:
    code = "import sys, tilewright.lm; assert not {'dspy', 'litellm', 'numpy'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, env={"PYTHONPATH": "src"}, cwd=Path(__file__).parents[3])
