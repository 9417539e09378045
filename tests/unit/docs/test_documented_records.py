"""What programs read is documented: each command with --json, the fields that it prints, the tables of the store."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import click

from samples import attempt, measured, run
from tilewright.cli import VERBS, _tilewright
from tilewright.cli.showing import final_record
from tilewright.judge import case_of, job_for
from tilewright.judged import evaluation_record
from tilewright.recheck import Answer, record
from tilewright.records import Judged
from tilewright.reporting import report
from tilewright.store import FILE, Store
from tilewright.wiring import Outcome

DOCS = Path(__file__).resolve().parents[3] / "docs"
JSON = (DOCS / "json.md").read_text(encoding="utf-8")
RUN = replace(
    run(attempt(0, measured(0.5), turn=0, phase="seed"), attempt(1, measured(1.2))),
    stop_reason="plateau",
    seconds=9.0,
)


def undocumented(fields: Iterable[str], heading: str) -> set[str]:
    section = JSON.split(f"\n## `tilewright {heading}")[1].split("\n## ")[0]
    return {name for name in fields if f"`{name}`" not in section and f"`{name}[]`" not in section}


def judged() -> tuple[Judged, dict[str, object]]:
    case = case_of("2_10")
    one = Judged(job_for(case), measured(1.4), "local", "2_10.py", "H100", (), "2026-01-01T00:00:00Z")
    return one, evaluation_record(case, one, 1.0)


def test_every_command_that_prints_json_has_a_section() -> None:
    spoken_of = {"generate", "tune", "resume"}  # as `optimize`
    for verb in sorted(set(VERBS) - spoken_of):
        command = _tilewright.get_command(click.Context(_tilewright), verb)
        assert command is not None
        inner = command.commands if isinstance(command, click.Group) else {"": command}
        for name, one in inner.items():
            prints = any("--json" in option.opts or "json" in _choices(option) for option in one.params)
            assert prints == (f"\n## `tilewright {verb} {name}".rstrip() in JSON), f"{verb} {name}"
    assert all(f"`{verb}`" in JSON.split("\n## `tilewright optimize")[1].split("\n## ")[0] for verb in spoken_of)


def _choices(option: click.Parameter) -> Iterable[str]:
    return map(str, option.type.choices) if isinstance(option.type, click.Choice) else ()


def test_fields_of_an_evaluation() -> None:
    _, fields = judged()
    assert not undocumented(fields, "evaluate")


def test_fields_of_a_run() -> None:
    fields = final_record(Outcome(RUN, None), 0.05, quiet=True, show=False)
    assert not undocumented([*fields, *fields["best"]], "optimize")


def test_fields_of_a_report() -> None:
    fields = json.loads(report(RUN, (), "json"))
    assert not undocumented([*fields, *fields["attempts"][1]], "report")


def test_fields_of_a_recheck() -> None:
    one, _ = judged()
    assert not undocumented(record(Answer(one, one, True, "the same", (), 1.0)), "recheck")


def test_tables_of_the_store(tmp_path: Path) -> None:
    Store(tmp_path / FILE).close()
    with closing(sqlite3.connect(tmp_path / FILE)) as db:
        tables = {name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    rows = (DOCS / "results.md").read_text(encoding="utf-8").split("| table |")[1].split("\n\n")[0].splitlines()
    assert tables == {name for row in rows[2:] for name in re.findall(r"`(\w+)`", row.split("|")[1])}
