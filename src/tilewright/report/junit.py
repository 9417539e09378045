"""How do checked kernels look as a JUnit report, which most CI systems show as tests?

One test case a kernel: a failure where it was rejected, skipped where it was not checked. The elements and attributes
are those of the schema that Jenkins and GitLab read; `file` is GitLab's.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from xml.etree import ElementTree

from tilewright.report.checked import Checked, text

_NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 can't hold, even escaped."""


def document(kernels: Sequence[Checked]) -> str:
    counts = {
        "tests": str(len(kernels)),
        "failures": str(sum(one.rejected for one in kernels)),
        "errors": "0",
        "skipped": str(sum(one.verdict == "not_checked" for one in kernels)),
        "time": f"{sum(one.seconds for one in kernels):.3f}",
    }
    root = ElementTree.Element("testsuites", counts)
    suite = ElementTree.SubElement(root, "testsuite", {"name": "tilewright check", **counts})
    for checked in kernels:
        suite.append(_case(checked))
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, encoding="unicode")


def _case(checked: Checked) -> ElementTree.Element:
    place = _held(checked.place)
    case = ElementTree.Element(
        "testcase",
        {"classname": "tilewright.check", "name": place, "file": place, "time": f"{checked.seconds:.3f}"},
    )
    words = _held(text(checked))
    if checked.rejected:
        first = checked.reasons[0]
        attributes = {"type": _held(first.rule), "message": _held(first.message)}
        ElementTree.SubElement(case, "failure", attributes).text = words
    elif checked.verdict == "not_checked":
        why = "; ".join(checked.not_checked) or "not executed"
        ElementTree.SubElement(case, "skipped", {"message": _held(why)})
        ElementTree.SubElement(case, "system-out").text = words
    else:
        ElementTree.SubElement(case, "system-out").text = words
    return case


def _held(text: str) -> str:
    return _NOT_IN_XML.sub("\ufffd", text)
