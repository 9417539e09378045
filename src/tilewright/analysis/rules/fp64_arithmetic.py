"""Double precision where the result is a half or a float.

What: a kernel names float64, mostly as its accumulator.
Slow because: an H100 does fp64 at half the fp32 rate, an L4, T4, A10G or L40S at a thirty-second or less; it
doubles registers and traffic, and 64-bit atomics and shuffles cost twice.
Example: `accum_dtype="float64"` for a sum that is returned as fp16.
Instead: accumulate in float32, in several partial sums (one per thread, then a tree): that is as exact as
needed.
"""

from __future__ import annotations

from collections.abc import Sequence

from tilewright.analysis import saving
from tilewright.analysis.source import read_source
from tilewright.records import Candidate, Evidence, Finding, Problem

_DATA_CENTRE = 0.06
_SLOW_FP64 = 0.4
_FULL_RATE_ARCHS = ("sm_80", "sm_90", "sm_100")


class Fp64Arithmetic:
    name = "fp64-arithmetic"

    def find(self, candidate: Candidate, problem: Problem, evidence: Evidence) -> Sequence[Finding]:
        source = read_source(candidate.source, candidate.entry_point)
        if source is None or not source.fp64_lines or "float64" in problem.source:
            return []
        facts = saving.slowest_facts(evidence)
        codes = [kernel.instructions for kernel in facts.kernels] if facts else []
        doubles = sum(code.fp64 for code in codes if code)
        if codes and all(codes) and not doubles:
            return []  # named, but not in the binary
        gpu = saving.gpu_of(facts) if facts else None
        slow = gpu is not None and not gpu.arch.startswith(_FULL_RATE_ARCHS)
        return [
            saving.finding(
                self.name,
                "compute",
                _SLOW_FP64 if slow else _DATA_CENTRE,
                "a kernel computes in float64 where the reference doesn't"
                + (f": {doubles} such instructions are in the binary" if doubles else ""),
                "Accumulate in float32, in one partial sum a thread that are then added as a tree.",
                [*([("gpu", gpu.name)] if gpu else []), *([("fp64", float(doubles))] if doubles else [])],
                source.fp64_lines[0],
            )
        ]
