"""Exponentials and their like that take longer than the bytes.

What: exp, log, tanh, sine, square roots and reciprocals are so many that the unit for them is busy longer than
memory.
Slow because: a multiprocessor does 16 of them in a clock and 128 multiply-adds; a logarithm or a power is two
and more.
Example: `T.tanh(T.log(1.0 + T.exp(x)))` and `T.pow(x, 2.5)` for each of 10^8 elements.
Instead: algebra that needs fewer (the tanh of a softplus is a quotient of two polynomials in one exp), `T.exp2`
with the scale folded in, one exp that several terms share, powers of integers as products.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from tilewright.analysis import saving
from tilewright.analysis.executed import executed
from tilewright.analysis.lines import call_lines
from tilewright.analysis.source import read_source
from tilewright.records import Candidate, Evidence, Finding, KernelFacts, Problem

_FP32_FLOPS_PER_SPECIAL = 16.0
"""16 results a clock and multiprocessor where there are 128 multiply-adds; there are 64 on those named below (CUDA
C++ Programming Guide, throughput of arithmetic instructions)."""
_HALF_AS_MANY = ("sm_75", "sm_80")
_NEEDLESS = 0.5
"""The share of them that algebra or a cheaper form removes: an assumption."""
_CALLS = (
    "exp",
    "exp2",
    "log",
    "log2",
    "log10",
    "log1p",
    "tanh",
    "sigmoid",
    "pow",
    "sqrt",
    "rsqrt",
    "sin",
    "cos",
    "erf",
)


class SpecialFunctions:
    name = "special-functions"

    def find(self, candidate: Candidate, problem: Problem, evidence: Evidence) -> Sequence[Finding]:
        facts = saving.slowest_facts(evidence)
        gpu = saving.gpu_of(facts) if facts else None
        times = saving.expected(facts) if facts else None
        if facts is None or gpu is None or times is None:
            return []
        rate = gpu.fp32_flops / _FP32_FLOPS_PER_SPECIAL * (2 if gpu.arch.startswith(_HALF_AS_MANY) else 1)
        source = read_source(candidate.source, candidate.entry_point)
        findings = []
        for kernel, time in zip(facts.kernels, times.kernels):
            of_thread = _of_a_thread(kernel)
            number = of_thread * math.prod(kernel.grid) * kernel.block_threads
            special_ms = number / rate * 1e3 if rate else 0.0
            if special_ms <= time.memory_ms:
                continue
            left_ms = max(time.memory_ms, special_ms * (1 - _NEEDLESS))
            saves = saving.share_of_kernel(facts, kernel) * (special_ms - left_ms) / max(special_ms, time.total_ms)
            if saves < saving.NOTICEABLE:
                continue
            written = source.kernel(kernel.name, kernel.line) if source else None
            lines = call_lines(source, written, _CALLS) if source and written else []
            findings.append(
                saving.finding(
                    self.name,
                    "compute",
                    saves,
                    f"kernel {kernel.name} needs {special_ms * 1e3:.0f} us for exponentials and their like, and "
                    f"{time.memory_ms * 1e3:.0f} us for its bytes",
                    "Use fewer: simplify the formula, share one exp between its terms, write integer powers as "
                    "products, fold scales into T.exp2.",
                    [("special_ms", special_ms), ("memory_ms", time.memory_ms), ("special_functions", number)],
                    lines[0] if lines else kernel.line,
                )
            )
        return findings


def _of_a_thread(kernel: KernelFacts) -> float:
    run = executed(kernel)
    return run.special if run else 0.0
