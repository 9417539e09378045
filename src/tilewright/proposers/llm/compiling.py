"""Which instructions would have made a language model answer better? Found by GEPA, from turns that are played again.

GEPA (Agrawal et al., arXiv:2507.19457) plays with the instructions at hand, shows a model what came of it, and keeps
the instructions that the model writes then where they do better. Every call goes through `Model.ask`: counted,
limited and recorded like any other.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

from tilewright.errors import ModelFailed
from tilewright.lm import Model, fenced, load_dspy
from tilewright.proposers.llm import signatures

_MINIBATCH = 3
"""Turns that are played with new instructions before all are."""
_SHOWN_BYTES = 4000
"""Of each field of an answer, and of what became of it."""
_SHORTEST, _LONGEST = 80, 8000
"""Characters of instructions."""


@dataclass(frozen=True)
class Played:
    """A turn's score, 0 to 1, and what became of the answers to each signature that was asked."""

    score: float
    feedback: Mapping[str, str]


Play = Callable[[Mapping[str, str], int], Played]
"""Plays the turn of a number with instructions by signature."""


@dataclass(frozen=True)
class Compiled:
    """The best instructions that were found, and the mean score of all turns with them and with those before.

    `stopped` is what ended it early.
    """

    instructions: Mapping[str, str]
    before: float
    after: float
    stopped: Exception | None


def compiled(asked: Mapping[str, Any], play: Play, turns: int, most_plays: int, model: Model) -> Compiled:
    """Better instructions for the signatures `asked`, from the turns 0 to `turns` - 1, played `most_plays` times.

    Ends early at the first exception, such as a budget that is spent. A turn that was under way then counts nothing,
    so that instructions are never taken for better than they are.
    """
    dspy = load_dspy()
    stopped: list[Exception] = []

    class Turn(dspy.Module):  # type: ignore[misc, name-defined]
        """Its predictors only hold instructions; a fresh copy of it is made for those that are tried."""

        def __init__(self) -> None:
            super().__init__()
            for name, signature in asked.items():
                setattr(self, name, dspy.Predict(signature))

        def forward(self, number: int) -> Any:
            if not stopped:
                own = {name: one.signature.instructions for name, one in self.named_predictors()}
                try:
                    played = play(own, number)
                    return dspy.Prediction(score=played.score, feedback=played.feedback)
                except Exception as error:  # GEPA would go on after anything
                    stopped.append(error)
            return dspy.Prediction(score=0.0, feedback={})

    def improved(
        candidate: dict[str, str], reflective_dataset: dict[str, Any], components_to_update: list[str]
    ) -> dict[str, str]:
        found = {}
        for name in components_to_update:
            inputs = {"present": candidate[name], "cases": "\n\n".join(map(_case, reflective_dataset[name]))}
            try:
                answer = model.ask(signatures.improve(), inputs, purpose=f"improve {name}", flaw=_flaw)
            except Exception as error:  # GEPA passes over this proposal
                if not isinstance(error, ModelFailed):
                    stopped.append(error)
                raise
            found[name] = answer.text("better").strip()
        return found

    optimizer = dspy.GEPA(
        _metric,
        max_metric_calls=most_plays,
        reflection_minibatch_size=min(_MINIBATCH, turns),
        instruction_proposer=improved,
        component_selector=_in_turn(),
        num_threads=1,  # more would ask again after two minutes
        track_stats=True,
        gepa_kwargs={"stop_callbacks": [lambda state: bool(stopped)]},
    )
    examples = [dspy.Example(number=number).with_inputs("number") for number in range(turns)]
    with contextlib.redirect_stdout(io.StringIO()):  # its progress bars
        best = optimizer.compile(Turn(), trainset=examples, valset=examples)
    scores = best.detailed_results.val_aggregate_scores
    found = {name: one.signature.instructions for name, one in best.named_predictors()}
    return Compiled(found, scores[0], max(scores), stopped[0] if stopped else None)


def _metric(gold: Any, pred: Any, trace: Any = None, pred_name: str | None = None, pred_trace: Any = None) -> Any:
    """What a turn's play said: of one signature where GEPA asks for that."""
    feedback = pred.feedback.get(pred_name, "") if pred_name else ""
    return load_dspy().Prediction(score=pred.score, feedback=feedback)


def _in_turn() -> Callable[..., list[str]]:
    """Picks the instructions to better: each in turn of those that were used at all."""
    number = count()

    def pick(state: Any, played: Sequence[Any], scores: Any, index: int, candidate: Mapping[str, str]) -> list[str]:
        used = {name for one in played for name in one["prediction"].feedback}
        names = [name for name in candidate if name in used] or list(candidate)
        return [names[next(number) % len(names)]]

    return pick


def _case(case: Mapping[str, Any]) -> str:
    answer = case["Generated Outputs"]
    fields = answer.items() if isinstance(answer, Mapping) else [("answer", answer)]
    parts = [f"{name}:\n{fenced(str(text), _SHOWN_BYTES)}" for name, text in fields]
    return "\n".join(["### The model answered", *parts, "### What became of it", str(case["Feedback"])])


def _flaw(fields: Mapping[str, object]) -> str:
    length = len(str(fields["better"]).strip())
    if _SHORTEST <= length <= _LONGEST:
        return ""
    return f"`better` has {length} characters; write the whole instructions, in {_LONGEST} at most"
