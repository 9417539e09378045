"""What the README and the pages show is so: commands parse, links lead somewhere, generated pages are up to date."""

from __future__ import annotations

import ast
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from tilewright.cli import VERBS, _tilewright
from tilewright.cli.options import with_dashes

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parents[3]
README = ROOT / "README.md"
PAGES = [README, *sorted((ROOT / "docs").rglob("*.md"))]
PROGRAMS = {
    "tilewright": [],
    "run_multiturn_optimization.py": ["optimize"],
    "generate_and_eval_rag_modal.py": ["generate"],
}
"""And the verb that a script stands for."""


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(encoding="utf-8"), re.S | re.M)


def commands(page: Path) -> list[str]:
    """Of console and text blocks the lines that begin like a command, without what is said beside it; and those in
    running text. What goes through a pipe is several."""
    lines = [line for kind in ("console", "text") for block in blocks(page, kind) for line in block.splitlines()]
    shown = [re.split(r"\s{2,}", line.removeprefix("$ "))[0] for line in lines]
    prose = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.S | re.M)
    inline = re.findall(r"`([^`\n]+)`", prose)
    return [command for text in shown + inline for command in _programs(text)]


def _programs(text: str) -> Iterator[str]:
    for part in re.split(r" [|>] ", text):
        words = part.split(" ")
        while words and Path(words[0]).name in ("python", "parallel"):
            del words[0]
        if len(words) > 1 and Path(words[0]).name in PROGRAMS:
            yield " ".join([Path(words[0]).name, *words[1:]])


# The page of all commands is made from them and shows how they are called, not calls.
ALL = [(page, command) for page in PAGES if page.stem != "commands" for command in commands(page)]


@pytest.mark.parametrize(("page", "command"), ALL, ids=[f"{page.stem}: {command}" for page, command in ALL])
def test_a_shown_command_is_taken_by_the_command_line(page: Path, command: str) -> None:
    program, *arguments = shlex.split(command)
    arguments = [*PROGRAMS[program], *with_dashes(arguments)]
    context = click.Context(_tilewright)
    found: click.Command = _tilewright
    while isinstance(found, click.Group):
        name = arguments.pop(0)
        inner = found.get_command(context, name)
        assert inner is not None, f"no verb {name}; known: {', '.join(VERBS)}"
        found = inner
    if arguments:  # else it is spoken of
        found.make_context(found.name, arguments, parent=context)


def test_commands_are_found_where_pages_show_them() -> None:
    shown = {command for page, command in ALL if page == README}
    assert {"tilewright check 2_12 1_20", "tilewright resume last"} <= shown
    assert any(command.startswith("run_multiturn_optimization.py --list-slow") for command in shown)
    assert {page.stem for page, _ in ALL} >= {"README", "models", "machines", "search", "check-in-ci", "serve"}


def test_every_verb_is_on_the_front_page() -> None:
    text = README.read_text(encoding="utf-8")
    missing = [verb for verb in VERBS if not re.search(rf"`{verb}\b|tilewright {verb}\b", text)]
    assert missing == ["generate"], "that one is on the page about models"
    assert "tilewright generate" in (ROOT / "docs" / "models.md").read_text(encoding="utf-8")


def test_every_option_says_what_it_does() -> None:
    context = click.Context(_tilewright)
    for verb in VERBS:
        command = _tilewright.get_command(context, verb)
        assert command is not None
        group = list(command.commands.values()) if isinstance(command, click.Group) else []
        for one in (command, *group):
            for option in one.params:
                assert isinstance(option, click.Argument) or option.help, f"{verb} {option.opts[0]}"


def test_the_front_page_is_short_and_shows_its_picture() -> None:
    text = README.read_text(encoding="utf-8")
    assert len(text.splitlines()) < 150
    assert "![" in text.split("```")[0] and "$ make setup\n$ make demo\n" in text


def test_the_front_page_s_numbers_are_those_of_the_published_table() -> None:
    claim = re.search(r"same kernel went from ([\d.]+x) to ([\d.]+x)", README.read_text(encoding="utf-8"))
    assert claim is not None
    table = (ROOT / "benchmarks" / "RESULTS.md").read_text(encoding="utf-8").split("## Optimised without a model")[1]
    assert f"| 2_10.py | {claim[1]} | {claim[2]} |" in table


@pytest.mark.parametrize("maker", ["tools/command_pages.py", "benchmarks/picture.py"])
def test_what_is_generated_is_up_to_date(maker: str) -> None:
    called = [maker] if maker.startswith("tools") else ["-m", maker.removesuffix(".py").replace("/", ".")]
    done = subprocess.run([sys.executable, *called, "--check"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links_lead_to_files_and_headings(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)]+)\)", page.read_text(encoding="utf-8")):
        path, _, heading = target.partition("#")
        file = page.parent / path if path else page
        assert file.exists(), target
        assert not heading or heading in anchors(file), target


def anchors(page: Path) -> set[str]:
    titles = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.M)
    return {re.sub(r"[^a-z0-9 -]", "", title.lower()).replace(" ", "-") for title in titles}


def test_the_index_names_every_page() -> None:
    index = ROOT / "docs" / "README.md"
    links = re.findall(r"\]\(([^)#]+)\)", index.read_text(encoding="utf-8"))
    named = {(index.parent / link).resolve() for link in links}
    assert {page for page in PAGES if page != index} <= named


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_shown_python_and_toml_can_be_read(page: Path) -> None:
    for text in blocks(page, "python"):
        ast.parse(text)
    for text in blocks(page, "toml"):
        tomllib.loads(text)
