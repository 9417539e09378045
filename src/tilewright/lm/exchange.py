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
_PROMPT, _SUPERSEDED = ".prompt.md", ".superseded.md"
_AWAITED_BY = "<!-- Awaited by run {}. -->"


class Exchange:
    """Answers questions from the files in `folder`, which several runs may share.

    A question has the same file name whenever it is asked, `0007-rewrite-turn-2-<hash>.prompt.md`, so a run that is
    continued finds its answers. They lie beside it as `0007-rewrite-turn-2-<hash>.answer.md`; `0007.answer.md` will
    do where no other prompt has the number. An empty file is no answer yet.

    Its second line says which runs await it. Where `run` asks on the same occasion with other words (more is known by
    then), the unanswered prompt that no run awaits any more becomes `0007-rewrite-turn-2-<hash>.superseded.md`, and a
    prompt again should anyone ask so.
    """

    def __init__(self, folder: Path, run: str = "") -> None:
        self.folder, self._run = folder, run
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
        """The question's file, written where it isn't there yet or doesn't say that this run awaits it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self._place_of(question)
        awaiting = _awaiting(path)
        asker = self._asker(question)
        if not path.exists() or not asker <= awaiting:
            _write(path, _as_text(question, _answer_name(path), awaiting | asker))
        for other in self.folder.glob(f"*{_PROMPT}") if asker else ():
            if other != path and asker <= _awaiting(other) and self._answer(other) is None:
                _supersede(other, asker, path.name)
        return path

    def _place_of(self, question: Question) -> Path:
        identity = content_id(prompt_id(question.messages), question.rollout_id)[:10]
        for known in sorted(self.folder.glob(f"*-{identity}{_PROMPT}")):
            return known
        for known in sorted(self.folder.glob(f"*-{identity}{_SUPERSEDED}")):
            known.unlink()
            return known.with_name(known.name.replace(_SUPERSEDED, _PROMPT))
        numbers = [int(match[0]) for path in self.folder.glob("*.md") if (match := re.match(r"\d+", path.name))]
        purpose = re.sub(r"[^a-z0-9]+", "-", question.purpose.lower()).strip("-")[:60] or "question"
        return self.folder / f"{max(numbers, default=0) + 1:04d}-{purpose}-{identity}{_PROMPT}"

    def _asker(self, question: Question) -> set[str]:
        """The run and, as a hash, the occasion on which it asks; empty where no run does."""
        occasion = question.occasion
        name = content_id(occasion.purpose, occasion.rollout_id, occasion.about)[:8]
        return {f"{self._run}/{name}"} if self._run else set()

    def _answer(self, prompt: Path) -> str | None:
        number = prompt.name.split("-")[0]
        names = [_answer_name(prompt)]
        if len(list(self.folder.glob(f"{number}-*{_PROMPT}"))) == 1:
            names.append(f"{number}.answer.md")
        for path in (self.folder / name for name in names):
            if path.is_file():
                with path.open("rb") as file:
                    text = file.read(_LONGEST).decode("utf-8-sig", errors="replace").replace("\r\n", "\n")
                if text.strip():
                    return text
        return None


def _answer_name(prompt: Path) -> str:
    return prompt.name.removesuffix(_PROMPT) + ".answer.md"


def _awaiting(prompt: Path) -> set[str]:
    """Who awaits its answer, as its second line says."""
    try:
        with prompt.open(encoding="utf-8", errors="replace") as file:
            second = (file.readline(), file.readline())[1]
    except FileNotFoundError:  # or taken away by another run just now
        return set()
    found = re.fullmatch(_AWAITED_BY.format("(.+)"), second.strip())
    return set(found[1].split(", ")) if found else set()


def _supersede(prompt: Path, asker: set[str], instead: str) -> None:
    """What nobody else awaits is taken away from those that are to be answered."""
    others = _awaiting(prompt) - asker
    head, _, rest = prompt.read_text(encoding="utf-8", errors="replace").split("\n", 2)
    if others:
        _write(prompt, "\n".join([head, _AWAITED_BY.format(", ".join(sorted(others))), rest]))
        return
    said = f"<!-- Superseded: {instead} asks instead. Nobody awaits an answer to this one. -->"
    _write(prompt.with_name(prompt.name.replace(_PROMPT, _SUPERSEDED)), f"{said}\n{rest}")
    prompt.unlink()


def _as_text(question: Question, answer_name: str, awaiting: set[str]) -> str:
    head = f"<!-- {question.purpose}. Write the answer to {answer_name}, in the format that the prompt asks for. -->"
    if awaiting:
        head += "\n" + _AWAITED_BY.format(", ".join(sorted(awaiting)))
    parts = [head, *(f"# {message.role}\n\n{message.text.strip()}" for message in question.messages)]
    return "\n\n".join(parts) + "\n"


def _write(path: Path, text: str) -> None:
    """A reader never sees half a prompt."""
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    unfinished.write_text(text, encoding="utf-8", errors="replace")
    unfinished.replace(path)
