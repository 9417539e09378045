"""From what a user set to a model that can be asked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from tilewright.lm.budget import Budget
from tilewright.lm.calls import PATIENT, Model, Patience
from tilewright.lm.exchange import Exchange
from tilewright.lm.loading import load_dspy
from tilewright.lm.models import ModelSpec, language_model, sampling
from tilewright.lm.recorded import Recorded, answers_in
from tilewright.lm.speakers import Speaker, speaker
from tilewright.records import Interaction


def open_model(
    specs: Sequence[ModelSpec],
    *,
    temperature: float = 0.7,
    temperature_is_explicit: bool = False,
    max_tokens: int | None = None,
    api_base: str = "",
    api_key: str = "",
    timeout_s: float = 900.0,
    secrets: Sequence[str] = (),
    budget: Budget | None = None,
    recorded: Callable[[str], Sequence[Interaction]] = lambda run: (),
    earlier: Sequence[Interaction] = (),
    run: str = "",
    on_interaction: Sequence[Callable[[Interaction], None]] = (),
    on_note: Callable[[str], None] = lambda note: None,
    on_detail: Callable[[str], None] = lambda detail: None,
    on_warning: Callable[[str], None] = lambda warning: None,
    patience: Patience = PATIENT,
) -> Model:
    """The model that `specs` (at least one) mean.

    `recorded` gives a run's interactions, for replay:RUN; `earlier` are those of `run`, where it goes on: what was
    answered isn't asked again (and has been added to `budget` by whoever made that). `secrets` are further keys that
    may be in no record (see `keys_in`). Each of `on_interaction` is called from whichever thread asks. Raises
    `MissingDependency`.
    """
    load_dspy()

    def opened(spec: ModelSpec) -> Speaker:
        if spec.kind == "file":
            return speaker(str(spec), Exchange(Path(spec.name), run))
        if spec.kind == "replay":
            return speaker(str(spec), Recorded(spec.name, recorded(spec.name), on_note))
        settings = sampling(spec.name, temperature, temperature_is_explicit, max_tokens)
        for text, tell in ((settings.note, on_detail), (settings.warning, on_warning)):
            if text:
                tell(text)
        lm = language_model(spec.name, settings, api_base, api_key, timeout_s)
        return Speaker(spec.name, lambda occasion: lm.copy())

    speakers = [opened(spec) for spec in specs]
    keys = (*secrets, *([api_key] if api_key else []))
    known = answers_in(earlier) if earlier else None
    return Model(speakers, budget or Budget(), on_interaction, on_note, patience, keys, known)
