"""`file:DIR`: each prompt becomes a file, and its answer is awaited as one, from a person or any program."""

from __future__ import annotations

import os
import re
import threading
from pathlib import Path

from tilewright.errors import AwaitingAnswers, ModelUnavailable
from tilewright.lm.speakers import Question
from tilewright.records import content_id, prompt_id

_LONGEST = 1 << 20
"""Bytes of an answer file that are read."""


class Exchange:
    """Answers questions from the files in `folder`, which several runs may share.

    A question has the same file name whenever it is asked, `0007-rewrite-turn-2-<hash>.prompt.md`, so a run that is
    continued finds its answers. They lie beside it as `0007-rewrite-turn-2-<hash>.answer.md`; `0007.answer.md` will
    do where no other prompt has the number. An empty file is no answer yet.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = threading.Lock()

    def __call__(self, question: Question) -> str:
        try:
            with self._lock:
                prompt = self._prompt(question)
            answer = self._answer(prompt)
        except OSError as error:
            raise ModelUnavailable(f"--model file:{self.folder}: {error.strerror}: {error.filename}") from error
        if answer is None:
            raise AwaitingAnswers(f"{prompt} awaits its answer in {_answer_name(prompt)}.", (str(prompt),))
        return answer

    def _prompt(self, question: Question) -> Path:
        """The question's file, written where it isn't there yet."""
        self.folder.mkdir(parents=True, exist_ok=True)
        identity = content_id(prompt_id(question.messages), question.rollout_id)[:10]
        known = sorted(self.folder.glob(f"*-{identity}.prompt.md"))
        if known:
            return known[0]
        numbers = [int(match[0]) for path in self.folder.glob("*.md") if (match := re.match(r"\d+", path.name))]
        purpose = re.sub(r"[^a-z0-9]+", "-", question.purpose.lower()).strip("-")[:60] or "question"
        path = self.folder / f"{max(numbers, default=0) + 1:04d}-{purpose}-{identity}.prompt.md"
        unfinished = path.with_name(f".{path.name}.{os.getpid()}")
        unfinished.write_text(_as_text(question, _answer_name(path)), encoding="utf-8", errors="replace")
        unfinished.replace(path)  # a reader never sees half a prompt
        return path

    def _answer(self, prompt: Path) -> str | None:
        number = prompt.name.split("-")[0]
        names = [_answer_name(prompt)]
        if len(list(self.folder.glob(f"{number}-*.prompt.md"))) == 1:
            names.append(f"{number}.answer.md")
        for path in (self.folder / name for name in names):
            if path.is_file():
                with path.open("rb") as file:
                    text = file.read(_LONGEST).decode("utf-8-sig", errors="replace").replace("\r\n", "\n")
                if text.strip():
                    return text
        return None


def _answer_name(prompt: Path) -> str:
    return prompt.name.removesuffix(".prompt.md") + ".answer.md"


def _as_text(question: Question, answer_name: str) -> str:
    head = f"<!-- {question.purpose}. Write the answer to {answer_name}, in the format that the prompt asks for. -->"
    parts = [head, *(f"# {message.role}\n\n{message.text.strip()}" for message in question.messages)]
    return "\n\n".join(parts) + "\n"
