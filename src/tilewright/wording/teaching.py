"""What is known from elsewhere: kernels that others made fast, lessons, advice."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tilewright.records import Example, Lesson
from tilewright.wording.task import source

_SLOW = 0.8
"""Below this ratio to PyTorch a kernel shows how something is written, and not how it is made fast."""


def examples(shown: Sequence[Example], room: int) -> str:
    """Kernels whole, best first, in about `room` characters: what they grew from is left out first, then the last."""
    texts = [_example(one, before=True) for one in shown]
    for number in reversed(range(len(texts))):
        if sum(map(len, texts)) > room:
            texts[number] = _example(shown[number], before=False)
    while len(texts) > 1 and sum(map(len, texts)) > room:
        texts.pop()
    return "\n\n".join(texts) or "None."


def only_slow(one: Example) -> bool:
    """Whether it was measured to be slow and shows no step to something faster either."""
    return one.speedup_ratio is not None and one.speedup_ratio < _SLOW and one.before is None


def advice(guidelines: Sequence[str], lessons: Sequence[Lesson]) -> str:
    """Guidelines, then what other runs taught."""
    lines = [f"- {line}" for line in guidelines]
    if lessons:
        lines += ["Learned on other kernels:", *(f"- {_lesson(lesson)}" for lesson in lessons)]
    return "\n".join(lines) or "None."


def _example(one: Example, before: bool) -> str:
    return "\n".join(_lines(one, before))


def _lines(one: Example, before: bool) -> Iterator[str]:
    yield f"### {one.problem}{_speed(one)}"
    if one.why:
        yield f"Shown since: {one.why}"
    if one.techniques:
        yield f"Techniques: {', '.join(one.techniques)}"
    yield source(one.source)
    if before and one.before is not None:
        ratio = one.before.speedup_ratio
        yield f"It grew from this{f', which had {ratio:.2f}x' if ratio is not None else ''}:"
        yield source(one.before.source)


def _speed(one: Example) -> str:
    if one.speedup_ratio is None:
        return ""
    slow = "; slow and no model for its structure, shown since nothing faster is like it" if only_slow(one) else ""
    return f": {one.speedup_ratio:.2f}x of PyTorch eager's speed{f' on {one.gpu}' if one.gpu else ''}{slow}"


def _lesson(lesson: Lesson) -> str:
    gained = f" ({lesson.ratio:.2f}x{f' on {lesson.gpu}' if lesson.gpu else ''})" if lesson.ratio is not None else ""
    return f"{lesson.text}{gained} When: {lesson.condition}" if lesson.condition else f"{lesson.text}{gained}"
