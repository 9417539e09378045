"""Checked kernels in each format that CI systems read: every reason in its place, nothing that breaks the format."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tilewright.records import Execution, Reason
from tilewright.report import checked, github, junit, sarif
from tilewright.report.checked import Checked

NASTY = 'first, at 100%: got <nan> & "0"\nsecond line \x1b[31m\x00'


@pytest.fixture
def kernels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Checked]:
    monkeypatch.chdir(tmp_path)
    return [
        Checked(Path("a b/wrong.py"), "rejected", (Reason("mismatch", NASTY, 7, "Mend it."),), (), (), None, 1.25),
        Checked(
            Path("good.py"), "passed", (Reason("print", "it prints", 3),), ("migrated",), (), Execution(4, 8), 0.5
        ),
        Checked(Path("/else/big.py"), "not_checked", (), (), ("too big",), None, 0.0),
    ]


def test_as_text_each_kernel_begins_with_its_verdict(kernels: list[Checked]) -> None:
    words = [checked.text(one).splitlines() for one in kernels]
    assert words[0][0] == "a b/wrong.py: rejected (1.2 s)"
    assert words[1][1:] == ["  print line 3: it prints", "  note: migrated", "  executed 4 of 8 blocks"]
    assert words[2] == ["/else/big.py: not checked (0.0 s)", "  note: too big"]


def test_as_json_notes_stand_behind_the_reasons(kernels: list[Checked]) -> None:
    record = checked.fields(kernels[1])
    assert record["verdict"] == "passed" and record["executed"]["of"] == 8
    assert record["reasons"] == [
        {"rule": "print", "message": "it prints", "line": 3},
        {"rule": "note", "message": "migrated", "line": None},
    ]


def test_junit_is_well_formed_and_counts_what_failed_and_what_was_skipped(kernels: list[Checked]) -> None:
    root = ElementTree.fromstring(junit.document(kernels))
    suite = root.find("testsuite")
    assert root.tag == "testsuites" and suite is not None
    assert (suite.get("tests"), suite.get("failures"), suite.get("skipped"), suite.get("errors")) == (
        *("3", "1", "1"),
        "0",
    )
    wrong, good, big = suite.findall("testcase")
    failure = wrong.find("failure")
    assert failure is not None and failure.get("type") == "mismatch" and "got <nan> &" in str(failure.text)
    assert [child.tag for child in good] == ["system-out"]
    skipped = big.find("skipped")
    assert skipped is not None and skipped.get("message") == "too big"
    assert float(str(suite.get("time"))) == 1.75


def test_annotations_are_one_line_each_and_name_file_and_line(kernels: list[Checked]) -> None:
    wrong, good, big = (github.commands(one).splitlines() for one in kernels)
    assert wrong[1].startswith("::error file=a b/wrong.py,line=7,title=tilewright%3A mismatch::first, at 100%25: got")
    assert "%0Asecond line" in wrong[1] and len(wrong) == 2
    assert good[1].startswith("::warning file=good.py,line=3,")
    assert good[2].startswith("::notice ") and good[2].endswith("::migrated")
    assert big[1].startswith("::warning file=/else/big.py,line=1,")


def test_sarif_has_what_the_standard_and_code_scanning_ask_for(kernels: list[Checked]) -> None:
    log = json.loads(sarif.document(kernels))
    assert log["version"] == "2.1.0" and len(log["runs"]) == 1
    run = log["runs"][0]
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert run["tool"]["driver"]["name"] == "tilewright" and rules == sorted(set(rules))
    assert [result["level"] for result in run["results"]] == ["error", "warning", "note"]
    for result in run["results"]:
        assert rules[result["ruleIndex"]] == result["ruleId"] and result["message"]["text"]
        assert result["locations"][0]["physicalLocation"]["region"]["startLine"] >= 1
    uris = [r["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for r in run["results"]]
    assert uris == ["a%20b/wrong.py", "good.py", "file:///else/big.py"]
    assert len({result["partialFingerprints"]["tilewrightFinding/v1"] for result in run["results"]}) == 3


def test_no_kernels_make_empty_documents() -> None:
    assert ElementTree.fromstring(junit.document([])).find("testsuite") is not None
    assert json.loads(sarif.document([]))["runs"][0]["results"] == []
