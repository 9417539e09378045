"""A bundle holds what a bug report needs, and nothing that must not be shared."""

from __future__ import annotations

import json
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from samples import attempt, measured, run
from tilewright.bundling import told, write_bundle
from tilewright.cli.bundle import command
from tilewright.config import OptimizationConfig, to_pairs
from tilewright.records import CompileFailed, Interaction, Message, Run, SupportFile
from tilewright.store import FILE, Store

KEY = "sk-proj-abcdefghijklmnopqrstuvwx0123456789"
SECRET = "correct-horse-battery"


def failed_run() -> Run:
    config = OptimizationConfig()
    config.api_base = "https://me:hunter2@models.example/v1"
    begun = run(
        attempt(0, measured(0.5), turn=0, phase="seed"),
        attempt(1, CompileFailed(f"no such thing as {KEY}")),
        attempt(2, None, error=f"the worker died with {SECRET} in {Path.home()}/kernels"),
    )
    seed = begun.attempts[0]
    seed = replace(seed, candidate=replace(seed.candidate, support=(SupportFile("parts/tiles.py", "N = 1\n"),)))
    return replace(begun, settings=to_pairs(config), stop_reason="machinery", attempts=(seed, *begun.attempts[1:]))


def exchange() -> Interaction:
    asked = (Message("user", f"with {SECRET}"),)
    return Interaction("rewrite", "m", asked, "an answer", None, None, None, 1.0, "2026-01-01T00:00:00Z")


def unpacked(path: Path) -> dict[str, str]:
    with zipfile.ZipFile(path) as bundle:
        return {name: bundle.read(name).decode() for name in bundle.namelist()}


def test_a_bundle_holds_kernel_settings_error_history_and_versions(tmp_path: Path) -> None:
    bundled = failed_run()
    names = write_bundle(bundled, [exchange()], tmp_path / "b.zip")
    files = unpacked(tmp_path / "b.zip")
    assert list(files) == names
    assert files["kernel.py"] == files["best.py"] == bundled.attempts[0].candidate.source
    assert files["reference.py"] == bundled.problem.source and files["support/kernel/parts/tiles.py"] == "N = 1\n"
    assert json.loads(files["run.json"])["settings"]["model"] == "openai/o3"
    assert "the run ended: machinery" in files["errors.txt"] and "#2 abandoned" in files["errors.txt"]
    assert [entry["outcome"] for entry in json.loads(files["history.json"])] == [
        "measured",
        "compile_failed",
        "abandoned",
    ]
    assert {"tilewright", "python", "torch", "tilelang"} <= set(json.loads(files["versions.json"]))
    assert {"candidates/001_compile_failed.py", "exchanges.json"} <= set(files)


def test_no_file_of_a_bundle_holds_a_key_a_password_or_the_home_folder(tmp_path: Path) -> None:
    write_bundle(failed_run(), [exchange()], tmp_path / "b.zip", (SECRET,))
    for name, text in unpacked(tmp_path / "b.zip").items():
        for private in (KEY, SECRET, "hunter2", f"{Path.home()}/"):
            assert private not in text, name


def test_an_address_without_a_password_is_left_alone() -> None:
    assert (
        told("see https://models.example/v1, mail me@example.org")
        == "see https://models.example/v1, mail me@example.org"
    )


def test_the_command_packs_a_stored_run_without_the_keys_of_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(tmp_path / FILE)
    stored = failed_run()
    store.begin(stored)
    for one in stored.attempts:
        store.append(stored.id, one)
    store.close()
    monkeypatch.setenv("SOME_API_KEY", SECRET)
    out = tmp_path / "b.zip"
    done = CliRunner().invoke(command, ["last", "--results", str(tmp_path), "--out", str(out)])
    assert done.exit_code == 0, done.output
    assert SECRET not in "".join(unpacked(out).values())
