"""How do judged kernels look as a JUnit report, which most CI systems show as tests?

One test case a kernel. The elements and attributes are those of the schema that Jenkins and GitLab read; `file` is
GitLab's.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal
from xml.etree import ElementTree

from tilewright.report.checked import Checked, text

_NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 can't hold, even escaped."""


@dataclass(frozen=True)
class Case:
    """One kernel. `result` is "failure" for the kernel's fault and "error" for ours; `kind` and `message` say what
    was wrong, or why it was skipped."""

    place: str
    seconds: float
    text: str
    result: Literal["passed", "failure", "error", "skipped"] = "passed"
    kind: str = ""
    message: str = ""


def document(kernels: Sequence[Checked]) -> str:
    """Of checked kernels: a failure where it was rejected, skipped where it was not checked."""
    return suite("tilewright check", [_case_of(one) for one in kernels])


def suite(name: str, cases: Sequence[Case]) -> str:
    """The document of one suite, such as "tilewright check"."""
    counts = {
        "tests": str(len(cases)),
        "failures": str(sum(case.result == "failure" for case in cases)),
        "errors": str(sum(case.result == "error" for case in cases)),
        "skipped": str(sum(case.result == "skipped" for case in cases)),
        "time": f"{sum(case.seconds for case in cases):.3f}",
    }
    root = ElementTree.Element("testsuites", counts)
    element = ElementTree.SubElement(root, "testsuite", {"name": name, **counts})
    for case in cases:
        element.append(_element(case, name.replace(" ", ".")))
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, encoding="unicode")


def _case_of(checked: Checked) -> Case:
    if checked.rejected:
        first = checked.reasons[0]
        return Case(checked.place, checked.seconds, text(checked), "failure", first.rule, first.message)
    if checked.verdict == "not_checked":
        why = "; ".join(checked.not_checked) or "not executed"
        return Case(checked.place, checked.seconds, text(checked), "skipped", message=why)
    return Case(checked.place, checked.seconds, text(checked))


def _element(case: Case, class_name: str) -> ElementTree.Element:
    place, words = _held(case.place), _held(case.text)
    element = ElementTree.Element(
        "testcase", {"classname": class_name, "name": place, "file": place, "time": f"{case.seconds:.3f}"}
    )
    if case.result in ("failure", "error"):
        attributes = {"type": _held(case.kind), "message": _held(case.message)}
        ElementTree.SubElement(element, case.result, attributes).text = words
        return element
    if case.result == "skipped":
        ElementTree.SubElement(element, "skipped", {"message": _held(case.message)})
    ElementTree.SubElement(element, "system-out").text = words
    return element


def _held(text: str) -> str:
    return _NOT_IN_XML.sub("\ufffd", text)
