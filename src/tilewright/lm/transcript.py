"""Every interaction of a run as text that a person can read while it goes on."""

from __future__ import annotations

import re
import threading
import time
from pathlib import Path

from tilewright.errors import StoreError
from tilewright.records import Interaction

_RULE = "=" * 100


def transcript_path(results: Path, kernel: str, at: float | None = None) -> Path:
    """`results/multiturn_logs/dspy_history_2_10_20260131_154500.txt`; `at` in seconds since the epoch, else now."""
    stamp = time.strftime("%Y%m%d_%H%M%S", time.localtime(at))
    stem = re.sub(r"[^\w.-]+", "_", Path(kernel).stem) or "kernel"
    return results / "multiturn_logs" / f"dspy_history_{stem}_{stamp}.txt"


class Transcript:
    """Appends to `path`, from any thread, each interaction whole and at once."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._count = 0

    def add(self, interaction: Interaction) -> None:
        with self._lock:
            self._count += 1
            try:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                with self.path.open("a", encoding="utf-8", errors="replace") as file:
                    file.write(as_text(interaction, self._count))
            except OSError as error:
                raise StoreError(
                    f"can't write {self.path}: {error.strerror}. Choose another folder: --results DIR"
                ) from error


def as_text(interaction: Interaction, number: int = 1) -> str:
    """One interaction: who was asked what for, the prompt, the answer."""
    parts = [_RULE, f"#{number}  {interaction.purpose}  {interaction.model}", _costs(interaction)]
    if interaction.error:
        parts.append(f"problem: {interaction.error}")
    for message in interaction.messages:
        parts += [f"---- {message.role} ----", message.text.rstrip()]
    parts += ["---- answer ----", interaction.answer.rstrip() or "(none)", "", ""]
    return "\n".join(parts)


def _costs(interaction: Interaction) -> str:
    tokens = "tokens unknown"
    if interaction.tokens_in is not None or interaction.tokens_out is not None:
        tokens = f"{interaction.tokens_in or 0:,} tokens in, {interaction.tokens_out or 0:,} out"
    price = "price unknown" if interaction.usd is None else f"{interaction.usd:.4f} USD"
    finish = f", ended by {interaction.finish}" if interaction.finish not in ("", "stop") else ""
    return f"{interaction.when}  {interaction.seconds:.1f} s, {tokens}, {price}{finish}"
