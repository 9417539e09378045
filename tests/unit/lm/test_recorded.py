from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

import dspy
import pytest

from tilewright.errors import ModelUnavailable
from tilewright.lm import Model, Question, Said, open_model, parse_models, scripted
from tilewright.records import Interaction


class Plan(dspy.Signature):  # type: ignore[misc]
    """Plan."""

    kernel: str = dspy.InputField()
    plan: str = dspy.OutputField()


def ask(model: Model, kernel: str, purpose: str = "plan", rollout_id: int = 0) -> str:
    return model.ask(Plan, {"kernel": kernel}, purpose=purpose, rollout_id=rollout_id).text("plan")


def recording(*asks: tuple[str, str, int]) -> list[Interaction]:
    """What a run recorded that asked these (kernel, purpose, rollout) and was answered with all three."""
    told: list[Interaction] = []

    def answering(question: Question) -> str:
        return f"{question.messages[1].text.splitlines()[1]} {question.purpose} {question.rollout_id}"

    model = Model([scripted(answering)], on_interaction=[told.append])
    for kernel, purpose, rollout_id in asks:
        ask(model, kernel, purpose, rollout_id)
    return told


def replayed(told: list[Interaction], notes: list[str] | None = None) -> Model:
    on_note = notes.append if notes is not None else print
    return open_model(parse_models("replay:r1"), recorded=lambda run: told, on_note=on_note)


def test_a_run_is_repeated_by_its_prompts_in_any_order() -> None:
    told = recording(*[(f"k{n}", "plan", n) for n in range(12)])
    notes: list[str] = []
    model = replayed(told, notes)
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda n: ask(model, f"k{n}", "plan", n), reversed(range(12))))
    assert answers == [f"k{n} plan {n}" for n in reversed(range(12))]
    assert notes == []


def test_the_same_prompt_of_several_rollouts_keeps_their_answers_apart() -> None:
    model = replayed(recording(("k", "plan", 0), ("k", "plan", 1)))
    assert ask(model, "k", "plan", 1) == "k plan 1"
    assert ask(model, "k", "plan", 0) == "k plan 0"


def test_what_was_asked_twice_is_asked_twice_again() -> None:
    def flaw(fields: Mapping[str, object]) -> str:
        return "too short" if fields["plan"] == "short" else ""

    def run(model: Model) -> list[str]:
        plans = [model.ask(Plan, {"kernel": f"k{n}"}, purpose="plan", flaw=flaw).text("plan") for n in range(4)]
        assert plans == ["one", "two", "three", "four"]
        return [f"{call.answer} {call.finish} {call.error}" for call in told]

    told: list[Interaction] = []
    cut_off = Said("[[ ## plan ## ]]\ntw", cut_off=True)
    first = run(
        Model([scripted(["one", "short", "two", cut_off, "three", "", "four"])], on_interaction=[told.append])
    )
    before, told = told, []
    model = open_model(parse_models("replay:r1"), recorded=lambda run: before, on_interaction=[told.append])
    assert run(model) == first
    assert len(first) == 7


def test_another_prompt_gets_the_next_answer_to_its_purpose_and_a_note_says_so() -> None:
    notes: list[str] = []
    model = replayed(recording(("a", "plan", 0), ("b", "rewrite", 0), ("c", "rewrite", 1)), notes)
    assert ask(model, "new", "rewrite", 1) == "c rewrite 1"
    assert ask(model, "new", "rewrite", 7) == "b rewrite 0"
    assert ask(model, "new", "repair") == "a plan 0"
    assert len(notes) == 1 and "rewrite" in notes[0]


def test_a_run_at_its_end_says_so() -> None:
    model = replayed(recording(("a", "plan", 0)))
    ask(model, "a")
    with pytest.raises(ModelUnavailable, match="replay:r1: all 1 recorded answers were given"):
        ask(model, "a")
    with pytest.raises(ModelUnavailable, match="it recorded no answers"):
        ask(replayed([]), "a")


def test_a_script_at_its_end_says_so() -> None:
    model = Model([scripted(["one"])])
    assert ask(model, "a") == "one"
    with pytest.raises(ModelUnavailable, match="script of 1 answers"):
        ask(model, "b")


def test_a_run_that_goes_on_asks_only_what_was_not_answered() -> None:
    told = recording(("k1", "plan", 0), ("k2", "plan", 1))
    again: list[Interaction] = []
    model = open_model(
        parse_models("replay:r1"),
        recorded=lambda run: recording(("k3", "plan", 2)),
        earlier=told,
        on_interaction=[again.append],
    )
    assert ask(model, "k2", "plan", 1) == "k2 plan 1"
    assert ask(model, "k1", "plan", 0) == "k1 plan 0"
    assert again == []
    assert ask(model, "k3", "plan", 2) == "k3 plan 2"
    assert [interaction.purpose for interaction in again] == ["plan"]
