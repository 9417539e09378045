"""Who answers: a provider's model, or a function of ours that stands in for one."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from tilewright.errors import ModelUnavailable
from tilewright.lm.loading import load_dspy
from tilewright.records import Message


@dataclass(frozen=True)
class Occasion:
    """What a question is for. Of those asked by one run with the same purpose and rollout about the same thing (a
    candidate's id) the latest is the one that matters."""

    purpose: str
    rollout_id: int
    about: str = ""


@dataclass(frozen=True)
class Speaker:
    """A model by name. `lm(occasion)` is the `dspy.LM` to ask one question with, its history empty."""

    name: str
    lm: Callable[[Occasion], Any]
    free: bool = False
    """Whether its answers surely cost nothing."""


@dataclass(frozen=True)
class Question:
    messages: tuple[Message, ...]
    occasion: Occasion

    @property
    def purpose(self) -> str:
        return self.occasion.purpose

    @property
    def rollout_id(self) -> int:
        return self.occasion.rollout_id


@dataclass(frozen=True)
class Said:
    """An answer that may have been cut off."""

    text: str
    cut_off: bool = False


Answering = Callable[[Question], "str | Said"]


def speaker(name: str, answering: Answering) -> Speaker:
    """A speaker whose answers a function gives, from any thread. What it raises, `Model.ask` raises."""

    def lm(occasion: Occasion) -> Any:
        engine = _Engine(answering, occasion)
        return load_dspy().LM("standing/in", engine=engine, cache=False, num_retries=0)

    return Speaker(name, lm, free=True)


def scripted(answers: Sequence[str | Said] | Answering, name: str = "scripted") -> Speaker:
    """A speaker for tests and demonstrations: a function of the question, or answers given one after another."""
    if callable(answers):
        return speaker(name, answers)
    left, lock = list(answers), threading.Lock()

    def following(question: Question) -> str | Said:
        with lock:
            if not left:
                raise ModelUnavailable(f"the script of {len(answers)} answers is at its end ({question.purpose})")
            return left.pop(0)

    return speaker(name, following)


def messages_of(prompt: Any) -> tuple[Message, ...]:
    """What a request of DSPy's asks: an `lm15.Request`, or chat messages as dicts."""
    if isinstance(prompt, list):
        return tuple(Message(str(m["role"]), _text(m["content"])) for m in prompt)
    system = _text(prompt.system)
    first = (Message("system", system),) if system else ()
    return (*first, *(Message(str(m.role), _text(m.parts)) for m in prompt.messages))


@dataclass
class _Engine:
    """What `dspy.LM(engine=...)` wants, in DSPy 3.4 and 3.5."""

    answering: Answering
    occasion: Occasion

    def complete(self, request: Any) -> Any:
        lm15 = load_dspy().lm15
        answer = self.answering(Question(messages_of(request), self.occasion))
        said = Said(answer) if isinstance(answer, str) else answer
        return lm15.Response(
            id=None,
            model=request.model,
            message=lm15.Message.assistant(said.text),
            finish_reason="length" if said.cut_off else "stop",
            usage=lm15.Usage(),
        )


def _text(content: Any) -> str:
    if content is None or isinstance(content, str):
        return content or ""
    parts = (part.get("text") if isinstance(part, dict) else getattr(part, "text", "") for part in content)
    return "\n\n".join(part for part in parts if part)
