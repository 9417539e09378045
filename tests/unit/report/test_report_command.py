"""tilewright report, as a user types it, and what it says can be typed."""

from __future__ import annotations

import json
import shlex
from dataclasses import replace
from pathlib import Path

import click
import pytest
from searched import searched_run

from tilewright import cli
from tilewright.batching.book import Batch, Place, write
from tilewright.records import Run
from tilewright.report import picture
from tilewright.reporting import known_of, write_report
from tilewright.store import FILE, Store


@pytest.fixture
def results(tmp_path: Path) -> Path:
    run = searched_run(12)
    store = Store(tmp_path / FILE)
    store.begin(run)
    for attempt in run.attempts:
        store.append(run.id, attempt)
    store.finish(run)
    store.close()
    return tmp_path


def report(capfd: pytest.CaptureFixture[str], results: Path, *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as done:
        cli.main(["report", *arguments, "--results", str(results)])
    shown = capfd.readouterr()
    return int(done.value.code or 0), shown.out, shown.err


def test_the_page_lies_beside_the_store(capfd: pytest.CaptureFixture[str], results: Path) -> None:
    code, out, _ = report(capfd, results, "last")
    page = results / "reports" / "1122abcdef.html"
    assert code == 0 and out == f"{page}\n" and page.read_text().startswith("<!doctype html>")


def test_json_and_markdown_go_to_standard_output(capfd: pytest.CaptureFixture[str], results: Path) -> None:
    _, out, _ = report(capfd, results, "1122", "--format", "json")
    answer = json.loads(out)
    assert answer["measured"] and answer["best"] == 9 and len(answer["attempts"]) == 12
    _, out, _ = report(capfd, results, "2_12", "--format", "md")
    assert out.startswith("# 12")


def test_a_file_can_be_named(capfd: pytest.CaptureFixture[str], results: Path) -> None:
    code, out, _ = report(capfd, results, "last", "--format", "md", "--out", str(results / "new" / "run.md"))
    assert code == 0 and out.endswith("run.md\n") and (results / "new" / "run.md").exists()
    code, _, err = report(capfd, results, "last", "--out", str(results / FILE / "x.html"))
    assert code == 1 and "--out FILE" in err


def test_a_batch_is_reported_by_its_name(capfd: pytest.CaptureFixture[str], results: Path) -> None:
    places = (
        Place("kernels/2_12.py", "1122abcdef", "target"),
        Place("nowhere.py", error="no such file"),
        Place("x.py"),
    )
    write(results, Batch("friday", "0", (), "2026-11-22T09:30:00Z", places, 60.0))
    code, out, _ = report(capfd, results, "friday")
    page = results / "reports" / "batch-friday.html"
    assert code == 0 and out == f"{page}\n" and 'href="1122abcdef.html"' in page.read_text()
    _, out, _ = report(capfd, results, "friday", "--format", "json")
    *kernels, last = map(json.loads, out.splitlines())
    assert [one["state"] for one in kernels] == ["patience", "failed", "waits"]
    assert kernels[0]["after"] == pytest.approx(0.77, abs=0.01) and kernels[0]["gpu_seconds"] > 10
    assert last["batch"] == "friday" and last["gpu"] == "H100" and not last["ended"] and last["evaluations"] == 11
    _, out, _ = report(capfd, results, "friday", "--format", "md")
    assert out.startswith("# Batch friday on H100") and "no such file" in out and "--resume friday" in out


def test_an_unknown_run_is_explained(capfd: pytest.CaptureFixture[str], results: Path) -> None:
    code, _, err = report(capfd, results, "zzz")
    assert code == 2 and "1122abcdef" in err


def test_the_end_of_a_run_writes_its_page(tmp_path: Path) -> None:
    assert write_report(searched_run(3), (), tmp_path) == tmp_path / "reports" / "1122abcdef.html"


def test_without_a_browser_the_picture_is_explained(
    capfd: pytest.CaptureFixture[str], results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("HOME", str(results))
    code, _, err = report(capfd, results, "last", "--png", str(results / "plot.png"))
    assert code == 2 and "--png needs a Chromium" in err and "playwright install chromium" in err


def test_the_picture_is_a_png(capfd: pytest.CaptureFixture[str], results: Path) -> None:
    try:
        picture.browser()
    except picture.MissingDependency:
        pytest.skip("no Chromium here")
    code, _, _ = report(capfd, results, "last", "--png", str(results / "plot.png"))
    data = (results / "plot.png").read_bytes()
    assert code == 0 and data.startswith(b"\x89PNG") and len(data) > 10_000


@pytest.mark.parametrize("more", [(), (("gpu", '"A100-80GB"'), ("no_save", "true"), ("workload", '["a", "b c"]'))])
def test_the_commands_that_repeat_a_run_can_be_typed(more: tuple[tuple[str, str], ...]) -> None:
    run: Run = searched_run(12)
    explicit = json.dumps(["kernel_file", "model", *(name for name, _ in more)])
    run = replace(run, settings=(*run.settings[:2], *more, ("explicit", explicit)))
    began, again = known_of(run).reproduce
    assert again == "tilewright recheck 1122abcdef/9"
    _, verb, *arguments = shlex.split(began)
    command = cli._tilewright.get_command(click.Context(cli._tilewright), verb)
    assert command is not None
    typed = command.make_context(verb, arguments).params
    assert typed["kernel"] == "2_12" and typed["model"] == "none"
    if more:
        assert typed["gpu"] == "A100-80GB" and typed["no_save"] and typed["workload"] == ("a", "b c")
