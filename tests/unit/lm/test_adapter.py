from __future__ import annotations

import dspy
import pytest

from tilewright.lm import Model, Question, scripted


class Rewrite(dspy.Signature):  # type: ignore[misc]
    """Make it faster."""

    kernel: str = dspy.InputField()
    plan: str = dspy.OutputField(default="none")
    module: str = dspy.OutputField()


def read(answer: str) -> tuple[str, str]:
    fields = Model([scripted([answer])]).ask(Rewrite, {"kernel": "x"}, purpose="test")
    return fields.text("plan"), fields.text("module")


@pytest.mark.parametrize(
    "answer",
    [
        "[[ ## plan ## ]]\nfuse\n\n[[ ## module ## ]]\nx = 1\n\n[[ ## completed ## ]]",
        "[[ ## plan ## ]]\nfuse\n\n[[ ## module ## ]]\nx = 1",
        "Sure.\n[[ ## plan ## ]] fuse\n[[ ## module ## ]]\nx = 1",
        "## plan\nfuse\n\n## module\nx = 1\n",
        "**Plan:**\nfuse\n\n**Module:**\nx = 1\n",
        "[[## plan ##]]\nfuse\n[[## module ##]]\nx = 1\n[[## completed ##]]",
    ],
)
def test_headers_are_read_however_they_are_written(answer: str) -> None:
    assert read(answer) == ("fuse", "x = 1")


class Two(dspy.Signature):  # type: ignore[misc]
    """Two fields that must be there."""

    kernel: str = dspy.InputField()
    plan: str = dspy.OutputField()
    module: str = dspy.OutputField()


def test_a_model_is_told_which_fields_its_answer_lacks() -> None:
    asked: list[str] = []

    def answering(question: Question) -> str:
        asked.append(question.messages[0].text)
        return "no idea" if len(asked) == 1 else "[[ ## plan ## ]]\na\n[[ ## module ## ]]\nb"

    Model([scripted(answering)]).ask(Two, {"kernel": "x"}, purpose="test")
    assert "it had no plan, module; write each of [[ ## plan ## ]], [[ ## module ## ]]" in asked[1]


def test_an_answer_without_headers_is_the_one_field_that_must_be_there() -> None:
    code = "```python\n# plan\nx = 1\n# module\ny = 2\n```"
    assert read(code) == ("none", code)


def test_what_looks_like_another_header_stays_in_its_field() -> None:
    code = "x = 1\n## plan\n# module\ny = '<&'"
    assert read(f"[[ ## module ## ]]\n{code}") == ("none", code)
