"""Which language models does `--model` mean, and with what settings are they asked?"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Literal

from tilewright.errors import ConfigError
from tilewright.lm.loading import load_dspy

DEFAULT_MODEL = "openai/o3"
REASONING_MAX_TOKENS = 16000
"""What OpenAI's reasoning models are given at least, since they think in the same tokens (DSPy refuses less)."""
_REASONING = re.compile(
    r"o[1345](?:-(?:mini|nano|pro|preview))?(?:-\d{4}-\d{2}-\d{2})?|gpt-5(?:\.\d+)*(?!-chat)(?:-.*)?"
)


@dataclass(frozen=True)
class ModelSpec:
    """One model of `--model`. `name` is DSPy's name of it, a folder (file) or a run (replay)."""

    kind: Literal["provider", "file", "replay"]
    name: str

    def __str__(self) -> str:
        return self.name if self.kind == "provider" else f"{self.kind}:{self.name}"


@dataclass(frozen=True)
class Sampling:
    """What a model is sent. None sends nothing, which leaves it to the model."""

    temperature: float | None
    max_tokens: int | None
    note: str = ""
    """What was left out because nobody asked for it."""
    warning: str = ""
    """What was left out although somebody did."""


def parse_models(text: str) -> tuple[ModelSpec, ...]:
    """`openai/o3,gpt-4o`, `file:DIR` or `replay:RUN`; () for `none`. `ConfigError` where it can't be meant."""
    parts = [part.strip() for part in text.split(",")]
    if parts == ["none"]:
        return ()
    if "none" in parts or "" in parts:
        raise ConfigError(f"--model {text!r}: give models with commas between them (openai/o3,gpt-4o), or none")
    return tuple(_spec(part) for part in parts)


def is_reasoning(name: str) -> bool:
    """Whether it is one of OpenAI's that think first and take no temperature, whoever serves it."""
    return _REASONING.fullmatch(name.split("/")[-1].lower()) is not None


def sampling(name: str, temperature: float, explicit: bool, max_tokens: int | None = None) -> Sampling:
    """`explicit`: whether somebody set the temperature, rather than it being the default."""
    if not is_reasoning(name):
        return Sampling(temperature, max_tokens)
    note, warnings = "", []
    if explicit and temperature != 1:
        warnings.append(f"{name} accepts only its own temperature; --temperature {temperature:g} is ignored.")
    elif temperature != 1:
        note = f"{name} takes no temperature; none is sent."
    if max_tokens is not None and max_tokens < REASONING_MAX_TOKENS:
        warnings.append(f"{name} needs at least {REASONING_MAX_TOKENS} tokens for an answer, not {max_tokens}.")
        max_tokens = REASONING_MAX_TOKENS
    return Sampling(None, max_tokens, note, " ".join(warnings))


def language_model(
    name: str, settings: Sampling, api_base: str = "", api_key: str = "", timeout_s: float = 900.0
) -> Any:
    """The `dspy.LM` for a provider's model. Nothing of it is cached, and it retries nothing: `Model.ask` does.

    `api_base` is the address of a server that speaks OpenAI's protocol, with or without a key; a key from the
    environment, which is meant for somebody else, isn't sent there.
    """
    dspy = load_dspy()
    options: dict[str, Any] = {"temperature": settings.temperature, "max_tokens": settings.max_tokens}
    if api_base:
        # An address in the environment would have DSPy take LiteLLM instead of its own client.
        options |= {"api_base": api_base, "api_key": api_key or "none", "engine": "lm15"}
        name = name if name.startswith("openai/") else f"openai/{name}"
    elif api_key:
        options["api_key"] = api_key
    return dspy.LM(name, cache=False, num_retries=0, timeout=timeout_s, **options)


def _spec(part: str) -> ModelSpec:
    kind, separator, rest = part.partition(":")
    if separator and kind in ("file", "replay"):
        if not rest:
            raise ConfigError(f"--model {part} needs {'a folder' if kind == 'file' else 'a run'} after the colon")
        return ModelSpec("file" if kind == "file" else "replay", rest)
    if part.endswith("/") or part.startswith("/"):
        raise ConfigError(f"--model {part!r}: give PROVIDER/NAME, such as {DEFAULT_MODEL}")
    return ModelSpec("provider", part if "/" in part else f"openai/{part}")
