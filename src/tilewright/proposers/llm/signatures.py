"""What is asked of a language model, and in which fields does it answer?

Instructions are in `data/prompts`. DSPy is imported at the first use.
"""

from __future__ import annotations

from typing import Any

from tilewright.lm import load_dspy
from tilewright.wording.instructions import instructions

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
}
_MODULE = {"module": "the whole module in one fenced block"}
_NOTES = {"notes": "what you change and why, in a few sentences; may be left out"}


def plan() -> Any:
    """A brief -> distinct hypotheses."""
    inputs = "rules tilelang task kernel findings knobs tried examples advice wanted"
    return _signature("plan", inputs, {"hypotheses": "numbered, in the form that is asked for"})


def rewrite() -> Any:
    """A brief and one hypothesis -> the whole module."""
    return _signature("rewrite", "rules tilelang task kernel findings tried examples hypothesis", _MODULE, _NOTES)


def repair() -> Any:
    """A candidate that failed, and how -> the whole module, mended."""
    return _signature("repair", "rules tilelang task hypothesis candidate changed failure", _MODULE, _NOTES)


def reflect() -> Any:
    """Changes and what became of them -> lessons."""
    return _signature("reflect", "task kernel changes", {"lessons": "numbered like the changes"})


def _signature(name: str, inputs: str, outputs: dict[str, str], optional: dict[str, str] | None = None) -> Any:
    dspy = load_dspy()
    fields = {field: (str, dspy.InputField(desc=_INPUTS[field])) for field in inputs.split()}
    fields |= {field: (str, dspy.OutputField(desc=text, default="")) for field, text in (optional or {}).items()}
    fields |= {field: (str, dspy.OutputField(desc=text)) for field, text in outputs.items()}
    return dspy.Signature(fields, instructions(name))
