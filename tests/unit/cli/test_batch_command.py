"""`tilewright batch` as a user types it. Runs with kernels that work: tests/unit/batching."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cli.test_commands import kernels, run
from tilewright.cli import main


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "or --resume NAME"),
        (("2_10", "--resume", "last"), "one of both"),
        (("--resume", "last"), "holds no batch yet"),
        (("--resume", "last", "--baselines", "compile"), "can't change on the way"),
        (("no_list.txt", "--tune-budget", "-1"), "tune_budget"),
        (("2_10", "--evaluator", "local"), "--evaluator local"),
        (("2_10", "--model", "openai/o3"), "OPENAI_API_KEY"),
        (("2_10", "--name", "a b"), "--name"),
    ],
)
def test_what_is_wrong_with_all_kernels_stops_before_anything(
    arguments: tuple[str, ...],
    says: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    results = tmp_path / "results"
    with pytest.raises(SystemExit) as ended:
        main(["batch", "--model", "none", *arguments, "--results", str(results)])
    assert ended.value.code == 2 and says in capsys.readouterr().err
    assert not (results / "batches").exists()


def test_kernels_that_are_no_kernels_are_rows_and_the_same_command_begins_anew_when_all_have_ended(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "kernels"
    folder.mkdir()
    arguments = ("batch", str(kernels(folder)), "--model", "none", "--evaluator", "offline", "--json")
    done = run(*arguments, "--results", str(tmp_path / "results"))
    *rows, last = [json.loads(line) for line in done.stdout.splitlines()]
    assert [Path(row["kernel"]).name for row in rows] == ["1_1.py", "1_3.py"]
    assert all(row["state"] == "failed" and "no class ModelNew" in row["detail"] for row in rows)
    assert (last["ended"], last["means"], last["evaluations"]) == (True, [], 0)
    assert "left out: 1 kernels at 0.8x or faster, 1 with a faster kernel beside them" in done.stderr
    assert (tmp_path / "results" / "reports" / f"batch-{last['batch']}.html").exists() and done.returncode == 2
    again = json.loads(run(*arguments, "--results", str(tmp_path / "results")).stdout.splitlines()[-1])
    assert again["batch"] == f"{last['batch']}-2"


def test_slow_kernels_of_a_folder_are_listed_for_programs_too(tmp_path: Path) -> None:
    folder = str(kernels(tmp_path))
    rows = [json.loads(line) for line in run("list", folder, "--slow", "--json").stdout.splitlines()]
    assert [Path(row["kernel"]).name for row in rows] == ["1_1.py"]
    assert run("list", folder, "--slow").stdout == f"📉 0.312x {tmp_path / '1_1.py'} SLOW P\n"
