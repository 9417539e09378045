"""The commands as a user types them: output, exit codes, errors that say what to do."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]


def run(*arguments: str, script: str = "-m tilewright", **environment: str) -> subprocess.CompletedProcess[str]:
    base = {k: v for k, v in os.environ.items() if not k.endswith("_API_KEY")}
    return subprocess.run(
        [sys.executable, *script.split(), *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        encoding="utf-8",
        env={**base, "PYTHONPATH": str(ROOT / "src"), **environment},
    )


def kernels(folder: Path) -> Path:
    """Three kernels: slow, slow with a faster one beside it, unmeasured."""
    for name, ratio in (("1_1", 0.312), ("1_2", 0.5), ("1_2_optimized_1.300x", 1.3)):
        (folder / f"{name}.py").write_text(
            f'"""Problem Name: P\nEvaluation Result: correctness=True speedup_ratio={ratio}\n"""\n'
        )
    (folder / "1_3.py").write_text('"""Problem Name: Q"""\n')
    return folder


def test_list_as_json_has_the_documented_fields(tmp_path: Path) -> None:
    done = run("list", str(kernels(tmp_path)), "--json")
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert set(rows[0]) == {"kernel", "level", "problem_id", "problem", "speedup_ratio", "category", "note"}
    assert [row["category"] for row in rows] == ["SLOW", "SLOW", "GOOD", "UNMEASURED"]


def test_a_kernel_that_was_changed_since_it_was_measured_is_unmeasured(tmp_path: Path) -> None:
    shipped = (ROOT / "src/prompts/correct_tilelang/level1/1_20.py").read_text()
    for name, text in (("1_20", shipped), ("1_21", shipped.replace("threads=256", "threads=128"))):
        (tmp_path / f"{name}.py").write_text(text)
    done = run("list", str(tmp_path), "--json")
    same, changed = (json.loads(line) for line in done.stdout.splitlines())
    assert same["speedup_ratio"] == 0.9889 and same["note"] is None
    assert (changed["speedup_ratio"], changed["category"]) == (None, "UNMEASURED")
    assert changed["note"] == "changed since it was measured (0.989x)"
    assert "1 UNMEASURED (1 changed since measured)" in done.stderr


def test_slow_kernels_come_slowest_first_in_any_locale(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from tilewright.listing import slow_kernels; "
        "from tilewright.cli.showing import line, slow_line; "
        f"[line(slow_line(k)) for k in slow_kernels(0.8, Path({str(kernels(tmp_path))!r})).kernels]"
    )
    done = run(code, script="-c", LC_ALL="C", PYTHONIOENCODING="ascii")
    assert done.stdout == f"📉 0.312x {tmp_path / '1_1.py'} SLOW P\n"


def test_list_slow_reports_what_it_left_out() -> None:
    done = run("--list-slow", script="run_multiturn_optimization.py")
    assert done.returncode == 0 and "unmeasured" in done.stderr
    assert all(line.startswith("📉 ") and len(line.split()) >= 5 for line in done.stdout.splitlines())


@pytest.mark.parametrize("arguments", [(), ("--kernel", "2_10", "--list-slow")])
def test_neither_or_both_of_kernel_and_list_slow_is_wrong_use(arguments: tuple[str, ...]) -> None:
    done = run(*arguments, script="run_multiturn_optimization.py")
    assert done.returncode == 2 and "--kernel" in done.stderr and "--list-slow" in done.stderr


def test_without_a_key_the_default_model_stops_before_anything(tmp_path: Path) -> None:
    done = run("optimize", "2_10", "--results", str(tmp_path / "r"))
    assert done.returncode == 2
    assert "OPENAI_API_KEY" in done.stderr and "--model none" in done.stderr
    assert not (tmp_path / "r").exists()


def test_a_missing_kernel_says_how_to_list_them() -> None:
    done = run("optimize", "level2/2_11.py", "--model", "none")
    assert done.returncode == 2 and "Could not find kernel file" in done.stderr and "tilewright list" in done.stderr


def test_a_misspelt_option_is_named() -> None:
    done = run("optimize", "2_10", "--temprature", "1")
    assert done.returncode == 2 and "--temperature" in done.stderr


def test_the_documented_options_have_the_documented_defaults() -> None:
    text = " ".join(run("--help", script="run_multiturn_optimization.py").stdout.split())
    for option, default in {
        "--threshold": "0.8",
        "--target-speedup": "1.5",
        "--max-iterations": "5",
        "--min-improvement": "0.05",
        "--model": "openai/o3",
        "--temperature": "0.7",
        "--rag-k": "3",
        "--gpu": "H100",
    }.items():
        assert f"[default: {default}]" in text.split(option, 1)[1][:300], option
    for option in ("--kernel", "-k", "--list-slow", "-l", "--no-save", "--quiet", "-q", "--verbose"):
        assert option in text


def test_a_results_folder_that_cannot_be_written_is_said_at_once(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = run("optimize", "2_10", "--model", "none", "--results", str(tmp_path / "file" / "r"))
    assert done.returncode == 1 and "--results DIR" in done.stderr


def test_resume_without_a_run_says_how_to_start_one(tmp_path: Path) -> None:
    done = run("resume", "last", "--results", str(tmp_path))
    assert done.returncode == 2 and "holds no run yet" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--baselines", "seed"), "only a run (optimize, tune) has a seed"),
        (("--baselines", "eager,compil"), "Did you mean 'compile'?"),
        (("--baselines", "file:nowhere.py"), "Could not find kernel file"),
        (("--error-factor", "0"), "error_factor is 1 or more"),
    ],
)
def test_options_of_a_measurement_that_make_no_sense_are_refused_at_once(
    arguments: tuple[str, ...], said: str, tmp_path: Path
) -> None:
    done = run("evaluate", "2_10", *arguments, "--results", str(tmp_path / "r"))
    assert done.returncode == 2 and said in done.stderr and not (tmp_path / "r").exists()


def test_a_run_refuses_the_same_baselines(tmp_path: Path) -> None:
    done = run("optimize", "2_10", "--model", "none", "--baselines", "eager,,", "--results", str(tmp_path))
    assert done.returncode == 2 and "known: eager, compile, max-autotune, seed, file:PATH" in done.stderr


def test_what_attempts_are_compared_under_cannot_change_within_a_run() -> None:
    assert run("resume", "last", "--baselines", "compile").returncode == 2


def test_recheck_without_an_evaluation_says_how_to_make_one(tmp_path: Path) -> None:
    done = run("recheck", "last", "--results", str(tmp_path))
    assert done.returncode == 2 and "tilewright evaluate KERNEL" in done.stderr


def test_migrate_shows_a_difference_and_writes_only_when_told(tmp_path: Path) -> None:
    path = tmp_path / "k.py"
    original = (ROOT / "tests/samples/legacy/elementwise.py").read_text()
    path.write_text(original)
    shown = run("migrate", str(path))
    assert shown.returncode == 0 and "tilelang.compile" in shown.stdout and path.read_text() == original
    assert run("migrate", str(path), "--write").returncode == 0
    assert path.read_text() != original
    assert run("migrate", str(path)).stdout == ""


def test_the_python_entry_refuses_a_misspelt_field() -> None:
    code = "from multiturn_optimization import OptimizationConfig; OptimizationConfig().kernel = 'x'"
    done = run(code, script="-c")
    assert done.returncode == 1 and "has no option 'kernel'" in done.stderr and "kernel_file" in done.stderr
