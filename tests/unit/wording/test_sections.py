"""Answers in numbered sections, as models write them."""

from __future__ import annotations

import pytest

from tilewright.wording.sections import sections


@pytest.mark.parametrize(
    "text",
    [
        "### 1. Fuse them.\nGain: 2x\nHow: one kernel\n\n### 2. Split rows.\nGain: 3x",
        "Here is my plan.\n\n## 1) Fuse them.\n**Gain:** 2x\n**How:** one kernel\n## 2) Split rows.\n- Gain: 3x",
        "**1. Fuse them.**\nGain: 2x\nHow: one kernel\n**2. Split rows.**\nGain: 3x",
        "### Hypothesis 1: Fuse them.\nGain: 2x\nHow: one kernel\n### Hypothesis 2: Split rows.\n*Gain*: 3x",
        "### Hypothesis 1\nFuse them.\nGain: 2x\nHow: one kernel\n\n### Hypothesis 2\nSplit rows.\nGain: 3x",
        "1. Fuse them.\n   Gain: 2x\n   How: one kernel\n2. Split rows.\n   Gain: 3x",
    ],
)
def test_sections_are_found_however_they_are_numbered(text: str) -> None:
    first, second = sections(text)
    assert (first.number, first.title, first.named("Gain"), first.named("How")) == (
        1,
        "Fuse them.",
        "2x",
        "one kernel",
    )
    assert (second.number, second.title, second.named("Gain"), second.named("How")) == (2, "Split rows.", "3x", "")


def test_numbered_steps_within_a_section_are_its_own() -> None:
    [section] = sections("### 1. Fuse them.\nHow:\n1. load\n2. store\nGain: 2x")
    assert section.named("How") == "1. load\n2. store" and section.named("Gain") == "2x"


def test_what_is_not_numbered_is_one_section() -> None:
    [section] = sections("Fuse them.\n\nThat saves a launch.")
    assert (section.number, section.title, section.body) == (1, "Fuse them.", "That saves a launch.")


def test_nothing_has_no_sections() -> None:
    assert sections(" \n") == []
