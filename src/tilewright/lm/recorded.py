"""`replay:RUN`: the answers that a run recorded, given once more without a model."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from tilewright.errors import ModelUnavailable
from tilewright.lm.speakers import Question, Said
from tilewright.records import Interaction, prompt_id


class Recorded:
    """Answers from `interactions`, each once.

    The same prompt gets the answer it had; one that was never asked (the instructions may have changed) the first
    left of those for its purpose and rollout, then for its purpose, then of all. `on_note` is told when that begins.
    """

    def __init__(
        self, run: str, interactions: Sequence[Interaction], on_note: Callable[[str], None] = lambda note: None
    ) -> None:
        self._run, self._on_note = run, on_note
        self._left = [interaction for interaction in interactions if interaction.finish]
        self._count = len(self._left)
        self._noted = False
        self._lock = threading.Lock()

    def __call__(self, question: Question) -> Said:
        with self._lock:
            found = self._found(question)
            self._left.remove(found)
        return Said(found.answer, found.finish == "length")

    def _found(self, question: Question) -> Interaction:
        if not self._left:
            what = f"all {self._count} recorded answers were given" if self._count else "it recorded no answers"
            raise ModelUnavailable(f"--model replay:{self._run}: {what}, and {question.purpose!r} needs one.")
        asked = prompt_id(question.messages)

        def likeness(interaction: Interaction) -> tuple[bool, bool, bool]:
            return (
                interaction.prompt_id == asked,
                interaction.purpose == question.purpose,
                interaction.rollout_id == question.rollout_id,
            )

        best = max(self._left, key=likeness)  # the first of equals
        if best.prompt_id != asked and not self._noted:
            self._noted = True
            self._on_note(
                f"replay:{self._run} holds no answer to this very prompt ({question.purpose}): from here on prompts "
                "that differ are answered in the recorded order."
            )
        return best


def answers_in(interactions: Sequence[Interaction]) -> Callable[[Question], Said | None]:
    """What each question was last answered, by its prompt and rollout; None for one that nobody answered."""
    known = {
        (interaction.prompt_id, interaction.rollout_id): Said(interaction.answer, interaction.finish == "length")
        for interaction in interactions
        if interaction.finish
    }
    return lambda question: known.get((prompt_id(question.messages), question.rollout_id))
