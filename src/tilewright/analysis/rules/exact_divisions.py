"""Divisions that are rounded exactly.

What: the binary divides fp32 values as IEEE 754 asks for, and that is a good part of what it does.
Slow because: such a division is about ten instructions, with a test and a branch for rare values; a product is
one.
Example: `y[i] = x[i] / total` for each element of a row, `x[i] / (1.0 + T.exp(-x[i]))` for each of a tensor.
Instead: one reciprocal before the loop where the divisor is the same, then products; else `T.sigmoid`, or
`pass_configs={"tl.enable_fast_math": True}`, whose divisions are off in the last digits of fp32, far below
fp16's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from tilewright.analysis import saving
from tilewright.analysis.lines import division_lines
from tilewright.analysis.source import read_source
from tilewright.records import Candidate, Evidence, Finding, Instructions, Problem

_FEWER = 8
"""Ten instructions become a reciprocal and a product: read off binaries of nvcc 13 for sm_90."""


class ExactDivisions:
    name = "exact-divisions"

    def find(self, candidate: Candidate, problem: Problem, evidence: Evidence) -> Sequence[Finding]:
        facts = saving.slowest_facts(evidence)
        if facts is None or problem.precision == "fp32":
            return []
        source = read_source(candidate.source, candidate.entry_point)
        findings = []
        for kernel in facts.kernels:
            if kernel.instructions is None or not kernel.instructions.divisions:
                continue
            saves = saving.saved_by_code(facts, kernel, _as_products)
            if saves < saving.NOTICEABLE:
                continue
            written = source.kernel(kernel.name, kernel.line) if source else None
            lines = division_lines(source, written) if source and written else []
            findings.append(
                saving.finding(
                    self.name,
                    "compute",
                    saves,
                    f"kernel {kernel.name} divides exactly: {kernel.instructions.divisions} divisions of about ten "
                    f"instructions each stand in {kernel.instructions.total}",
                    "Multiply by a reciprocal that is computed once, or compile with "
                    'pass_configs={"tl.enable_fast_math": True}.',
                    [
                        ("divisions", float(kernel.instructions.divisions)),
                        ("instructions", float(kernel.instructions.total)),
                    ],
                    lines[0] if lines else kernel.line,
                )
            )
        return findings


def _as_products(counted: Instructions) -> Instructions:
    fewer = min(_FEWER * counted.divisions, counted.total)
    return replace(counted, total=counted.total - fewer, divisions=0)
