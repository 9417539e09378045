"""What was said while a program ran: prompts, answers, tokens, prices. Imports DSPy: for those that loaded it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from dspy.utils.callback import BaseCallback

from tilewright.lm.keys import without_keys
from tilewright.lm.speakers import Occasion, Speaker, messages_of
from tilewright.records import Interaction, Message


@dataclass
class _Call:
    messages: tuple[Message, ...]
    when: str
    begun: float
    seconds: float = 0.0


class Heard(BaseCallback):  # type: ignore[misc]
    """Listens to one run of a program, whose calls follow one another. `lm` is what it must run with."""

    def __init__(self, speaker: Speaker, occasion: Occasion) -> None:
        super().__init__()
        self._speaker, self._occasion = speaker, occasion
        self._calls: list[_Call] = []
        self.lm = speaker.lm(occasion)
        self.lm.callbacks = [*self.lm.callbacks, self]

    def on_lm_start(self, call_id: str, instance: Any, inputs: dict[str, Any]) -> None:
        prompt = inputs.get("messages") or inputs.get("request") or inputs.get("prompt")
        when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        self._calls.append(_Call(messages_of(prompt), when, time.monotonic()))

    def on_lm_end(self, call_id: str, outputs: Any, exception: BaseException | None = None) -> None:
        self._calls[-1].seconds = time.monotonic() - self._calls[-1].begun

    @property
    def cut_off(self) -> bool:
        """Whether the last answer ended since no more tokens were allowed."""
        return bool(self.lm.history) and _finish(self.lm.history[-1]["response"]) == "length"

    def interactions(self, problem: str, secrets: tuple[str, ...]) -> list[Interaction]:
        """The calls as records, without keys; `problem` is the last one's."""
        said = [*self.lm.history, *[None] * len(self._calls)]  # a call that failed has no history
        last = len(self._calls) - 1
        return [
            self._interaction(call, entry, problem if number == last else "", secrets)
            for number, (call, entry) in enumerate(zip(self._calls, said))
        ]

    def _interaction(self, call: _Call, entry: Any, problem: str, secrets: tuple[str, ...]) -> Interaction:
        usage = entry["usage"] if entry else {}
        priced = entry["cost"] if usage else None  # an answer that came from a cache is repeated with its price
        return Interaction(
            purpose=self._occasion.purpose,
            model=self._speaker.name,
            messages=tuple(Message(m.role, without_keys(m.text, secrets)) for m in call.messages),
            answer=without_keys(_answer(entry), secrets) if entry else "",
            tokens_in=usage.get("prompt_tokens"),
            tokens_out=usage.get("completion_tokens"),
            usd=0.0 if self._speaker.free else priced,
            seconds=call.seconds,
            when=call.when,
            rollout_id=self._occasion.rollout_id,
            finish=_finish(entry["response"]) if entry else "",
            error=without_keys(problem, secrets),
        )


def _answer(entry: Any) -> str:
    output = entry["outputs"][0] if entry["outputs"] else ""
    return str((output.get("text") if isinstance(output, dict) else output) or "")


def _finish(response: Any) -> str:
    """Of a response of DSPy's own client, or of LiteLLM's."""
    choices = getattr(response, "choices", None)
    return str(getattr(choices[0] if choices else response, "finish_reason", "") or "")
