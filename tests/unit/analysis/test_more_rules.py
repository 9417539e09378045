"""A rule from elsewhere needs a file and an entry point, and no edit here."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tilewright.analysis.analyzer import PerformanceAnalyzer
from tilewright.analysis.rules import built_in_rules, installed_rules
from tilewright.records import Candidate, Evidence, Problem

RULE = '''
"""Kernels that print."""

from tilewright.records import Finding


class Prints:
    name = "prints"

    def find(self, candidate, problem, evidence):
        if "T.print" not in candidate.source:
            return []
        return [Finding(self.name, "host", "high", "the kernel prints", "Remove T.print.", saves=0.4)]
'''


@pytest.fixture
def another_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package as an installer leaves it: its module, and its metadata beside it."""
    (tmp_path / "house_rules.py").write_text(RULE, encoding="utf-8")
    metadata = tmp_path / "house_rules-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: house-rules\nVersion: 1.0\n", encoding="utf-8")
    (metadata / "entry_points.txt").write_text("[tilewright.rules]\nprints = house_rules:Prints\n", encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "house_rules", raising=False)


@pytest.mark.usefixtures("another_package")
def test_a_rule_of_another_package_is_asked_without_an_edit_here() -> None:
    problem = Problem("p", "class Model: pass")
    found = PerformanceAnalyzer().analyze(Candidate("T.print(acc)"), problem, Evidence())
    assert [(finding.rule, finding.message) for finding in found] == [("prints", "the kernel prints")]
    assert PerformanceAnalyzer().analyze(Candidate("pass"), problem, Evidence()) == []


@pytest.mark.usefixtures("another_package")
def test_rules_of_other_packages_come_after_the_built_in_ones() -> None:
    names = [rule.name for rule in installed_rules()]
    assert names == [*(rule.name for rule in built_in_rules()), "prints"]
