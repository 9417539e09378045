from __future__ import annotations

import pytest

from tilewright.errors import ConfigError
from tilewright.lm.models import ModelSpec, is_reasoning, parse_models, sampling


def test_models_are_parsed() -> None:
    assert parse_models("none") == ()
    assert parse_models("openai/o3") == (ModelSpec("provider", "openai/o3"),)
    assert [str(spec) for spec in parse_models("o3-mini, gpt-4o,anthropic/claude-x")] == [
        "openai/o3-mini",
        "openai/gpt-4o",
        "anthropic/claude-x",
    ]
    assert parse_models("file:some/folder") == (ModelSpec("file", "some/folder"),)
    assert parse_models("replay:last") == (ModelSpec("replay", "last"),)
    assert str(parse_models("replay:last")[0]) == "replay:last"


@pytest.mark.parametrize("text", ["", "a,,b", "none,openai/o3", "file:", "replay:", "openai/", "/o3"])
def test_what_can_mean_no_model_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="--model"):
        parse_models(text)


NAMES = {
    True: ["openai/o3", "o1", "o3-mini", "openai/o1-pro", "o1-preview", "o3-mini-2025-01-31", "azure/o3", "gpt-5.1"],
    False: ["gpt-4o", "openai/gpt-5-chat", "o3-deep-research", "openai/gpt-4.1", "Qwen/Qwen3", "anthropic/claude"],
}


@pytest.mark.parametrize(("reasoning", "name"), [(kind, name) for kind, names in NAMES.items() for name in names])
def test_reasoning_models_are_told_from_others(reasoning: bool, name: str) -> None:
    assert is_reasoning(name) is reasoning


def test_the_default_temperature_is_dropped_silently_for_a_reasoning_model() -> None:
    chosen = sampling("openai/o3", 0.7, explicit=False)
    assert (chosen.temperature, chosen.max_tokens, chosen.warning) == (None, None, "")
    assert "takes no temperature" in chosen.note


def test_an_explicit_temperature_is_warned_about_for_a_reasoning_model() -> None:
    assert "--temperature 0.2 is ignored" in sampling("openai/o3", 0.2, explicit=True).warning
    assert sampling("openai/o3", 1.0, explicit=True).warning == ""


def test_other_models_get_what_was_asked_for() -> None:
    chosen = sampling("openai/gpt-4o", 0.7, explicit=False, max_tokens=100)
    assert (chosen.temperature, chosen.max_tokens, chosen.note, chosen.warning) == (0.7, 100, "", "")


def test_a_reasoning_model_gets_tokens_enough_to_think() -> None:
    chosen = sampling("openai/o3", 0.7, explicit=False, max_tokens=500)
    assert chosen.max_tokens == 16000
    assert "16000" in chosen.warning
