"""Which techniques helped where: what counts as a try, for whom, and over what."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from samples import PROBLEM, estimated, measured
from tilewright.cli import main
from tilewright.crediting import Credit, credits
from tilewright.records import Attempt, Candidate, Evaluation, Mismatch, Problem, Run, Wrong
from tilewright.store import FILE, Store

PLAIN = "import tilelang.language as T\n"
CACHED = PLAIN + "T.gemm(a, b, c)\n"
SOFTMAX = Problem("s", "import torch\nclass Model:\n  def forward(self, x):\n    return torch.softmax(x, -1)\n")
SEED = Attempt(0, 0, "seed", Candidate(PLAIN), measured(0.5))


def tried(
    index: int,
    evaluation: Evaluation | None,
    hypothesis: str = "split_rows: more blocks",
    parent: Attempt = SEED,
    proposer: str = "rewrites",
    source: str = PLAIN,
) -> Attempt:
    kernel = Candidate(f"{source}# {index}\n", parent=parent.candidate.id, proposer=proposer, hypothesis=hypothesis)
    return Attempt(index, 1, "structure", kernel, evaluation)


def setting(of: Attempt, index: int, evaluation: Evaluation) -> Attempt:
    made = tried(index, evaluation, "more stages", of, "tuner")
    return replace(made, phase="knobs", candidate=replace(made.candidate, structure=of.candidate.id))


def run_of(*attempts: Attempt, problem: Problem = PROBLEM, evaluator: str = "local") -> Run:
    return Run("r1", problem, "k.py", (), evaluator, "H100", "2026-01-01T00:00:00Z", (SEED, *attempts))


def found(runs: list[Run], kind: str) -> dict[str, Credit]:
    return {credit.technique: credit for credit in credits(runs) if credit.kind == kind}


def test_a_try_counts_for_its_proposer_and_for_each_rewrite_it_names() -> None:
    run = run_of(
        tried(1, measured(1.0), "split_rows + cache_kernels: together"),
        tried(2, measured(0.505)),
        tried(3, Wrong(Mismatch("no"))),
    )
    rewrites = found([run], "rewrite")
    split = rewrites["split_rows"]
    assert (split.tries, split.alone, split.correct, split.gains) == (3, 2, 2, 1)
    assert (rewrites["cache_kernels"].tries, rewrites["cache_kernels"].alone) == (1, 0)
    assert split.median == pytest.approx((2.0 + 1.01) / 2) and split.interval is None
    assert found([run], "proposer")["rewrites"].tries == 3


def test_a_technique_counts_where_a_change_brought_it() -> None:
    first = tried(1, measured(1.0), source=CACHED)
    kept = tried(2, measured(1.2), parent=first, source=CACHED)
    assert found([run_of(first, kept)], "recognised")["tensor cores"].tries == 1


def test_a_structure_is_judged_at_the_best_of_its_settings() -> None:
    first = tried(1, measured(0.4))
    run = run_of(first, setting(first, 2, measured(1.5)), setting(first, 3, measured(9.0, trust="C")))
    assert found([run], "rewrite")["split_rows"].median == pytest.approx(3.0)
    assert found([run], "proposer")["tuner"].tries == 2


def test_a_mended_change_is_held_against_the_kernel_that_worked() -> None:
    failed = tried(1, Wrong(Mismatch("no")), "a", proposer="llm")
    mended = tried(2, measured(1.0), "a", parent=failed, proposer="llm")
    llm = found([run_of(failed, mended)], "proposer")["llm"]
    assert (llm.tries, llm.correct, llm.median) == (2, 1, pytest.approx(2.0))


def test_the_same_change_of_several_runs_is_one_try() -> None:
    runs = [run_of(tried(1, measured(ratio))) for ratio in (0.5, 1.0, 1.1)]
    split = found(runs, "rewrite")["split_rows"]
    assert (split.tries, split.median) == (1, pytest.approx(2.0))


def test_families_and_estimates_are_kept_apart() -> None:
    other = replace(SEED, evaluation=estimated(2.0))
    offline = replace(run_of(tried(1, estimated(1.0)), problem=SOFTMAX, evaluator="offline"))
    offline = replace(offline, attempts=(other, *offline.attempts[1:]))
    rows = [c for c in credits([run_of(tried(1, measured(1.0))), offline]) if c.kind == "rewrite"]
    assert {(c.family, c.measured, c.median) for c in rows} == {("other", True, 2.0), ("softmax", False, 2.0)}


def test_an_abandoned_attempt_is_no_try() -> None:
    assert credits([run_of(tried(1, None))]) == []


def test_from_six_tries_on_there_is_an_interval() -> None:
    run = run_of(*(tried(n, measured(0.5 + 0.1 * n)) for n in range(1, 7)))
    split = found([run], "rewrite")["split_rows"]
    assert split.interval is not None and split.interval[0] < (split.median or 0) < split.interval[1]


def test_the_command_reads_the_store(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    with closing(Store(tmp_path / FILE)) as store:
        store.begin(run_of())
        for attempt in run_of(tried(1, measured(1.0))).attempts:
            store.append("r1", attempt)
    for more in ([], ["--json"]):
        with pytest.raises(SystemExit) as done:
            main(["techniques", "--results", str(tmp_path), *more])
        assert done.value.code == 0
    table, first, *_ = capfd.readouterr().out.split("\n{")
    assert "by rewrite" in table and "2.000x" in table
    assert json.loads("{" + first) == {
        "kind": "proposer",
        "technique": "rewrites",
        "family": "other",
        "measured": True,
        "tries": 1,
        "alone": 1,
        "correct": 1,
        "gains": 1,
        "median": 2.0,
        "interval": None,
    }


def test_where_nothing_is_stored_the_command_says_how_to_begin(
    capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    with pytest.raises(SystemExit) as done:
        main(["techniques", "--results", str(tmp_path)])
    assert done.value.code == 2 and "tilewright optimize KERNEL" in capfd.readouterr().err
