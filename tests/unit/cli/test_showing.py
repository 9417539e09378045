"""What commands say beside their results: what is ignored here, what is wrong with a seed, how much a run may try."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from samples import attempt, run
from tilewright import judge, wiring
from tilewright.cli.showing import _limits, final_record, watcher_for
from tilewright.config import OptimizationConfig, resolve, to_pairs
from tilewright.records import Mismatch, Wrong
from tilewright.targets import Target
from tilewright.wiring import Outcome, most_evaluations

REFUSED = "import torch\n\ntorch.equal = None\n\n\nclass ModelNew(torch.nn.Module): ...\n"
"""By the rules, before any process is started."""
REFERENCE = (
    "import torch\n\n\nclass Model(torch.nn.Module): ...\n\n\ndef get_inputs(): ...\ndef get_init_inputs(): ...\n"
)
IGNORED = "evaluator offline ignores --baselines compile{}: baselines and effort need a GPU, estimates have neither"


@pytest.fixture
def kernel(tmp_path: Path) -> Path:
    (tmp_path / "reference.py").write_text(REFERENCE)
    (tmp_path / "kernel.py").write_text(REFUSED)
    return tmp_path / "kernel.py"


def options(kernel: Path, **more: object) -> OptimizationConfig:
    config = OptimizationConfig()
    config.kernel_file, config.reference = str(kernel), str(kernel.parent / "reference.py")
    config.model, config.evaluator, config.results = "none", "offline", str(kernel.parent / "results")
    for name, value in more.items():
        setattr(config, name, value)
    return config


@pytest.mark.parametrize(("effort", "said"), [("full", ""), ("confirm", " and --effort confirm")])
def test_an_evaluation_without_a_gpu_says_what_it_ignores(kernel: Path, effort: str, said: str) -> None:
    notes: list[str] = []
    [answer] = judge.evaluate(
        [str(kernel)],
        device=None,
        gpu="H100",
        evaluator="offline",
        policy="report",
        effort=effort,  # type: ignore[arg-type]
        write_header=False,
        samples=None,
        baselines="compile",
        results=kernel.parent,
        note=notes.append,
        reference=str(kernel.parent / "reference.py"),
    )
    assert answer["outcome"] == "rejected" and notes == [IGNORED.format(said)]


def test_a_run_without_a_gpu_says_what_it_ignores(kernel: Path) -> None:
    assert IGNORED.format("") in wiring.main(options(kernel, baselines="compile")).run.notes


def test_nothing_is_said_to_be_ignored_where_it_is_not_or_nobody_asked() -> None:
    assert wiring.ignored(Target("offline", "H100", ""), ("eager",)) == ()
    assert wiring.ignored(Target("local", "H100", ""), ("compile",), "confirm") == ()


@pytest.mark.parametrize("quiet", [False, True])
def test_what_is_wrong_with_a_seed_is_said_once(quiet: bool, capsys: pytest.CaptureFixture[str]) -> None:
    message = "wrong values in output 0: first at [0, 2]"
    seed = attempt(0, Wrong(Mismatch(message)), turn=0, phase="seed")
    ended = replace(run(seed), stop_reason="seed_wrong", stop_detail=message)
    watcher = watcher_for(quiet=quiet, verbose=False)
    if watcher:
        watcher.started(ended)
        watcher.tried(ended, seed)
        watcher.stopped(ended)
    final_record(Outcome(ended, None), 0.05, quiet=quiet, show=True)
    shown = capsys.readouterr()
    assert (shown.out + shown.err).count(message) == 1
    assert (message in shown.out) is quiet is not ("--repair" in shown.err)


def test_what_is_wrong_with_a_seed_is_said_at_once_where_the_run_goes_on(capsys: pytest.CaptureFixture[str]) -> None:
    seed = attempt(0, Wrong(Mismatch("wrong values in output 0")), turn=0, phase="seed")
    watcher = watcher_for(quiet=False, verbose=False)
    assert watcher
    watcher.tried(replace(run(seed), settings=to_pairs(OptimizationConfig(repair=True))), seed)
    assert "#0   wrong values in output 0" in capsys.readouterr().err


def test_rewrites_what_a_model_writes_and_mends_and_settings_all_count(kernel: Path) -> None:
    counts = {"max_iterations": 2, "candidates": 4, "tune_budget": 8}
    model = {"model": f"file:{kernel.parent}", "hypotheses": 3, "repairs": 2}
    for more, a_turn in (({}, 4 + 8), (model, 4 + 8 + 3 * (1 + 2)), ({**model, "generate": True}, 4 + 3 * (1 + 2))):
        config = options(kernel, **counts, **more)
        assert most_evaluations(resolve(config)) == 2 * a_turn
        assert _limits(replace(run(), settings=to_pairs(config))).candidates == 2 * a_turn
    assert most_evaluations(resolve(options(kernel, max_evaluations=5))) == 5
