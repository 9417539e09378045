"""Policies compared: who runs what, what is left out, and the statistics over pairs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from samples import attempt, candidate, measured, run
from tilewright.cli import main
from tilewright.comparing import LeftOut, Optimize, Trial, paired, representative, trials
from tilewright.config import OptimizationConfig, resolve
from tilewright.errors import WorkerError
from tilewright.evaluators.replay import ReplayEvaluator
from tilewright.kernelfile import load_kernel
from tilewright.problems import problem_for
from tilewright.rag.operations import main_family
from tilewright.records import Brief, Candidate, Run
from tilewright.report.terminal import QuietWatcher
from tilewright.search.loop import continue_run
from tilewright.search.parts import Parts
from tilewright.search.stopping import StopRules
from tilewright.store import Store

ROOT = Path(__file__).resolve().parents[2]


def trial(kernel: str, policy: str, gain: float, seed: int = 0) -> Trial:
    return Trial(kernel, policy, seed, "r", "matmul", gain, gain, 4, 1.0, 0.1, "evaluations")


def pairs_of(*ratios: float) -> list[Trial]:
    """One kernel each, on which policy b ends at that ratio of where a ends."""
    return [
        trial(f"k{n}", name, gain) for n, ratio in enumerate(ratios) for name, gain in (("a", 2.0), ("b", 2 * ratio))
    ]


def test_the_ratio_is_the_geometric_mean_of_best_over_best() -> None:
    found = paired(pairs_of(2.0, 0.5, 4.0), "b", "a")
    assert found is not None and found.ratio == pytest.approx(4 ** (1 / 3))
    assert (found.kernels, found.better, found.same, found.worse) == (3, 2, 0, 1)


def test_a_kernel_counts_once_however_many_seeds_it_had() -> None:
    done = [*pairs_of(1.0), trial("k0", "a", 2.0, seed=1), trial("k0", "b", 8.0, seed=1)]
    found = paired(done, "b", "a")
    assert found is not None and (found.kernels, found.ratio) == (1, pytest.approx(2.0))


def test_what_differs_less_than_two_processes_do_is_the_same() -> None:
    found = paired(pairs_of(1.015, 0.99, 1.03, 0.9), "b", "a")
    assert found is not None and (found.better, found.same, found.worse) == (1, 2, 1)


def test_the_interval_holds_the_ratio_and_is_the_same_each_time() -> None:
    found = paired(pairs_of(1.1, 1.2, 1.05, 1.3, 1.15, 1.1), "b", "a")
    assert found is not None and found.interval is not None
    low, high = found.interval
    assert 1.05 < low < found.ratio < high < 1.3
    assert found == paired(pairs_of(1.1, 1.2, 1.05, 1.3, 1.15, 1.1), "b", "a")


def test_of_few_kernels_no_interval_is_claimed() -> None:
    found = paired(pairs_of(1.1, 1.2, 1.3, 1.4), "b", "a")
    assert found is not None and found.interval is None
    assert paired([], "b", "a") is None


def test_the_sign_test_is_exact() -> None:
    six = paired(pairs_of(*[1.1] * 6, 1.0), "b", "a")
    assert six is not None and six.p == pytest.approx(2 / 2**6)
    even = paired(pairs_of(1.1, 0.9, 1.0), "b", "a")
    assert even is not None and even.p == 1.0


class TwoWays:
    """A fast dead end and a slower structure with a better child."""

    name = "two ways"

    def propose(self, brief: Brief) -> Sequence[Candidate]:
        children = {"seed": ("fast", "slower"), "fast": ("dead end",), "slower": ("fastest",)}
        parent = brief.parent.candidate
        return [candidate(name, parent.id) for name in children.get(parent.hypothesis, ())]


def optimizing(folder: Path, asked: list[OptimizationConfig]) -> Optimize:
    """Whole runs with the real loop and recorded evaluations."""
    ratios = {"seed": 0.5, "fast": 1.0, "slower": 0.8, "dead end": 0.9, "fastest": 1.3}
    recorded = {candidate(name).id: measured(ratio, 0.001) for name, ratio in ratios.items()}

    def optimize(config: OptimizationConfig) -> Run:
        asked.append(config)
        settings = resolve(config)
        store = Store(folder / f"{len(asked)}.db")
        store.begin(run())
        parts = Parts(
            gates=[],
            evaluator=ReplayEvaluator(recorded),
            analyze=lambda *_: (),
            structure_proposers=[TwoWays()],
            tuner=None,
            memory=store,
            watcher=QuietWatcher(),
            stop=StopRules(
                9.0, 0.05, settings.patience, settings.max_iterations, max_evaluations=settings.max_evaluations
            ),
            candidates_per_turn=2,
            tune_budget=0,
            search=settings.search,
        )
        return continue_run(store.load("r1"), candidate("seed"), parts)

    return optimize


def base(**options: object) -> OptimizationConfig:
    config = OptimizationConfig(model="none", max_evaluations=6)
    for name, value in options.items():
        setattr(config, name, value)
    return config


def test_each_policy_gets_the_same_budget_on_each_kernel_and_they_take_turns(tmp_path: Path) -> None:
    asked: list[OptimizationConfig] = []
    found = list(trials(["greedy", "beam:2"], ["1_1", "1_2"], 2, base(), optimizing(tmp_path, asked)))
    assert [(one.kernel_file, one.search, one.seed) for one in asked] == [
        ("1_1", "greedy", 0), ("1_1", "beam:2", 0), ("1_1", "beam:2", 1), ("1_1", "greedy", 1),
        ("1_2", "beam:2", 0), ("1_2", "greedy", 0), ("1_2", "greedy", 1), ("1_2", "beam:2", 1),
    ]  # fmt: skip
    assert {one.max_evaluations for one in asked} == {6} and all(one.no_save for one in asked)
    done = [trial for answer in found if not isinstance(answer, LeftOut) for trial in answer]
    compared = paired(done, "beam:2", "greedy")
    assert compared is not None and compared.kernels == 2 and compared.ratio == pytest.approx(1.3)
    assert {one.policy: one.over_seed for one in done} == {"greedy": pytest.approx(2.0), "beam:2": pytest.approx(2.6)}


def test_a_kernel_that_one_policy_did_not_get_through_is_left_out_with_the_reason() -> None:
    def optimize(config: OptimizationConfig) -> Run:
        if config.kernel_file == "1_1" and config.search == "beam:2":
            raise WorkerError("the host is gone")
        ended = run(attempt(0, measured(0.5), turn=0, phase="seed"), attempt(1, measured(0.6)))
        return replace(ended, stop_reason="evaluations")

    found = list(trials(["greedy", "beam:2"], ["1_1", "1_2"], 1, base(), optimize))
    assert found[0] == LeftOut("1_1", "beam:2: the host is gone")
    assert isinstance(found[1], list) and [one.over_seed for one in found[1]] == [pytest.approx(1.2)] * 2


def test_an_interrupted_run_ends_the_comparison() -> None:
    def optimize(config: OptimizationConfig) -> Run:
        return replace(run(attempt(0, measured(0.5))), stop_reason="interrupted")

    with pytest.raises(KeyboardInterrupt):
        list(trials(["greedy", "beam:2"], ["1_1"], 1, base(), optimize))


@pytest.mark.parametrize("name", representative())
def test_each_representative_is_in_the_corpus_and_of_its_family(name: str) -> None:
    problem = problem_for(load_kernel(name))
    assert main_family(problem.source, problem.entry_point) == representative()[name][0]


def test_the_representatives_are_labelled_as_the_rules_are_held_to() -> None:
    labels = (ROOT / "benchmarks" / "planted_causes.toml").read_text(encoding="utf-8")
    rows = dict(line.split(" = ", 1) for line in labels.splitlines() if line.startswith('"level'))
    for name, (_, cause) in representative().items():
        row = rows[f'"level{name[0]}/{name}.py"']
        assert f'"{cause}"' in row if cause else "planted" not in row


def test_without_a_gpu_the_command_says_what_is_needed(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    with pytest.raises(SystemExit) as done:
        main(["compare", "--policies", "greedy,beam:2", "--kernels", "1_1", "--results", str(tmp_path)])
    assert done.value.code == 2 and "--evaluator offline" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--policies", "greedy"], "two or more"),
        (["--policies", "greedy,greedy"], "each once"),
        (["--policies", "greedy,best-first"], "known: greedy, beam:N"),
        (["--policies", "greedy,beam:2", "--kernels", "1_1,9_99"], "Could not find kernel file"),
    ],
)
def test_a_comparison_that_makes_no_sense_is_refused_at_once(
    arguments: list[str], said: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as done:
        main(["compare", *arguments])
    assert done.value.code == 2 and said in capfd.readouterr().err
