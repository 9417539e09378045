"""How do checked kernels look in SARIF 2.1.0, which code scanning services and editors read?

Field names are those of the standard: https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote

from tilewright import __version__
from tilewright.records import Reason
from tilewright.report.checked import Checked, message_of

_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


def document(kernels: Sequence[Checked]) -> str:
    found = [(checked, level, reason) for checked in kernels for level, reason in _said(checked)]
    rules = sorted({reason.rule for _, _, reason in found})
    results = [_result(checked, level, reason, rules.index(reason.rule)) for checked, level, reason in found]
    driver = {
        "name": "tilewright",
        "semanticVersion": __version__,
        "rules": [{"id": rule, "shortDescription": {"text": rule.replace("-", " ")}} for rule in rules],
    }
    run = {"tool": {"driver": driver}, "invocations": [{"executionSuccessful": True}], "results": results}
    return json.dumps({"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2, ensure_ascii=False)


def _said(checked: Checked) -> Iterator[tuple[str, Reason]]:
    """What is worth a result, with its level. What was done to a kernel first is none."""
    for reason in checked.reasons:
        yield ("error" if checked.rejected else "warning"), reason
    for why in checked.not_checked:
        yield "note", Reason("not-checked", why)


def _result(checked: Checked, level: str, reason: Reason, rule_index: int) -> dict[str, Any]:
    message = message_of(reason)
    known_by = hashlib.sha256(f"{checked.place}\0{reason.rule}\0{message}".encode()).hexdigest()[:16]
    return {
        "ruleId": reason.rule,
        "ruleIndex": rule_index,
        "level": level,
        "message": {"text": message},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": _uri(checked.place)},
                    "region": {"startLine": reason.line or 1},
                }
            }
        ],
        "partialFingerprints": {"tilewrightFinding/v1": known_by},
    }


def _uri(place: str) -> str:
    return PurePosixPath(place).as_uri() if place.startswith("/") else quote(place)
