"""Whole runs with a language model on a server: a turn as it should be, rude servers, budgets, keys."""

from __future__ import annotations

from typing import Any

from scripted_runs import (
    FINDINGS,
    GOOD_TURN,
    KEY,
    MENDED,
    ONE_IDEA,
    PLAN,
    READS_KEYS,
    THRICE,
    TWICE,
    Workplace,
    asked,
    kinds,
    module,
    outcomes,
    saying,
)

from openai_server import Reply, serving
from tilewright.config import resolve
from tilewright.wiring import most_evaluations


def test_a_turn_analyses_plans_writes_mends_and_searches_knobs(workplace: Workplace) -> None:
    with serving(saying(GOOD_TURN)) as server:
        outcome = workplace.run(api_base=server.url, tune_budget=2)
    run = outcome.run
    assert kinds(server.requests) == {"analyse": 1, "plan": 1, "rewrite 1": 1, "rewrite 2": 1, "repair": 1}
    assert outcomes(run) == [
        ("user", "estimated"),
        ("llm", "estimated"),
        ("llm", "wrong"),
        ("llm", "estimated"),
        ("tuner", "estimated"),
        ("tuner", "estimated"),
    ]
    assert [a.candidate.source for a in run.attempts[1:4]] == [TWICE, THRICE, MENDED]
    assert [a.candidate.hypothesis for a in run.attempts[1:4]] == [
        "Add instead of multiplying.",
        "One constant for both.",
        "One constant for both.",
    ]
    assert run.stop_reason == "iterations" and outcome.tokens == 5 * 1500
    assert len(run.attempts) - 1 <= most_evaluations(resolve(workplace.config(api_base=server.url, tune_budget=2)))
    # An estimate teaches nothing about a GPU.
    assert workplace.lessons() == []


def test_what_a_model_says_is_told_to_the_next_questions(workplace: Workplace) -> None:
    with serving(saying(GOOD_TURN | {"plan": ONE_IDEA})) as server:
        workplace.run(api_base=server.url)
    plan, rewrite = (body for body in server.requests if asked(body) in ("plan", "rewrite 1"))
    assert all("The launch takes longer than the work." in str(body["messages"]) for body in (plan, rewrite))
    [transcript] = (workplace.results / "multiturn_logs").glob("dspy_history_kernel_*.txt")
    assert transcript.read_text().count("---- answer ----") == 3


def test_busy_and_failing_servers_are_asked_again(workplace: Workplace) -> None:
    failures = {"analyse": Reply("slow down", status=429, headers={"retry-after": "0"}), "plan": Reply(status=500)}

    def moody(body: dict[str, Any]) -> Reply:
        return failures.pop(asked(body), None) or saying(GOOD_TURN | {"plan": ONE_IDEA})(body)

    with serving(moody) as server:
        run = workplace.run(api_base=server.url).run
    assert outcomes(run) == [("user", "estimated"), ("llm", "estimated")]
    assert kinds(server.requests) == {"analyse": 2, "plan": 2, "rewrite 1": 1}
    assert sum("trying again" in note for note in workplace.notes) == 2


def test_garbage_and_answers_that_were_cut_off_cost_no_more_than_their_candidates(workplace: Workplace) -> None:
    half = module(TWICE).partition("T.ceildiv(")[0]
    garbage = {"analyse": "\x00\ufffd", "plan": PLAN, "rewrite 1": "I can't do that.", "rewrite 2": half}

    def rude(body: dict[str, Any]) -> Reply:
        kind = asked(body)
        return Reply(garbage[kind], finish="length" if kind == "rewrite 2" else "stop")

    with serving(rude) as server:
        run = workplace.run(api_base=server.url).run
    assert outcomes(run) == [("user", "estimated")]
    assert run.stop_reason == "iterations"
    # Each was asked once more, with what was wrong.
    assert kinds(server.requests) == {"analyse": 2, "plan": 1, "rewrite 1": 2, "rewrite 2": 2}
    assert sum("one candidate fewer" in note for note in workplace.notes) == 2
    assert any("cut off" in interaction.error for interaction in workplace.interactions(run))


def test_a_run_ends_when_its_tokens_are_spent_and_goes_on_with_more(workplace: Workplace) -> None:
    with serving(saying(GOOD_TURN)) as server:
        run = workplace.run(api_base=server.url, max_tokens=3000).run
        assert run.stop_reason == "budget" and "--max-tokens allows 3,000" in run.stop_detail
        assert kinds(server.requests) == {"analyse": 1, "plan": 1}
        ended = workplace.resume(max_tokens=100_000)
    assert kinds(server.requests) == {"analyse": 1, "plan": 1, "rewrite 1": 1, "rewrite 2": 1, "repair": 1}
    assert ended.run.id == run.id and ended.tokens == 7500
    assert len(ended.run.attempts) == 4


def test_two_models_share_a_budget_and_take_turns(workplace: Workplace) -> None:
    with serving(saying(GOOD_TURN)) as server:
        outcome = workplace.run(api_base=server.url, model="gpt-4o,o3-mini", max_iterations=2, patience=2)
    by_model: dict[str, list[str]] = {"gpt-4o": [], "o3-mini": []}
    for body in server.requests:
        by_model[body["model"]].append(asked(body))
    for asked_of in by_model.values():  # each plans a turn, and writes one hypothesis of the other's
        assert {"analyse", "plan"} <= set(asked_of) and {"rewrite 1", "rewrite 2"} & set(asked_of)
    assert outcome.tokens == 1500 * len(server.requests)


def test_keys_reach_neither_what_is_written_nor_a_candidate(workplace: Workplace) -> None:
    """The server repeats the key wherever it can, and a candidate says what its environment holds."""
    with serving(
        Reply(f"wrong key {KEY}", status=500),
        Reply(FINDINGS.replace("64 KB", f"Bearer {KEY}")),
        saying(GOOD_TURN | {"plan": ONE_IDEA, "rewrite 1": module(READS_KEYS)}),
    ) as server:
        run = workplace.run(api_base=server.url, repairs=0).run
    assert server.headers[0]["authorization"] == f"Bearer {KEY}"
    said = str(run.attempts[1].evaluation)
    assert "PATH" in said and "TILEWRIGHT_API_KEY" not in said and KEY not in said
    written = [path for path in workplace.results.rglob("*") if path.is_file()]
    assert {path.suffix for path in written} >= {".db", ".txt", ".json"}
    assert not [path for path in written if KEY.encode() in path.read_bytes()]
    assert not any(KEY in note for note in workplace.notes)
