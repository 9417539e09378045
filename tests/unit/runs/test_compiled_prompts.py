"""Instructions that were found by playing recorded turns again: how they are found, and that a run uses them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from scripted_runs import GOOD_TURN, NO_WAIT, ONE_IDEA, THRICE, TWICE, Workplace, asked, module

from openai_server import Reply, serving
from tilewright.compiling import Better, compile_prompts, write_program
from tilewright.config import OptimizationConfig, instructions_of
from tilewright.errors import AwaitingAnswers, BudgetSpent, ConfigError, UsageError
from tilewright.wording.instructions import instructions

ADVICE = " Add where you would multiply by two, since that is what the reference of such problems means by twice."


def learning(body: dict[str, Any]) -> Reply:
    """A model that writes a right module where its instructions have the advice, and gives it when asked."""
    prompt = "\n".join(message["content"] for message in body["messages"])
    if "[[ ## present ## ]]" in prompt:
        present = prompt.split("[[ ## present ## ]]")[-1].partition("[[ ## cases ## ]]")[0]
        return Reply(f"[[ ## better ## ]]\n{present.strip()}{ADVICE}\n\n[[ ## completed ## ]]")
    if asked(body).startswith("rewrite"):
        return Reply(module(TWICE if ADVICE.strip() in body["messages"][0]["content"] else THRICE))
    return Reply((GOOD_TURN | {"plan": ONE_IDEA, "repair": "I can't."})[asked(body)])


def compile_at(workplace: Workplace, plays: int = 14, **options: object) -> Better:
    config = OptimizationConfig()
    for name, value in {"results": str(workplace.results), "evaluator": "offline", **options}.items():
        setattr(config, name, value)
    return compile_prompts((), config, 2, plays, workplace, workplace.shared, NO_WAIT)


@pytest.fixture
def recorded(workplace: Workplace) -> Workplace:
    with serving(learning) as server:
        workplace.run(api_base=server.url, repairs=0)
    workplace.notes.clear()
    return workplace


def test_better_instructions_are_found_and_used_by_a_run(recorded: Workplace) -> None:
    with serving(learning) as server:
        found = compile_at(recorded, model="openai/gpt-4o", api_base=server.url)
        told = len(server.requests)
        assert found.before < 0.2 and found.after > 0.5
        assert found.instructions["rewrite"] == instructions("rewrite") + ADVICE
        program = recorded.folder / "program.json"
        write_program(found, "openai/gpt-4o", program)
        run = recorded.run(api_base=server.url, program=str(program)).run
    assert run.attempts[1].candidate.source == TWICE
    # Every question was counted and written down, those about instructions, too.
    assert found.tokens == 1500 * told
    [transcript] = (recorded.results / "multiturn_logs").glob("dspy_history_compile_prompts_*.txt")
    assert transcript.read_text().count("---- answer ----") == told
    assert any(note.startswith("improve rewrite") for note in recorded.notes)


def test_what_is_spent_ends_the_search(recorded: Workplace) -> None:
    with serving(learning) as server, pytest.raises(BudgetSpent, match="--max-tokens"):
        compile_at(recorded, model="openai/gpt-4o", api_base=server.url, max_tokens=9000)
    assert len(server.requests) == 6


def test_prompts_of_a_person_are_awaited(recorded: Workplace) -> None:
    with pytest.raises(AwaitingAnswers, match="the same command again"):
        compile_at(recorded, model=f"file:{recorded.folder / 'prompts'}")


@pytest.mark.parametrize(("options", "said"), [({"model": "none"}, "give --model"), ({"gpu": "A100"}, "for A100")])
def test_without_a_model_or_a_fitting_turn_it_says_so(
    recorded: Workplace, options: dict[str, object], said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        compile_at(recorded, **{"model": "file:prompts", **options})


@pytest.mark.parametrize("text", ["{}", "no json", '{"instructions": {"plan": ""}}', '{"instructions": {"x": "y"}}'])
def test_a_program_that_is_none_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "program.json").write_text(text)
    with pytest.raises(ConfigError, match="--program"):
        instructions_of(str(tmp_path / "program.json"))
