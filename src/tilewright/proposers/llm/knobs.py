"""Which knob setting would a language model begin with? Its choice is one of those declared, by a schema.

Small models that can't write a kernel can choose; the search goes on from there.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from importlib.resources import files
from typing import Any, Literal

from tilewright.errors import ModelFailed
from tilewright.lm import Model, load_dspy
from tilewright.proposers.tuner import KnobTuner
from tilewright.records import Brief, Candidate, Knob, KnobValue
from tilewright.source.feasibility import infeasible
from tilewright.source.knobs import find_knobs, values_of, with_values

_INSTRUCTIONS = "data/prompts/knobs.md"


class KnobChooser:
    """Puts the model's setting before those of the search, the first time that a structure's knobs are searched."""

    name = "tuner"

    def __init__(self, search: KnobTuner, model: Model, on_note: Callable[[str], None] = lambda note: None) -> None:
        self._search, self._model, self._on_note = search, model, on_note

    def propose(self, brief: Brief) -> Sequence[Candidate]:
        found = list(self._search.propose(brief))
        structure = brief.parent.candidate.structure_id
        begun = any(a.phase == "knobs" and a.candidate.structure_id == structure for a in brief.history)
        chosen = None if begun else self._chosen(brief)
        return [*([chosen] if chosen else []), *found][: brief.limit]

    def _chosen(self, brief: Brief) -> Candidate | None:
        base = brief.parent.candidate
        knobs = [knob for knob in find_knobs(base.source) if len(knob.choices) > 1]
        if not knobs:
            return None
        try:
            values = self._asked(brief, knobs)
        except ModelFailed as error:
            self._on_note(f"no knob setting from the model: {error}")
            return None
        setting = {**values_of(base.source), **values}
        unfit = infeasible(base.source, setting, self._search.gpu)
        if unfit is not None or setting == values_of(base.source):
            self._on_note(f"the model's knob setting is not tried: {unfit or 'it is the one there is'}")
            return None
        named = ", ".join(f"{name}={value}" for name, value in values.items())
        return Candidate(
            source=with_values(base.source, setting),
            form=base.form,
            entry_point=base.entry_point,
            parent=base.id,
            proposer="llm",
            hypothesis=f"the model's choice of knobs: {named}",
            knobs=tuple(setting.items()),
            structure=base.structure_id,
            support=base.support,
        )

    def _asked(self, brief: Brief, knobs: Sequence[Knob]) -> Mapping[str, KnobValue]:
        fields = {_field(knob): knob for knob in knobs}
        inputs = {"gpu": brief.gpu, "kernel": brief.parent.candidate.source}
        answer = self._model.ask(
            _signature(fields),
            inputs,
            purpose=f"knobs turn {brief.turn}",
            rollout_id=brief.turn,
            about=brief.parent.candidate.structure_id,
            constrained=True,
        )
        return {knob.name: _choice(answer.fields[name], knob) for name, knob in fields.items()}


def _signature(fields: Mapping[str, Knob]) -> Any:
    """One output for each knob, its type the literals that may be chosen."""
    dspy = load_dspy()
    asked: dict[str, Any] = {
        "gpu": (str, dspy.InputField(desc="the GPU that the kernel runs on")),
        "kernel": (str, dspy.InputField(desc="the module as it is")),
    }
    for name, knob in fields.items():
        asked[name] = (Literal[tuple(knob.choices)], dspy.OutputField(desc=f"one of {list(knob.choices)}"))
    return dspy.Signature(asked, files("tilewright").joinpath(_INSTRUCTIONS).read_text(encoding="utf-8"))


def _field(knob: Knob) -> str:
    return re.sub(r"\W", "_", knob.name)


def _choice(value: object, knob: Knob) -> KnobValue:
    """A value of the knob's own type: JSON has no difference between some of them."""
    for choice in knob.choices:
        if str(choice) == str(value):
            return choice
    raise ModelFailed(f"{value!r} is no choice of {knob.name}")
