"""What the calls of a plan find out, beside a wrong output."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from toys import PROBLEM, candidate

from tilewright.protocols import Failure
from tilewright.records import Candidate, Crashed, Problem, Unscorable, Wrong
from tilewright.worker.measuring import loading
from tilewright.worker.processes.nursery import Deadline, Ended, Nursery
from tilewright.worker.verifying import inputs
from tilewright.worker.verifying.plans import DRAWS, PLANS
from tilewright.worker.verifying.questions import Answers
from tilewright.worker.verifying.verifier import Trial

Try = Callable[..., "tuple[Trial, Failure | None]"]


@pytest.fixture(scope="module")
def nursery(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nursery]:
    made = Nursery(tmp_path_factory.mktemp("scratch"))
    yield made
    made.close()


@pytest.fixture
def tried(nursery: Nursery, tmp_path: Path) -> Try:
    """Construct and check a candidate; its trial, and the failure if it is one."""

    def run(what: Candidate, problem: Problem = PROBLEM, **options: object) -> tuple[Trial, Failure | None]:
        reference = inputs.load(problem, problem.workloads[0], "cpu", tmp_path)
        deadline = Deadline(60)
        with nursery.runner(what.id, deadline) as runner:
            trial = Trial(reference, runner, deadline, **options)  # type: ignore[arg-type]
            runner.ask(loading(what, problem, "cpu"), deadline)
            try:
                trial.construct()
                trial.check()
            except Ended as ended:
                return trial, ended.failure
        return trial, None

    return run


def mismatch(failure: Failure | None) -> str:
    assert isinstance(failure, Wrong)
    return f"{failure.mismatch.message}; {failure.mismatch.cause}"


def test_a_full_plan_has_twenty_calls_of_eight_families_under_four_draws() -> None:
    phases = PLANS["full"]
    families = Counter(family for phase in phases for family, _ in phase.calls)
    assert families.total() >= 20 and len(families.keys() - {"first"}) >= 8
    assert {phase.draw for phase in phases} == set(range(DRAWS))
    quick = {family for phase in PLANS["quick"] for family, _ in phase.calls}
    assert {"nearly", "constant", "scaled", "positive", "tails", "swapped"} <= quick


@pytest.mark.parametrize("effort", ["quick", "full"])
def test_a_right_candidate_passes_all_calls(tried: Try, effort: str) -> None:
    trial, failure = tried(candidate("return y"), effort=effort)
    assert failure is None and not trial.notes
    assert trial.checked_calls == sum(len(phase.calls) for phase in PLANS[effort])  # type: ignore[index]
    assert trial.written_bytes == 64 * 128 * 4


def test_a_trial_is_repeated_by_its_seed(tried: Try) -> None:
    what = candidate("return torch.where(y > 1.5, y * 1.01, y)")
    _, first = tried(what, effort="full", seed=7)
    _, again = tried(what, effort="full", seed=7)
    assert first == again and isinstance(first, Wrong) and first.mismatch.seed == 7


def test_a_crash_says_its_seed(tried: Try) -> None:
    _, failure = tried(candidate("raise ValueError('no')"), seed=11)
    assert isinstance(failure, Crashed) and failure.seed == 11


def test_weights_kept_from_the_first_call_are_found_by_a_reload_in_place(tried: Try) -> None:
    lazy = "self.w = getattr(self, 'w', self.linear.weight.t().clone())\n"
    _, failure = tried(candidate(lazy + "return torch.relu(x @ self.w + self.linear.bias) * 0.5"), effort="quick")
    assert "weights cached from an earlier draw" in mismatch(failure)


def test_a_parameter_that_begins_as_zeros_has_a_say(tried: Try) -> None:
    norm = Problem("Norm", NORM, precision="fp32")
    _, failure = tried(Candidate(NORM.replace("Model(", "ModelNew(")), norm)
    assert failure is None
    _, failure = tried(Candidate(NORM.replace("Model(", "ModelNew(").replace("self.norm.bias", "None")), norm)
    assert isinstance(failure, Wrong)


NORM = """
import torch
import torch.nn as nn

class Model(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.norm = nn.LayerNorm(width)

    def forward(self, x):
        return nn.functional.layer_norm(x, x.shape[1:], self.norm.weight, self.norm.bias)

def get_inputs():
    return [torch.randn(16, 64)]

def get_init_inputs():
    return [64]
"""
RENAMED = candidate("return y").source.replace("self.linear", "self.other")
PACKED = candidate("return y").source.replace(
    "self.linear = nn.Linear(features, width)",
    "self.linear = nn.Linear(features, width)\n        self.packed = [self.linear.weight.detach().t().contiguous()]",
)
LOADING = (
    RENAMED
    + """
    def load_reference(self, state):
        self.other.weight.copy_(state["linear.weight"])
        self.other.bias.copy_(state["linear.bias"])
"""
)
READ = PACKED.replace("[self.linear.weight.detach().t().contiguous()]", "float(self.linear.weight[0, 0])")


@pytest.mark.parametrize(
    ("source", "calls"), [(candidate("return y").source, 11), (LOADING, 11), (RENAMED, 10), (PACKED, 10), (READ, 10)]
)
def test_parameters_are_reloaded_where_nothing_else_can_hang_on_them(tried: Try, source: str, calls: int) -> None:
    trial, failure = tried(Candidate(source), effort="quick")
    assert failure is None and trial.checked_calls == calls


def test_an_input_that_is_written_and_put_back_is_told(tried: Try) -> None:
    _, failure = tried(candidate("x.mul_(2).mul_(0.5)\nreturn y"))
    assert "puts back what was there" in mismatch(failure)


def test_an_input_changed_behind_the_checks_of_its_own_process_is_seen_in_its_bytes(tried: Try) -> None:
    hidden = (
        "from tilewright.worker.running import runner\nrunner._same = lambda *tensors: True\n"
        "x.data.view(-1)[3] += 1\nreturn y"
    )
    _, failure = tried(candidate(hidden))
    assert "changes its input 0" in mismatch(failure)


def test_trials_with_one_seed_share_their_answers(tried: Try) -> None:
    known: Answers = {}
    tried(candidate("return y"), effort="quick", seed=3, answers=known)
    before = dict(known)
    trial, failure = tried(candidate("return y * 1"), effort="quick", seed=3, answers=known)
    assert failure is None and trial.checked_calls == 11
    assert before.keys() == known.keys() and len(known) == 11


def test_another_error_factor_is_what_decides(tried: Try) -> None:
    coarse = candidate("return y * (1 + 3e-5)")
    assert isinstance(tried(coarse, effort="quick")[1], Wrong)
    assert tried(coarse, effort="quick", error_factor=1000.0)[1] is None


def test_gradients_are_verified(tried: Try) -> None:
    assert tried(candidate("return y"), backward=True, effort="quick")[1] is None
    no_gradient = tried(candidate("return y.detach()"), backward=True, effort="quick")[1]
    assert "output 0 has no gradient" in mismatch(no_gradient)
    of_the_input = tried(candidate("return y + 0.1 * (x.mean() - x.mean().detach())"), backward=True, effort="quick")[
        1
    ]
    assert "the gradient of input 0" in mismatch(of_the_input)
    frozen = "w = self.linear.weight.detach()\nreturn torch.relu(x @ w.t() + self.linear.bias) * 0.5"
    of_the_weight = tried(candidate(frozen), backward=True, effort="quick")[1]
    assert "the gradient of linear.weight: first" in mismatch(of_the_weight)
    assert "hands no gradient on" in mismatch(of_the_weight)


def test_renamed_parameters_have_no_gradients_to_match(tried: Try) -> None:
    assert tried(Candidate(RENAMED), backward=True, effort="quick")[1] is None


def test_the_gradient_of_a_sum_is_no_expanded_view(tried: Try) -> None:
    source = PROBLEM.source.replace(
        "return torch.relu(self.linear(x)) * 0.5", "return x.sum() + self.linear(x).sum()"
    )
    same = Candidate(source.replace("class Model(", "class ModelNew("))
    for precision in ("fp16", "fp32"):
        problem = dataclasses.replace(PROBLEM, source=source, precision=precision)
        assert tried(same, problem, backward=True, effort="quick")[1] is None


def test_a_maximum_over_everything_can_be_scored(tried: Try) -> None:
    source = PROBLEM.source.replace("return torch.relu(self.linear(x)) * 0.5", "return self.linear(x).amax()")
    problem = dataclasses.replace(PROBLEM, source=source)
    assert tried(Candidate(source.replace("class Model(", "class ModelNew(")), problem, effort="quick")[1] is None


@pytest.mark.parametrize(
    ("forward", "words"),
    [
        ("return torch.softmax(self.linear(x), dim=1).sum(dim=1)", "whatever its inputs are"),
        ("return x.square() + self.linear(x).sum() * 0", "whatever its parameters are"),
        ("return 1 + torch.sigmoid(self.linear(x)) * 1e-9", "would pass"),
        ("return x.sum() if x.requires_grad else torch.rand(3)", "another answer"),
    ],
)
def test_a_problem_that_says_nothing_is_not_scored(tried: Try, forward: str, words: str) -> None:
    source = PROBLEM.source.replace("return torch.relu(self.linear(x)) * 0.5", forward)
    problem = dataclasses.replace(PROBLEM, source=source)
    _, failure = tried(Candidate(source.replace("class Model(", "class ModelNew(")), problem, effort="quick")
    assert isinstance(failure, Unscorable) and words in failure.message


def test_another_answer_is_noticed_in_half_precision_too(tried: Try) -> None:
    source = PROBLEM.source.replace("return torch.relu(self.linear(x)) * 0.5", "return x + torch.rand(x.shape) / 64")
    problem = dataclasses.replace(PROBLEM, source=source, precision="fp16")
    _, failure = tried(Candidate(source.replace("class Model(", "class ModelNew(")), problem, effort="quick")
    assert isinstance(failure, Unscorable) and "another answer" in failure.message


def test_what_is_foreseen_of_a_question_is_told_when_it_is_due(nursery: Nursery, tmp_path: Path) -> None:
    source = PROBLEM.source.replace("return torch.relu", "assert x.shape[1] < 3\n        return torch.relu")
    problem = dataclasses.replace(PROBLEM, source=source)
    what, deadline = candidate("return y"), Deadline(60)
    with nursery.runner(what.id, deadline) as runner:
        trial = Trial(inputs.load(problem, problem.workloads[0], "cpu", tmp_path), runner, deadline)
        runner.ask(loading(what, problem, "cpu"), deadline)
        trial.foresee("drawn")
        trial.construct()
        with pytest.raises(Ended, match="the reference failed in forward"):
            trial.check_call("drawn", False)


def test_a_call_that_counts_for_nothing_says_only_whether_it_is_right(nursery: Nursery, tmp_path: Path) -> None:
    for forward, right in (("return y", True), ("return y * 1.5", False), ("raise ValueError", False)):
        what, deadline = candidate(forward), Deadline(60)
        with nursery.runner(what.id, deadline) as runner:
            trial = Trial(inputs.load(PROBLEM, PROBLEM.workloads[0], "cpu", tmp_path), runner, deadline)
            runner.ask(loading(what, PROBLEM, "cpu"), deadline)
            trial.construct()
            assert trial.is_right("drawn") is right and trial.is_right("first") is right
            assert trial.checked_calls == 0 and trial.error_ratio is None


def test_a_family_that_the_reference_refuses_is_left_out_and_said(tried: Try) -> None:
    forward = "y = torch.relu(self.linear(x)) * 0.5\n        assert float(x.abs().amax()) < 8\n        return y"
    source = PROBLEM.source.replace("return torch.relu(self.linear(x)) * 0.5", forward)
    trial, failure = tried(candidate("return y"), dataclasses.replace(PROBLEM, source=source), effort="full")
    assert failure is None and trial.checked_calls >= 20
    assert not any("constant" in note for note in trial.notes)
