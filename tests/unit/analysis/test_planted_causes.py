"""The labels name what is there, and what was found of the labelled kernels holds against them."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

from benchmarks.findings import analysed, false_first, labelled, named_first, rules_of, stored
from tilewright.analysis.rules import built_in_rules

ROOT = Path(__file__).resolve().parents[3]
NAMES = {rule.name for rule in built_in_rules()}
OF_RUNS = {"glue-kernels", "host-dominates", "launch-gaps", "little-in-flight", "l2-misses"}
"""They read a measurement, which labelled kernels have none of."""


@functools.cache
def rows() -> list[dict[str, Any]]:
    """The stored evidence of each labelled kernel, and what the rules say of it now."""
    known = stored(ROOT / "benchmarks/results/findings.jsonl")
    return [analysed(one, known[one.candidate.id + one.name]) for one in labelled()]


def test_labels_are_names_of_rules_and_every_shipped_kernel_has_its_own() -> None:
    kernels = list(labelled())
    assert all({*one.planted, *one.present} <= NAMES for one in kernels)
    corpus = {str(path.relative_to(path.parents[1])) for path in ROOT.glob("src/prompts/correct_tilelang/*/*.py")}
    assert corpus <= {one.name for one in kernels}
    assert len({one.name for one in kernels}) == len(kernels)


def test_every_rule_of_what_was_compiled_is_the_planted_cause_of_a_kernel() -> None:
    assert {rule for one in labelled() for rule in one.planted} == NAMES - OF_RUNS


def test_nine_in_ten_planted_causes_are_among_the_first_three_findings() -> None:
    planted = [row for row in rows() if row["planted"]]
    assert sum(map(named_first, planted)) >= 0.9 * len(planted)


def test_no_first_finding_is_one_that_the_kernel_has_not() -> None:
    assert [(row["kernel"], rules_of(row)[0]) for row in rows() if false_first(row)] == []
