"""Kernels measured again: what counts as slower, what each is compared with, and what CI is told."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import closing
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from xml.etree import ElementTree

import click
import pytest

from samples import PROBLEM, attempt, measured, run, timing
from tilewright.cli import main
from tilewright.errors import ConfigError, UsageError
from tilewright.evaluators.local import available
from tilewright.evaluators.replay import ReplayEvaluator
from tilewright.header import read_measured_by
from tilewright.judge import Judging, config_for
from tilewright.kernelfile import load_kernel
from tilewright.records import Candidate, Comparison, Evaluation, Job, Judged, Measured
from tilewright.regressing import _once_more, _Plan, _program, compared, regress
from tilewright.report.regressed import Regressed, RegressVerdict, Taken
from tilewright.store import FILE, Store

ROOT = Path(__file__).resolve().parents[2]
REFERENCE = """
import torch

class Model(torch.nn.Module):
    def forward(self, x):
        return torch.tanh(x)

def get_inputs():
    return [torch.randn(16, 32)]

def get_init_inputs():
    return []
"""
KERNEL = REFERENCE.replace("Model", "ModelNew")
HEADER = '''"""Problem Name: 1_Tanh
Evaluation Result: compiled=True correctness=True runtime_stats={'speedup_ratio': 1.5, 'interval': [1.49, 1.51], \
'candidate_ms': 1.0, 'baseline_ms': 1.5, 'baseline': 'PyTorch eager', 'gpu': 'NVIDIA H100', 'trust': 'B'}
Measured By: tilewright 0.1.0 on 2026-01-01 (tilelang 0.1.15, torch 2.11.0); kernel 0123456789abcdef"""
'''


def taken(ratio: float, kernel_ms: float | None = 1.0, device: str = "NVIDIA H100", spread: float = 0.01) -> Taken:
    baseline_ms = None if kernel_ms is None else ratio * kernel_ms
    return Taken(ratio, ratio - spread, ratio + spread, "eager", device, kernel_ms, baseline_ms, (), "")


@pytest.mark.parametrize(
    ("then", "now", "verdict"),
    [
        (taken(1.5), taken(1.5), "same"),
        (taken(1.5), taken(1.43, 1.05), "same"),  # within the margin
        (taken(1.5), taken(1.3, 1.15), "slower"),
        (taken(1.5), taken(1.3, 1.15, spread=0.2), "same"),  # not sure enough
        (taken(1.5), taken(1.3, 1.0), "reference_faster"),
        (taken(1.5), taken(1.3, None), "slower"),
        (taken(1.5), taken(1.3, 0.5, "NVIDIA H200"), "slower"),  # times of two GPUs don't compare
        (taken(1.5), taken(1.7, 0.9), "faster"),
    ],
)
def test_slower_is_what_the_intervals_and_the_kernels_own_time_say(
    then: Taken, now: Taken, verdict: RegressVerdict
) -> None:
    said, why = compared(then, now, 0.05)
    assert said == verdict
    assert ("only the ratios compare" in why) is (then.device != now.device)


def test_versions_and_kernel_are_read_from_a_header() -> None:
    assert read_measured_by(HEADER) == ((("tilelang", "0.1.15"), ("torch", "2.11.0")), "0123456789abcdef")
    assert read_measured_by('"""Measured By: hand"""') == ((), "")


def test_a_program_is_the_same_whatever_its_docstring_and_comments_say() -> None:
    plain = Candidate(KERNEL)
    assert _program(plain) == _program(Candidate(HEADER + "# a comment\n" + KERNEL))
    assert len({_program(plain), _program(Candidate(KERNEL.replace("tanh", "sin"))), _program(Candidate("def"))}) == 3


class Scripted:
    """Another answer for each effort."""

    name = "scripted"

    def __init__(self, **answers: Evaluation) -> None:
        self.answers, self.asked = answers, []  # type: ignore[var-annotated]

    def submit(self, job: Job) -> Future[Evaluation]:
        self.asked.append(job.effort)
        future: Future[Evaluation] = Future()
        future.set_result(self.answers[job.effort])
        return future

    def close(self) -> None:
        self.answers.clear()


def on_h100(ratio: float, kernel_ms: float) -> Measured:
    row = replace(timing(ratio), candidate_ms=kernel_ms, baseline_ms=ratio * kernel_ms)
    return measured(ratio, device="NVIDIA H100", timings=(row,), versions=(("tilelang", "0.2"),))


def once_more(evaluator: Scripted | ReplayEvaluator, folder: Path) -> Regressed:
    plan = _Plan(Path("k.py"), taken(1.5), Job(Candidate(KERNEL), PROBLEM), (), ())
    with closing(Store(folder / FILE)) as store:
        return _once_more(plan, Judging(None, (), evaluator), store, 0.05)


@pytest.mark.parametrize(("again", "verdict"), [(1.3, "slower"), (1.49, "same")])
def test_a_slow_down_counts_when_fresh_processes_say_so_too(again: float, verdict: str, tmp_path: Path) -> None:
    evaluator = Scripted(full=on_h100(1.3, 1.2), confirm=on_h100(again, 1.5 / again))
    row = once_more(evaluator, tmp_path)
    assert (row.verdict, evaluator.asked) == (verdict, ["full", "confirm"])
    assert row.now is not None and row.now.ratio == again and row.versions == (("tilelang", "0.2"),)
    with closing(Store(tmp_path / FILE)) as store:  # `recheck` can repeat it
        assert store.kept(row.evaluation).evaluation == evaluator.answers["confirm"]


def test_what_speaks_against_a_number_is_no_regression(tmp_path: Path) -> None:
    doubtful = measured(0.5, device="NVIDIA H100", trust="C", trust_notes=("throttled",))
    row = once_more(Scripted(full=doubtful), tmp_path)
    assert row.verdict == "not_compared" and "throttled" in row.why


def test_a_failure_of_the_machinery_is_neither_the_kernels_nor_the_end(tmp_path: Path) -> None:
    row = once_more(ReplayEvaluator({}), tmp_path)
    assert row.verdict == "abandoned" and not row.regression and "not in the recording" in row.why


def corpus(folder: Path) -> Path:
    """Two kernels with results in their headers, one without."""
    for name, text in (("1_1", HEADER + KERNEL), ("1_2", HEADER + KERNEL.replace("tanh", "sin")), ("1_3", KERNEL)):
        (folder / f"{name}.py").write_text(text)
    (folder / "ref.py").write_text(REFERENCE)
    return folder


def stored(results: Path, path: Path, evaluation: Measured, when: str = "2026-03-01T00:00:00Z") -> None:
    job = Job(load_kernel(str(path)).candidate, PROBLEM)
    m = evaluation.measurement
    with closing(Store(results / FILE)) as store:
        store.keep(Judged(job, evaluation, "local", str(path), m.gpu, m.versions, when))


def answers(folder: Path, results: Path, evaluator: str = "replay", baselines: Sequence[str] = ()) -> list[Regressed]:
    config = config_for("k", evaluator)
    config.results = str(results)
    return list(regress([str(folder)], config, baselines=baselines, reference=str(folder / "ref.py")))


def test_headers_are_compared_with_what_a_store_holds_and_nothing_is_run(tmp_path: Path) -> None:
    folder = corpus(tmp_path)
    stored(tmp_path, folder / "1_1.py", on_h100(1.2, 1.3), "2026-02-01T00:00:00Z")
    stored(tmp_path, folder / "1_1.py", on_h100(1.5, 1.0))  # the newest counts
    stored(tmp_path, folder / "1_2.py", on_h100(1.2, 1.3))
    first, second, third, reference = answers(folder, tmp_path)
    assert [first.verdict, second.verdict, third.verdict] == ["same", "slower", "not_compared"]
    assert first.notes == ("its text isn't the one that was measured (kernel 0123456789abcdef)",)
    assert "the kernel 1 ms -> 1.3 ms" in second.why and third.why == "no result over PyTorch eager in its header"
    assert reference.verdict == "not_compared"  # it is no kernel, and says of itself no result


def test_kernels_are_compared_with_what_a_run_measured_over_the_same_baseline(tmp_path: Path) -> None:
    folder = corpus(tmp_path)
    against_seed = measured(
        2.0, baseline="seed", device="NVIDIA H100", comparisons=(Comparison("eager", "device", timing(1.5)),)
    )
    of_run = replace(attempt(0, against_seed), candidate=load_kernel(str(folder / "1_1.py")).candidate)
    with closing(Store(tmp_path / FILE)) as store:
        store.begin(run())
        store.append("r1", of_run)
    stored(tmp_path, folder / "1_1.py", on_h100(1.2, 1.3))
    first, other, same_program, _ = answers(folder, tmp_path, baselines=["r1"])
    assert first.then is not None and (first.then.ratio, first.then.baseline) == (1.5, "eager")
    assert first.then.source == "attempt r1/0" and first.verdict == "slower"
    assert (other.verdict, same_program.verdict) == ("not_compared", "slower")


def test_what_can_not_be_compared_is_wrong_use(tmp_path: Path) -> None:
    folder = corpus(tmp_path)
    with pytest.raises(UsageError, match="holds no run yet"):
        answers(folder, tmp_path / "nothing")
    stored(tmp_path, folder / "1_1.py", on_h100(1.2, 1.3))
    with pytest.raises(UsageError, match="for then name runs"):
        answers(folder, tmp_path, baselines=["store"])
    (folder / "1_1.py").write_text(KERNEL)
    (folder / "1_2.py").unlink()
    with pytest.raises(UsageError, match="No kernel there can be compared: no result"):
        answers(folder, tmp_path)
    with pytest.raises(ConfigError, match="--margin"):
        regress([str(folder)], config_for("k", "replay"), margin=1.5)


@pytest.mark.skipif(available()[0], reason="a GPU is here")
def test_without_a_gpu_it_says_where_to_measure(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no CUDA driver.*--evaluator offline"):
        answers(corpus(tmp_path), tmp_path, "auto")


def test_offline_what_became_wrong_or_unreadable_is_found_and_no_time_is_claimed(tmp_path: Path) -> None:
    folder = corpus(tmp_path)
    (folder / "1_3.py").write_text(HEADER + "class ModelNew(:\n")
    good, wrong, unreadable, _ = answers(folder, tmp_path, "offline")
    assert good.verdict == "not_timed" and good.now is None
    assert wrong.verdict == "broken" and wrong.outcome == "wrong" and wrong.regression
    assert unreadable.verdict == "broken" and "not Python" in unreadable.why


def test_where_nothing_was_compared_ci_is_not_told_that_all_is_well(tmp_path: Path) -> None:
    folder = corpus(tmp_path)
    Store(tmp_path / FILE).close()
    with pytest.raises(SystemExit) as ended:
        main(["regress", str(folder / "1_1.py"), "--reference", str(folder / "ref.py"), "--results", str(tmp_path),
              "--evaluator", "replay"])  # fmt: skip
    assert ended.value.code == 2


def test_the_page_shows_commands_that_the_command_line_takes() -> None:
    text = (ROOT / "docs" / "results.md").read_text(encoding="utf-8")
    shown = re.findall(r"^\$ tilewright (.*)$", text, re.M)
    assert len(shown) == 4
    for verb, *arguments in map(shlex.split, shown):
        found: click.Command | None = import_module(f"tilewright.cli.{verb}").command
        if isinstance(found, click.Group):
            found = found.commands.get(arguments.pop(0))
        assert found is not None
        found.make_context(verb, arguments)


@pytest.mark.parametrize(("options", "code"), [([], 0), (["--fail-on", "regression"], 3)])
def test_ci_is_told_by_exit_code_and_junit(
    options: list[str], code: int, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    folder = corpus(tmp_path)
    stored(tmp_path, folder / "1_1.py", on_h100(1.5, 1.0))
    stored(tmp_path, folder / "1_2.py", on_h100(1.2, 1.3))
    command = ["regress", str(folder), "--reference", str(folder / "ref.py"), "--results", str(tmp_path)]
    printed = {}
    for form in ("json", "junit", "text"):
        with pytest.raises(SystemExit) as ended:
            main([*command, "--evaluator", "replay", "--format", form, *options])
        assert ended.value.code == code
        printed[form] = capfdbinary.readouterr().out.decode()
    rows = [json.loads(line) for line in printed["json"].splitlines()]
    assert [row["verdict"] for row in rows[:3]] == ["same", "slower", "not_compared"]
    documented = (ROOT / "docs" / "json.md").read_text(encoding="utf-8").split("## `tilewright regress")[1]
    assert all(f"`{name}`" in documented for name in (*rows[1], *rows[1]["now"]) if name != "interval")
    assert rows[1]["then"]["versions"] == {"tilelang": "0.1.15", "torch": "2.11.0"}
    assert rows[1]["versions"] == {"tilelang": "0.2"} and rows[1]["now"]["interval"] == [1.19, 1.21]
    suite = ElementTree.fromstring(printed["junit"]).find("testsuite")
    assert suite is not None and [suite.get(name) for name in ("failures", "errors", "skipped")] == ["1", "0", "2"]
    failure = suite.findall("testcase")[1].find("failure")
    assert failure is not None and failure.get("type") == "slower" and "tilelang 0.1.15" in str(failure.text)
    assert "1 slower" in printed["text"] and "now: NVIDIA H100, tilelang 0.2" in printed["text"]
