"""A stored verdict is repeated with its own draws, and compared."""

from __future__ import annotations

from pathlib import Path

import pytest

from samples import attempt, candidate, measured, run, timing
from tilewright.errors import UsageError
from tilewright.evaluators.local import available
from tilewright.judge import evaluate
from tilewright.recheck import Place, _notes, _repeated, compared, of_attempt, recheck, record
from tilewright.records import (
    Baseline,
    Candidate,
    Comparison,
    Crashed,
    Evaluation,
    Job,
    Judged,
    Mismatch,
    Problem,
    TimedOut,
    Verified,
    Wrong,
)
from tilewright.store import Store

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


@pytest.mark.parametrize(
    ("before", "after", "place", "same"),
    [
        (measured(1.5), measured(1.515), "same", True),
        (measured(1.5), measured(1.6), "same", False),
        (measured(1.5), measured(1.6), "another GPU", True),
        (measured(1.5), Verified(5, 0.5), "no GPU", True),
        (measured(1.5), Wrong(Mismatch("no")), "no GPU", False),
        (measured(1.5), TimedOut("not executed", 9.0), "no GPU", None),
        (Verified(5, 0.5), Verified(21, 0.6), "same", True),
        (
            Wrong(Mismatch("a", index=(1, 2), pattern="p")),
            Wrong(Mismatch("b", index=(1, 2), pattern="p")),
            "same",
            True,
        ),
        (Wrong(Mismatch("a", index=(1, 2))), Wrong(Mismatch("b", index=(1, 3))), "same", False),
        (Wrong(Mismatch("a race")), Verified(5, 0.5), "no GPU", None),
        (Crashed("a"), Crashed("b"), "same", True),
        (Crashed("a"), measured(1.5), "another GPU", False),
        (Crashed("a"), Verified(5, 0.5), "no GPU", None),
    ],
)
def test_what_counts_as_the_same(before: Evaluation, after: Evaluation, place: Place, same: bool | None) -> None:
    assert compared(before, after, place)[0] is same


def test_an_attempt_of_a_run_is_repeated_with_its_settings_draws_and_the_seed_as_baseline() -> None:
    paired = measured(
        1.5,
        seeds=(3, 4),
        confirmations=((1.5, 1.4, 1.6),),
        comparisons=(Comparison("seed", "device", timing(2.0)),),
    )
    finished = run(attempt(0, measured(1.0), 0, "seed"), attempt(1, paired))
    job = _repeated(of_attempt(finished, 1))
    assert job.seeds == (3, 4) and job.effort == "confirm"
    assert job.baselines == (Baseline("eager"), Baseline("seed", candidate("c0")))


def test_the_workload_that_went_wrong_is_repeated_alone() -> None:
    wrong = Wrong(Mismatch("no", workload="default", seed=9))
    job = _repeated(of_attempt(run(attempt(0, wrong, 0, "seed")), 0))
    assert job.seeds == (9,) and [w.name for w in job.problem.workloads] == ["default"]


def test_a_verdict_on_inputs_that_were_drawn_anew_says_so() -> None:
    problem = Problem("Tanh", REFERENCE)
    first, second = (
        Judged(Job(Candidate(KERNEL), problem), Wrong(Mismatch("no", seed=seed)), "offline", "k.py", "H100", (), "")
        for seed in (3, 4)
    )
    assert "draws anew" in _notes(first, second, "same")[0] and not _notes(first, first, "same")


def test_what_was_not_judged_cannot_be_repeated(tmp_path: Path) -> None:
    store = Store(tmp_path / "tilewright.db")
    store.begin(run())
    store.append("r1", attempt(0, None, 0, "seed", error="the worker died"))
    store.close()
    with pytest.raises(UsageError, match="was abandoned"):
        recheck("r1/0", tmp_path)
    with pytest.raises(UsageError, match="attempts 0 to 0, not 7"):
        recheck("r1/7", tmp_path)


def test_a_verdict_of_this_machine_repeats(tmp_path: Path) -> None:
    reference, kernel = tmp_path / "ref.py", tmp_path / "k.py"
    reference.write_text(REFERENCE)
    kernel.write_text(KERNEL.replace("tanh", "sin"))
    (made,) = evaluate(
        [str(kernel)],
        device="cpu",
        gpu=None,
        evaluator="auto",
        policy="report",
        effort="quick",
        write_header=False,
        samples=None,
        results=tmp_path,
        reference=str(reference),
        problems=None,
        inputs=None,
        precision="fp16",
    )
    answer = recheck(made["id"], tmp_path)
    assert answer.same is True and record(answer)["seeds"] == made["seeds"] != []
    assert answer.after.evaluation == answer.before.evaluation  # to the last digit: the draws are the same


@pytest.mark.skipif(available()[0], reason="a GPU is here")
def test_without_a_gpu_what_was_timed_on_one_is_verified_on_the_cpu(tmp_path: Path) -> None:
    job = Job(Candidate(KERNEL), Problem("Tanh", REFERENCE), effort="quick")
    evaluation = measured(1.5, seeds=(11,))
    stored = Judged(job, evaluation, "local", "k.py", "H100", evaluation.measurement.versions, "2026-01-01T00:00:00Z")
    store = Store(tmp_path / "tilewright.db")
    store.keep(stored)
    store.close()
    answer = recheck("last", tmp_path)
    assert answer.same is True and isinstance(answer.after.evaluation, Verified)
    assert answer.after.evaluation.seeds == (11,) and "times can't be repeated" in answer.notes[0]
