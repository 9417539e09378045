"""What the skill for agents says is so: its commands parse, its tools exist, its form is the open standard's."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest

from tilewright.cli import VERBS, _tilewright

SKILL = Path(__file__).resolve().parents[2] / ".agents" / "skills" / "tilewright"
PAGES = sorted(SKILL.rglob("*.md"))


def commands(page: Path) -> list[str]:
    """Lines of console blocks, and `tilewright ...` in running text."""
    text = page.read_text(encoding="utf-8")
    blocks = re.findall(r"^```console\n(.*?)^```", text, re.S | re.M)
    shown = [line for block in blocks for line in block.splitlines() if line.startswith("tilewright ")]
    inline = re.findall(r"`(tilewright [^`\n]*)`", re.sub(r"^```.*?^```", "", text, flags=re.S | re.M))
    return shown + inline


ALL = [(page, command) for page in PAGES for command in commands(page)]


@pytest.mark.parametrize(("page", "command"), ALL, ids=[f"{page.stem}: {command}" for page, command in ALL])
def test_a_shown_command_is_one_that_the_command_line_takes(page: Path, command: str) -> None:
    verb, *arguments = shlex.split(command)[1:]
    with click.Context(_tilewright) as context:
        found = _tilewright.get_command(context, verb)
        assert found is not None, f"no verb {verb}; known: {', '.join(VERBS)}"
        found.make_context(verb, arguments, parent=context)


def test_commands_are_found_on_every_page_that_shows_some() -> None:
    assert {page.stem for page, _ in ALL} == {"SKILL", "outcomes", "being-the-model", "mcp"}


def test_the_tools_on_the_page_about_the_server_are_those_that_it_has(tmp_path: Path) -> None:
    anyio = pytest.importorskip("anyio")
    pytest.importorskip("mcp.server", reason="the extra mcp is not installed")
    from tilewright.mcp.project import Project
    from tilewright.mcp.server import make_server

    tools = {tool.name for tool in anyio.run(make_server(Project(tmp_path, Path("results"))).list_tools)}
    table = re.findall(r"^\|.*\|$", (SKILL / "references" / "mcp.md").read_text(encoding="utf-8"), re.M)
    named = {name for row in table for name in re.findall(r"`([a-z]+_[a-z_]+|lessons)`", row)} - {"tilelang_notes"}
    assert named == tools


def test_the_form_is_the_open_standard_s() -> None:
    text = (SKILL / "SKILL.md").read_text(encoding="utf-8")
    head = text.split("---\n")[1]
    assert re.findall(r"^([a-z-]+):", head, re.M) == ["name", "description"]
    assert f"name: {SKILL.name}\n" in head and "Use when" in head and len(head) < 1024
    assert len(text.splitlines()) < 500


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links_lead_to_files(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).is_file(), target
