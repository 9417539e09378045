"""The one way to ask a language model: asked again where that helps, counted, limited and recorded."""

from __future__ import annotations

import contextlib
import random
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tilewright.errors import (
    AwaitingAnswers,
    MissingDependency,
    ModelError,
    ModelFailed,
    ModelUnavailable,
    TilewrightError,
)
from tilewright.lm.budget import Budget
from tilewright.lm.keys import without_keys
from tilewright.lm.loading import load_dspy
from tilewright.lm.speakers import Occasion, Question, Said, Speaker, speaker
from tilewright.records import Interaction, Message

if TYPE_CHECKING:
    from tilewright.lm.heard import Heard

Program = Any
"""A `dspy.Signature` class, or a `dspy.Module`."""
Flaw = Callable[[Mapping[str, object]], str]
"""What is wrong with the fields of an answer, as the model is told it; "" when nothing is."""
_QUESTIONS_A_TURN = 100
_CUT_OFF = "it was cut off before its end; write less"


@dataclass(frozen=True)
class Answer:
    """A usable answer. Tokens and price are of all calls that it took; `usd` is None where one's isn't known."""

    fields: Mapping[str, object]
    model: str
    tokens: int
    usd: float | None

    def text(self, field: str) -> str:
        return str(self.fields[field])


@dataclass(frozen=True)
class Patience:
    """How often a call is repeated that failed for a reason that passes, and how long is waited before that.

    The wait doubles each time; a server that says how long to wait is believed, up to `longest_wait_s`.
    """

    repeats: int = 4
    first_wait_s: float = 2.0
    longest_wait_s: float = 120.0

    def wait_s(self, repeat: int, hint_s: float | None) -> float:
        wait = self.first_wait_s * 2**repeat * random.uniform(0.75, 1.25) if hint_s is None else hint_s
        return min(wait, self.longest_wait_s)


PATIENT = Patience()


@dataclass
class _Asking:
    """One question on its way."""

    speaker: Speaker
    module: Any
    inputs: dict[str, object]
    constrained: bool
    occasion: Occasion
    calls: list[Interaction] = field(default_factory=list)
    again: bool = False
    """Whether the answer in hand was given before."""


class Model:
    """One or several language models that share a budget. `ask` may be called from several threads at once.

    `secrets` are keys that must be in no record, besides what looks like one; `on_note` is told of failures that
    pass. `known` gives the answer that a question already had, in a run that goes on: it isn't asked nor recorded
    again.
    """

    def __init__(
        self,
        speakers: Sequence[Speaker],
        budget: Budget | None = None,
        on_interaction: Sequence[Callable[[Interaction], None]] = (),
        on_note: Callable[[str], None] = lambda note: None,
        patience: Patience = PATIENT,
        secrets: Sequence[str] = (),
        known: Callable[[Question], Said | None] | None = None,
    ) -> None:
        self.budget = budget or Budget()
        self._speakers = tuple(speakers)
        self._on_interaction, self._on_note = tuple(on_interaction), on_note
        self._patience, self._secrets, self._known = patience, tuple(secrets), known
        self._closing = threading.Event()

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(speaker.name for speaker in self._speakers)

    @property
    def answers_at_once(self) -> bool:
        """Whether an answer is there without a wait, or not at all: files, recorded answers."""
        return all(speaker.free for speaker in self._speakers)

    def close(self) -> None:
        """Let nobody wait any longer for another try."""
        self._closing.set()

    def ask(
        self,
        program: Program,
        inputs: Mapping[str, object],
        *,
        purpose: str,
        rollout_id: int = 0,
        about: str = "",
        flaw: Flaw = lambda fields: "",
        constrained: bool = False,
    ) -> Answer:
        """The fields of the model's answer.

        An answer that can't be read, was cut off, or has a flaw is asked for once more, with the problem told.
        Several models take turns by `rollout_id` (see `rollout_of`). `about` is the id of the candidate in question
        (see `Occasion`). A constrained answer is a JSON object that the
        server, where it can, holds to the types of the output fields. Raises what `tilewright.lm` lists.
        """
        chosen = self._speakers[sum(divmod(rollout_id, _QUESTIONS_A_TURN)) % len(self._speakers)]
        asking = _Asking(
            chosen, _module(program, inputs), _encodable(inputs), constrained, Occasion(purpose, rollout_id, about)
        )
        cut_off: Mapping[str, object] | None = None
        for again in (False, True):
            fields, problem, heard = self._hear(asking)
            problem = problem or flaw(fields)
            if heard.cut_off:  # whatever else is wrong comes of that
                cut_off, problem = cut_off if problem else fields, _CUT_OFF
            if not asking.again:
                self._record(asking, heard, problem)
            if not problem:
                return _answer(asking, fields)
            if not again:
                asking.module = _told(asking.module, problem)
        if cut_off is not None:
            return _answer(asking, cut_off)
        raise ModelFailed(f"{chosen.name} gave no usable answer for {purpose}, asked twice: {problem}")

    def _hear(self, asking: _Asking) -> tuple[Mapping[str, object], str, Heard]:
        """Fields and what kept them from being read, asked for while the reason for a failure passes."""
        dspy = load_dspy()
        from tilewright.lm.adapter import format_problem
        from tilewright.lm.heard import Heard

        repeat = 0
        while True:
            known = self._given_before(asking)
            asking.again = known is not None
            if known is None:
                self.budget.check()
            heard = Heard(known or asking.speaker, asking.occasion)
            try:
                return _fields(asking, heard), "", heard
            except dspy.utils.exceptions.AdapterParseError as error:
                return {}, _CUT_OFF if heard.cut_off else format_problem(error, asking.constrained), heard
            except dspy.LMError as error:
                text = self._failure(asking, heard, error)
                if repeat == self._patience.repeats or self._closing.is_set():
                    times = f" (tried {repeat + 1} times)" if repeat else ""
                    raise _given_up(error, f"{asking.speaker.name}: {text}{times}") from None
                wait_s = self._patience.wait_s(repeat, getattr(error, "retry_after", None))
                self._on_note(f"{asking.speaker.name}: {text}; trying again in {wait_s:.0f} s")
                self._closing.wait(wait_s)
                repeat += 1
            except ImportError as error:  # rarer providers are reached through LiteLLM, which DSPy 3.5 doesn't bring
                raise MissingDependency(f"--model {asking.speaker.name}: {error}.", "pip install litellm") from error

    def _given_before(self, asking: _Asking) -> Speaker | None:
        if self._known is None:
            return None
        messages = messages_for(asking.module, asking.inputs, asking.constrained)
        said = self._known(Question(messages, asking.occasion))
        return speaker(asking.speaker.name, lambda question: said) if said else None

    def _failure(self, asking: _Asking, heard: Heard, error: Exception) -> str:
        """Record a failed call and say why it failed. Raises where trying again is of no use."""
        own = error.__cause__
        if isinstance(own, AwaitingAnswers):  # nobody was asked yet
            raise own from None
        said = str(own) if isinstance(own, TilewrightError) else getattr(error, "message", "") or str(error)
        text = without_keys(said, self._secrets).partition("\n\n")[0].strip()
        self._record(asking, heard, text)
        if isinstance(own, TilewrightError):
            raise own from None
        if not load_dspy().is_retryable_lm_error(error):
            raise _final(error, f"{asking.speaker.name}: {text}") from None
        return text

    def _record(self, asking: _Asking, heard: Heard, problem: str) -> None:
        for interaction in heard.interactions(problem, self._secrets):
            asking.calls.append(interaction)
            self.budget.add(interaction)
            for listener in self._on_interaction:
                listener(interaction)


def rollout_of(turn: int, number: int = 0) -> int:
    """The rollout id of a turn's question (below 100). Of several models another one begins each turn."""
    return turn * _QUESTIONS_A_TURN + number


def messages_for(program: Program, inputs: Mapping[str, object], constrained: bool = False) -> tuple[Message, ...]:
    """What `ask` would send first, to the letter. Nobody is asked."""
    seen: list[Message] = []

    def listening(question: Question) -> str:
        seen.extend(question.messages)
        raise ModelUnavailable("nobody is asked")

    with contextlib.suppress(ModelUnavailable):
        Model([speaker("nobody", listening)]).ask(program, inputs, purpose="brief", constrained=constrained)
    return tuple(seen)


def _fields(asking: _Asking, heard: Heard) -> Mapping[str, object]:
    """Run a fresh copy of the program, for that one call, in this thread."""
    dspy = load_dspy()
    from tilewright.lm.adapter import Constrained, Fields

    module = asking.module.deepcopy()
    module.set_lm(heard.lm)
    with dspy.context(lm=heard.lm, adapter=Constrained() if asking.constrained else Fields()):
        return dict(module(**asking.inputs).items())


def _module(program: Program, inputs: Mapping[str, object]) -> Any:
    dspy = load_dspy()
    module = program if isinstance(program, dspy.Module) else dspy.Predict(program)
    fields = module.signature.input_fields if isinstance(module, dspy.Predict) else inputs
    if set(fields) != set(inputs):  # DSPy would ask without them
        raise ValueError(f"the program wants the inputs {sorted(fields)}, got {sorted(inputs)}")
    return module


def _told(module: Any, problem: str) -> Any:
    """The program that says what was wrong with the last answer."""
    more = f"\n\nYour last answer could not be used: {problem}."
    changed = module.deepcopy()
    for predictor in changed.predictors():
        predictor.signature = predictor.signature.with_instructions(predictor.signature.instructions + more)
    return changed


def _encodable(inputs: Mapping[str, object]) -> dict[str, object]:
    """Text without halves of surrogate pairs, which no request can carry."""
    return {
        name: value.encode("utf-8", "replace").decode() if isinstance(value, str) else value
        for name, value in inputs.items()
    }


def _answer(asking: _Asking, fields: Mapping[str, object]) -> Answer:
    tokens = sum((call.tokens_in or 0) + (call.tokens_out or 0) for call in asking.calls)
    prices = [call.usd for call in asking.calls if call.answer]
    known = [price for price in prices if price is not None]
    return Answer(fields, asking.speaker.name, tokens, sum(known) if len(known) == len(prices) else None)


def _final(error: Exception, text: str) -> ModelError:
    """Whether another question could fare better than this one did."""
    errors = load_dspy().utils.exceptions
    never = (
        errors.LMAuthError,
        errors.LMBillingError,
        errors.LMConfigurationError,
        errors.LMUnsupportedModelError,
    )
    return (ModelUnavailable if isinstance(error, never) else ModelFailed)(text)


def _given_up(error: Exception, text: str) -> ModelError:
    unreachable = isinstance(error, load_dspy().utils.exceptions.LMTransportError)
    return (ModelUnavailable if unreachable else ModelFailed)(text)
