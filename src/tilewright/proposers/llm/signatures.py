"""What is asked of a language model, and in which fields does it answer?

Instructions are in `data/prompts`; those in `own` take their place. DSPy is imported at the first use.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tilewright.lm import load_dspy
from tilewright.wording.instructions import instructions

Own = Mapping[str, str]
_INPUTS = {
    "rules": "what a candidate must be, and how it is judged",
    "tilelang": "what the installed TileLang offers",
    "task": "the reference and its sizes",
    "kernel": "the kernel at hand, and what was measured of it",
    "findings": "what holds it back",
    "knobs": "which values of its knobs were tried",
    "tried": "which changes were tried, and how they ended",
    "examples": "similar kernels that were made fast",
    "advice": "what usually helps at this point",
    "wanted": "how many hypotheses",
    "hypothesis": "the change to make",
    "candidate": "the module that failed",
    "changed": "how it differs from the kernel that is right",
    "failure": "what is known of its failure",
    "changes": "what was changed, numbered, and what was measured of it",
    "others": "what else was tried in that turn, and how it ended",
    "present": "the instructions as they are",
    "cases": "what was answered to them, and what became of it",
}
_MODULE = {"module": "the whole module in one fenced block"}
_NOTES = {"notes": "what you change and why, in a few sentences; may be left out"}


def plan(own: Own | None = None) -> Any:
    """A brief -> distinct hypotheses."""
    inputs = "rules tilelang task kernel findings knobs tried examples advice wanted"
    return _signature("plan", inputs, {"hypotheses": "numbered, in the form that is asked for"}, own=own)


def rewrite(own: Own | None = None) -> Any:
    """A brief and one hypothesis -> the whole module."""
    inputs = "rules tilelang task kernel findings tried examples hypothesis"
    return _signature("rewrite", inputs, _MODULE, _NOTES, own)


def repair(own: Own | None = None) -> Any:
    """A candidate that failed, and how -> the whole module, mended."""
    inputs = "rules tilelang task hypothesis candidate changed failure"
    return _signature("repair", inputs, _MODULE, _NOTES, own)


def reflect() -> Any:
    """Changes and what became of them -> lessons."""
    return _signature("reflect", "task kernel changes others", {"lessons": "numbered like the changes"})


def improve() -> Any:
    """Instructions, and what became of answers to them -> better instructions."""
    return _signature("improve", "present cases", {"better": "the new instructions, whole"})


def _signature(
    name: str,
    inputs: str,
    outputs: dict[str, str],
    optional: dict[str, str] | None = None,
    own: Own | None = None,
) -> Any:
    dspy = load_dspy()
    fields = {field: (str, dspy.InputField(desc=_INPUTS[field])) for field in inputs.split()}
    fields |= {field: (str, dspy.OutputField(desc=text, default="")) for field, text in (optional or {}).items()}
    fields |= {field: (str, dspy.OutputField(desc=text)) for field, text in outputs.items()}
    return dspy.Signature(fields, instructions(name, own))
