"""tilewright lessons"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import click

from tilewright.cli.showing import line
from tilewright.config import RESULTS_HELP
from tilewright.records import Lesson


@click.command("lessons")
@click.option("--edit", type=int, metavar="N", help="Put other words (--text, --condition) in the place of lesson N.")
@click.option("--forget", type=int, multiple=True, metavar="N", help="Drop lesson N; may be repeated.")
@click.option("--text", help="What lesson N says from now on.")
@click.option("--condition", help="When lesson N holds from now on.")
@click.option("--results", type=click.Path(path_type=Path), default="results", show_default=True, help=RESULTS_HELP)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a lesson.")
def command(
    edit: int | None,
    forget: tuple[int, ...],
    text: str | None,
    condition: str | None,
    results: Path,
    as_json: bool,
) -> None:
    """Show what language models learned in runs, the newest first; models are told it in later ones."""
    if (edit is None) != (text is None and condition is None):
        raise click.UsageError("--edit N goes with --text or --condition, and they with it.")
    from tilewright.wiring import open_store

    store = open_store(results)
    try:
        if edit is not None:
            old = next((lesson for number, _, lesson in store.lessons() if number == edit), Lesson("", ""))
            store.edit_lesson(edit, replace(old, text=text or old.text, condition=condition or old.condition))
        for number in forget:
            store.edit_lesson(number, None)
        lessons = store.lessons()
    finally:
        store.close()
    for number, run, lesson in lessons:
        line(_as_json(number, run, lesson) if as_json else _as_text(number, run, lesson))
    if not lessons:
        click.echo("No lessons yet: runs with a language model leave them.", err=True)


def _as_json(number: int, run: str, lesson: Lesson) -> str:
    return json.dumps(
        {
            "id": number,
            "run": run,
            "text": lesson.text,
            "condition": lesson.condition,
            "ratio": lesson.ratio,
            "gpu": lesson.gpu or None,
        }
    )


def _as_text(number: int, run: str, lesson: Lesson) -> str:
    measured = "" if lesson.ratio is None else f" ({lesson.ratio:.2f}x{' on ' + lesson.gpu if lesson.gpu else ''})"
    return f"{number}. {lesson.text}{measured}\n   when: {lesson.condition or 'always'}; run {run}"
