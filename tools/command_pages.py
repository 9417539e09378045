"""What does each command take? Writes docs/commands.md from the commands themselves; --check: does it differ?"""

from __future__ import annotations

import dataclasses
import inspect
import re
import sys
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

import click

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "commands.md"
sys.path.insert(0, str(ROOT / "src"))

from tilewright.cli import VERBS, _tilewright  # noqa: E402
from tilewright.config import OptimizationConfig, flags_of  # noqa: E402

_HEAD = """\
# Commands

Made by `python tools/command_pages.py` from what `--help` prints.

A kernel is a path, a shipped kernel's name (`level2/2_10.py`, `2_10`) or `PATH:FUNCTION`
([kernels.md](kernels.md)). A run is its id, the beginning of one, its kernel's path, or `last`. Results go to
standard output, words on the way to standard error.

| exit code | meaning |
|---|---|
| 0 | done; that a kernel is wrong or no better is an answer, too |
| 1 | tilewright itself failed, or the model could not be asked; `tilewright resume RUN` goes on |
| 2 | wrong use, something is missing, or the run waits for answers or a GPU |
| 3 | what `--fail-on` names, or a `recheck` that came out otherwise |
| 130 | interrupted by Ctrl-C |
"""
_OF_A_RUN = """\
## Options of a run

Each is also a field of `OptimizationConfig`, with `_` for `-` and without the dashes ([agents.md](agents.md)).
"""
_MANY = 10
"""A command that shares fewer options of a run has them in its own table."""


def main(arguments: Sequence[str]) -> int:
    text = page()
    if "--check" not in arguments:
        PAGE.write_text(text, encoding="utf-8")
        return 0
    if PAGE.exists() and PAGE.read_text(encoding="utf-8") == text:
        return 0
    print(f"{PAGE} differs from the commands; run: python {Path(__file__).relative_to(ROOT)}", file=sys.stderr)
    return 1


def page() -> str:
    """The whole text."""
    with click.Context(_tilewright) as context:
        commands = {verb: _tilewright.get_command(context, verb) for verb in VERBS}
    shared = _shared([command for command in commands.values() if command is not None])
    index = [f"| [`{verb}`](#{_anchor(f'tilewright {verb}')}) | {text} |" for verb, text in VERBS.items()]
    parts = [_HEAD, "\n".join(["| command | what it does |", "|---|---|", *index]) + "\n"]
    for verb, command in commands.items():
        assert command is not None
        parts += _sections(f"tilewright {verb}", command, shared)
    parts += [_OF_A_RUN, *_table(shared.values())]
    return "\n".join(parts)


def _sections(name: str, command: click.Command, shared: dict[str, str]) -> Iterator[str]:
    yield f"## {name}\n"
    if isinstance(command, click.Group):
        yield _paragraphs(command.help or "")
        for verb, inner in command.commands.items():
            yield from _sections(f"{name} {verb}", inner, shared)
        return
    words = [p.make_metavar(click.Context(command)) for p in command.params if isinstance(p, click.Argument)]
    yield f"`{' '.join([name, *words, '[OPTIONS]'])}`\n"
    yield _paragraphs(command.help or "")
    rows = [_row(option) for option in _options(command)]
    of_a_run = [flag for flag, row in shared.items() if row in rows]
    if len(of_a_run) < _MANY:
        yield from _table(rows)
        return
    yield from _table([row for row in rows if row not in shared.values()])
    lacks = [flag for flag in shared if flag not in of_a_run]
    if len(lacks) > len(of_a_run):
        yield f"And of the [options of a run](#options-of-a-run): {_listed(of_a_run)}.\n"
    else:
        but = f", but for {_listed(lacks)}" if lacks else ""
        yield f"And the [options of a run](#options-of-a-run){but}.\n"


def _shared(commands: Sequence[click.Command]) -> dict[str, str]:
    """The rows of options that are made from fields of the configuration, by their first flag."""
    texts = {flags_of(field)[0]: field.metadata["help"] for field in dataclasses.fields(OptimizationConfig)}
    found = {}
    for flag, text in texts.items():
        options = [o for command in commands for o in _options(command) if o.opts[0] == flag and o.help == text]
        if len(options) > 1:
            found[flag] = _row(options[0])
    return found


def _options(command: click.Command) -> list[click.Option]:
    return [p for p in command.params if isinstance(p, click.Option)]


def _table(rows: Collection[str]) -> Iterator[str]:
    if rows:
        yield "\n".join(["| option | what it does |", "|---|---|", *rows]) + "\n"


def _row(option: click.Option) -> str:
    flags = sorted(option.opts, key=lambda flag: not flag.startswith("--"))
    value = "" if option.is_flag else f" {_value(option)}"
    more = []
    if option.multiple and "repeated" not in (option.help or ""):
        more.append("May be repeated.")
    if option.required:
        more.append("Needed.")
    if option.show_default and option.default is not None and not option.is_flag:
        more.append(f"Default: `{option.default}`.")
    text = " ".join([option.help or "", *more]).strip()
    return f"| `{', '.join(flags)}{_escaped(value)}` | {_escaped(text)} |"


def _value(option: click.Option) -> str:
    if isinstance(option.type, click.Choice):
        return "|".join(map(str, option.type.choices))
    return option.metavar or {"integer": "N", "integer range": "N", "float": "X", "path": "PATH"}.get(
        option.type.name, "TEXT"
    )


def _paragraphs(text: str) -> str:
    """A help text as --help wraps it, put together again."""
    return "\n\n".join(_escaped(" ".join(part.split())) for part in inspect.cleandoc(text).split("\n\n")) + "\n"


def _listed(flags: Sequence[str]) -> str:
    return ", ".join(f"`{flag}`" for flag in flags)


def _escaped(text: str) -> str:
    return text.replace("|", "\\|")


def _anchor(title: str) -> str:
    """As GitHub makes them."""
    return re.sub(r"[^a-z0-9 -]", "", title.lower()).replace(" ", "-")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
