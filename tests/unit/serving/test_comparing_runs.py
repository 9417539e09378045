"""Two runs beside each other: one scale where there is one, and what is not alike."""

from __future__ import annotations

import base64
import json
import sys
import zlib
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "report"))
from searched import searched_run

from tilewright.records import Run
from tilewright.report.page.shown import shows
from tilewright.reporting import known_of
from tilewright.serving import comparing
from tilewright.serving.comparing import Side

LONG, SHORT = searched_run(50), replace(searched_run(12), id="short")


def side(run: Run) -> Side:
    return Side(shows(run), known_of(run))


def test_two_runs_of_a_problem_share_a_scale_and_show_what_was_set_otherwise() -> None:
    other = replace(SHORT, settings=(*SHORT.settings, ("seed", "7")))
    parts = comparing.view(side(LONG), side(other)).parts
    assert parts["note"] == "" and parts["plot"].count("<path") == 2
    assert "<td>seed</td><td></td><td>7</td>" in parts["options"] and "model" not in parts["options"]
    assert "<td>#49: 1.307x</td><td>#9: 0.770x</td>" in parts["numbers"]
    sources = json.loads(zlib.decompress(base64.b64decode(comparing.packed(side(LONG), side(other)))))
    assert sources[:2] == [LONG.attempts[49].candidate.source, SHORT.attempts[9].candidate.source]


def test_runs_that_are_not_alike_share_no_scale_and_say_why() -> None:
    other = replace(SHORT, problem=replace(SHORT.problem, source="class Model: ..."), gpu="A100-80GB")
    parts = comparing.view(side(LONG), side(other)).parts
    assert "different problems" in parts["note"] and "H100 and A100-80GB" in parts["note"]
    assert "<svg" not in parts["plot"]


def test_a_run_that_just_began_can_be_compared() -> None:
    for begun in (replace(SHORT, attempts=()), replace(SHORT, attempts=SHORT.attempts[:1])):
        parts = comparing.view(side(begun), side(LONG)).parts
        assert "candidates" in parts["numbers"] and "Run short" in parts["sides"]
    same = comparing.view(side(LONG), side(replace(LONG, id="again"))).parts
    assert "They are the same." in same["kernels"] and "Nothing." in same["options"]
