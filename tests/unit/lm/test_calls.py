"""Asking over the real wire: a server on this machine, DSPy's own client."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Literal

import dspy
import pytest

from openai_server import Reply, Server, serving
from tilewright import jsonform
from tilewright.errors import BudgetSpent, ModelFailed, ModelUnavailable
from tilewright.lm import Answer, Budget, Model, Patience, extract_code, messages_for, open_model, parse_models
from tilewright.lm.calls import PATIENT
from tilewright.records import Interaction

KEY = "sk-verysecretkey0123456789"
NO_WAIT = Patience(repeats=2, first_wait_s=0.001, longest_wait_s=0.01)
GOOD = "[[ ## plan ## ]]\nfuse\n\n[[ ## module ## ]]\n```python\nimport tilelang\n```\n\n[[ ## completed ## ]]"


class Rewrite(dspy.Signature):  # type: ignore[misc]
    """Make it faster."""

    kernel: str = dspy.InputField()
    plan: str = dspy.OutputField(default="")
    module: str = dspy.OutputField(desc="the whole module")


@dataclass
class Asked:
    """A model on a server, and what it recorded and said."""

    server: Server
    model: Model
    interactions: list[Interaction] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def ask(self, **more: Any) -> Answer:
        return self.model.ask(Rewrite, {"kernel": "x < 1"}, purpose="rewrite turn 1", **more)


@pytest.fixture
def opened() -> Iterator[Callable[..., Asked]]:
    closing = []

    def opening(*replies: Reply, names: str = "openai/gpt-4o", **settings: Any) -> Asked:
        context = serving(*replies)
        server = context.__enter__()
        closing.append(context)
        asked = Asked(server, Model([]))
        asked.model = open_model(
            parse_models(names),
            **{"api_base": server.url, "api_key": KEY, "patience": NO_WAIT, **settings},
            on_interaction=[asked.interactions.append],
            on_note=asked.notes.append,
            on_detail=asked.notes.append,
            on_warning=asked.warnings.append,
        )
        return asked

    yield opening
    for context in closing:
        context.__exit__(None, None, None)


def test_an_answer_comes_back_as_fields_with_its_price(opened: Callable[..., Asked]) -> None:
    asked = opened(Reply(GOOD))
    answer = asked.ask()
    assert answer.fields == {"plan": "fuse", "module": "```python\nimport tilelang\n```"}
    assert (answer.model, answer.tokens) == ("openai/gpt-4o", 1500)
    assert answer.usd == pytest.approx(1000 * 2.5e-6 + 500 * 10e-6)
    [told] = asked.interactions
    assert (told.purpose, told.tokens_in, told.tokens_out, told.finish) == ("rewrite turn 1", 1000, 500, "stop")
    assert [message.role for message in told.messages] == ["system", "user"]
    assert "x < 1" in told.messages[1].text and told.answer == GOOD and not told.error
    assert jsonform.loads(Interaction, jsonform.dumps(told)) == told
    assert asked.model.budget.tokens == 1500


def test_what_is_sent_is_what_messages_for_shows(opened: Callable[..., Asked]) -> None:
    asked = opened(Reply(GOOD))
    asked.ask()
    sent = [(message["role"], message["content"]) for message in asked.server.requests[0]["messages"]]
    assert sent == [(message.role, message.text) for message in messages_for(Rewrite, {"kernel": "x < 1"})]


@pytest.mark.parametrize("name", ["openai/o3", "openai/o1-preview", "openai/gpt-5"])
def test_a_reasoning_model_is_sent_no_temperature(opened: Callable[..., Asked], name: str) -> None:
    asked = opened(Reply(GOOD), names=name, max_tokens=20000)
    asked.ask()
    [sent] = asked.server.requests
    assert "temperature" not in sent and "max_tokens" not in sent
    assert sent["max_completion_tokens"] == 20000
    assert asked.warnings == [] and len(asked.notes) == 1


def test_an_explicit_temperature_of_a_reasoning_model_warns_once(opened: Callable[..., Asked]) -> None:
    asked = opened(Reply(GOOD), names="openai/o3", temperature=0.3, temperature_is_explicit=True)
    asked.ask()
    asked.ask(rollout_id=1)
    assert len(asked.warnings) == 1
    assert all("temperature" not in sent for sent in asked.server.requests)


def test_another_model_is_sent_the_temperature(opened: Callable[..., Asked]) -> None:
    asked = opened(Reply(GOOD), names="gpt-4o")
    asked.ask()
    assert asked.server.requests[0]["temperature"] == 0.7


@pytest.mark.parametrize(
    "passing",
    [
        Reply("slow down", status=429),
        Reply("slow down", status=429, headers={"retry-after": "0"}),
        Reply("oops", status=500),
        Reply("busy", status=503),
        Reply(hangs_up=True),
    ],
)
def test_a_failure_that_passes_is_tried_again(opened: Callable[..., Asked], passing: Reply) -> None:
    asked = opened(passing, passing, Reply(GOOD))
    assert asked.ask().text("plan") == "fuse"
    assert [bool(told.error) for told in asked.interactions] == [True, True, False]
    assert len(asked.notes) == 2 and "trying again" in asked.notes[0]
    assert asked.model.budget.unpriced == 0


def test_a_failure_that_stays_is_given_up_and_recorded(opened: Callable[..., Asked]) -> None:
    asked = opened(Reply("overloaded", status=500))
    with pytest.raises(ModelFailed, match=r"gpt-4o: overloaded.* \(tried 3 times\)"):
        asked.ask()
    assert len(asked.interactions) == 3
    for told in asked.interactions:
        assert told.error.startswith("overloaded") and told.messages and not told.answer


def test_a_server_that_does_not_answer_in_time_is_given_up(opened: Callable[..., Asked]) -> None:
    asked = opened(Reply(GOOD, after_s=0.5), timeout_s=0.1, patience=Patience(0))
    with pytest.raises((ModelFailed, ModelUnavailable), match="gpt-4o: "):
        asked.ask()


def test_a_server_that_is_not_there_is_unavailable(opened: Callable[..., Asked]) -> None:
    asked = opened(Reply(GOOD), api_base="http://127.0.0.1:9/v1")
    with pytest.raises(ModelUnavailable, match="refused"):
        asked.ask()
    assert len(asked.interactions) == 3


@pytest.mark.parametrize(
    "refusal",
    [
        Reply("Incorrect API key provided: " + KEY, status=401, code="invalid_api_key"),
        Reply("You exceeded your quota", status=429, code="insufficient_quota"),
        Reply("The model does not exist", status=404, code="model_not_found"),
    ],
)
def test_what_no_question_would_change_is_not_tried_again(opened: Callable[..., Asked], refusal: Reply) -> None:
    asked = opened(refusal)
    with pytest.raises(ModelUnavailable) as raised:
        asked.ask()
    assert len(asked.server.requests) == len(asked.interactions) == 1
    assert KEY not in str(raised.value) + repr(asked.interactions)


def test_a_prompt_that_is_too_long_fails_alone(opened: Callable[..., Asked]) -> None:
    asked = opened(Reply("too long", status=400, code="context_length_exceeded"))
    with pytest.raises(ModelFailed):
        asked.ask()


@pytest.mark.parametrize(
    ("bad", "told"),
    [
        (Reply("I would rather not."), None),
        (Reply("[[ ## plan ## ]]\nonly a plan"), "it had no module"),
        (Reply("[[ ## plan ## ]]\nx\n[[ ## module ## ]]\n"), "it had no module"),
        (Reply(""), "it was empty"),
        (Reply(raw=b'{"garbage": 1}'), "it was empty"),
        (Reply("[[ ## plan ## ]]\na lot of", finish="length"), "cut off"),
        (Reply(GOOD, finish="length"), "cut off"),
    ],
)
def test_an_answer_that_is_no_use_is_asked_for_again_with_the_problem(
    opened: Callable[..., Asked], bad: Reply, told: str | None
) -> None:
    def flaw(fields: Mapping[str, object]) -> str:
        return "" if extract_code(str(fields["module"])) else "`module` holds no Python module"

    asked = opened(bad, Reply(GOOD))
    answer = asked.ask(flaw=flaw)
    assert answer.text("plan") == "fuse"
    assert (told or "holds no Python module") in asked.server.requests[1]["messages"][0]["content"]
    assert (told or "holds no Python module") in asked.interactions[0].error
    assert "Your last answer" not in asked.server.requests[0]["messages"][0]["content"]
    assert answer.tokens in (1500, 3000)


def test_an_answer_that_stays_malformed_fails(opened: Callable[..., Asked]) -> None:
    asked = opened(Reply("[[ ## plan ## ]]\nonly a plan"))
    with pytest.raises(ModelFailed, match="asked twice: it had no module"):
        asked.ask()
    assert len(asked.interactions) == 2


def test_garbage_that_is_no_json_ends_in_a_failure_of_the_model(opened: Callable[..., Asked]) -> None:
    with pytest.raises((ModelFailed, ModelUnavailable)):
        opened(Reply(raw=b"<html>proxy</html>")).ask()


def test_an_answer_that_is_cut_off_twice_is_taken_where_it_can_be_read(opened: Callable[..., Asked]) -> None:
    assert opened(Reply(GOOD, finish="length")).ask().text("plan") == "fuse"


def test_a_budget_ends_the_asking(opened: Callable[..., Asked]) -> None:
    asked = opened(Reply(GOOD), budget=Budget(max_tokens=2000))
    asked.ask()
    asked.ask()
    with pytest.raises(BudgetSpent):
        asked.ask()
    assert len(asked.server.requests) == 2


def test_a_local_model_has_no_known_price(opened: Callable[..., Asked]) -> None:
    asked = opened(Reply(GOOD), names="my-model")
    assert asked.ask().usd is None
    assert asked.model.budget.unpriced == 1


def test_models_take_turns_and_share_a_budget(opened: Callable[..., Asked]) -> None:
    asked = opened(Reply(GOOD), names="openai/gpt-4o,openai/o3-mini")
    assert [asked.ask(rollout_id=number).model for number in range(3)] == [
        "openai/gpt-4o",
        "openai/o3-mini",
        "openai/gpt-4o",
    ]
    assert [sent["model"] for sent in asked.server.requests] == ["gpt-4o", "o3-mini", "gpt-4o"]
    assert asked.model.budget.tokens == 4500


def test_questions_asked_at_once_are_kept_apart(opened: Callable[..., Asked]) -> None:
    asked = opened(Reply("[[ ## module ## ]]\nx = 1", finish="length"), *[Reply(GOOD)] * 40)
    with ThreadPoolExecutor(8) as pool:
        asks = [
            pool.submit(asked.model.ask, Rewrite, {"kernel": f"k{n}"}, purpose=f"p{n}", rollout_id=n)
            for n in range(24)
        ]
        assert all(ask.result().text("plan") == "fuse" for ask in asks)
    assert len(asked.interactions) == 25
    for told in asked.interactions:
        assert f"\nk{told.purpose[1:]}\n" in told.messages[1].text
        assert told.rollout_id == int(told.purpose[1:])


def test_closing_ends_the_waiting(opened: Callable[..., Asked]) -> None:
    asked = opened(Reply("slow down", status=429, headers={"retry-after": "100"}), patience=PATIENT)
    threading.Timer(0.1, asked.model.close).start()
    with pytest.raises(ModelFailed):
        asked.ask()


def test_a_key_from_the_environment_is_not_sent_to_another_server(
    opened: Callable[..., Asked], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("OPENAI_API_BASE", "http://127.0.0.1:9/v1")
    asked = opened(Reply(GOOD), api_key="")
    asked.ask()
    assert asked.server.headers[0]["authorization"] == "Bearer none"


def test_no_key_at_all_is_said_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(ModelUnavailable, match="OPENAI_API_KEY"):
        open_model(parse_models("openai/o3")).ask(Rewrite, {"kernel": "x"}, purpose="rewrite")


def test_a_compiled_program_is_asked_like_a_signature(opened: Callable[..., Asked]) -> None:
    asked = opened(Reply("nothing", finish="length"), Reply(GOOD))
    program = dspy.Predict(Rewrite.with_instructions("Make it very fast."))
    assert asked.model.ask(program, {"kernel": "x"}, purpose="rewrite").text("plan") == "fuse"
    assert "Make it very fast." in asked.server.requests[0]["messages"][0]["content"]
    assert program.signature.instructions == "Make it very fast." and program.lm is None


def test_an_input_that_is_missing_or_misspelt_is_an_error() -> None:
    with pytest.raises(ValueError, match="kernel"):
        messages_for(Rewrite, {"kernels": "x"})


class Pick(dspy.Signature):  # type: ignore[misc]
    """Pick a tile size."""

    kernel: str = dspy.InputField()
    block: Literal[64, 128] = dspy.OutputField()


@pytest.mark.parametrize("name", ["openai/gpt-4o", "my-model"])
def test_a_constrained_answer_sends_its_schema(opened: Callable[..., Asked], name: str) -> None:
    asked = opened(Reply("I'd say 100"), Reply('{"block": 128}'), names=name)
    answer = asked.model.ask(Pick, {"kernel": "x"}, purpose="knobs", constrained=True)
    assert answer.fields == {"block": 128}
    assert "write one JSON object with block" in asked.server.requests[1]["messages"][0]["content"]
    sent = asked.server.requests[0]["response_format"]["json_schema"]["schema"]
    assert sent["properties"]["block"]["enum"] == [64, 128] and sent["required"] == ["block"]
