"""Launches take longer than the work.

What: the problem is so small that all its bytes and operations take less than a launch, and forward makes several.
Slow because: a launch costs 2 to 3 us on the GPU however little it does; no change inside a kernel helps.
Example: three operations on a 16 x 256 tensor.
Instead: fewer launches. A single one that does its work in the time of a launch is as good as it gets.
"""

from __future__ import annotations

from collections.abc import Sequence

from tilewright.analysis import saving, torchops
from tilewright.analysis.coefficients import coefficients
from tilewright.analysis.limit import limit as floor_ms
from tilewright.analysis.rules.launches_in_a_loop import LaunchesInALoop
from tilewright.analysis.rules.unfused_epilogue import UnfusedEpilogue
from tilewright.analysis.rules.unfused_kernels import UnfusedKernels, needless_launches
from tilewright.analysis.source import read_source
from tilewright.records import Candidate, Evidence, Finding, Problem

_MORE_EXACT = (UnfusedKernels(), UnfusedEpilogue(), LaunchesInALoop())
"""They say which launches are one too many."""


class LaunchBound:
    name = "launch-bound"

    def find(self, candidate: Candidate, problem: Problem, evidence: Evidence) -> Sequence[Finding]:
        facts = saving.slowest_facts(evidence)
        gpu = saving.gpu_of(facts) if facts else None
        times = saving.expected(facts) if facts else None
        if facts is None or gpu is None or times is None:
            return []
        limit, launch_ms = floor_ms(facts, gpu), coefficients().launch_us * 1e-3
        own = sum(kernel.launches for kernel in facts.kernels)
        launches = own + sum(count for _, count in torchops.launching(facts.torch_ops))
        needed = own - needless_launches(facts, read_source(candidate.source, candidate.entry_point))
        saves = launch_ms * (launches - max(1, needed)) / times.total_ms
        if max(limit.memory_ms, limit.compute_ms or 0.0) > launch_ms or saves < saving.NOTICEABLE:
            return []
        if any(rule.find(candidate, problem, evidence) for rule in _MORE_EXACT):
            return []
        return [
            saving.finding(
                self.name,
                "host",
                saves,
                f"forward makes {launches} launches, about {launch_ms * 1e3:g} us each, for work that takes no "
                "longer than one",
                "Bring all work into one kernel.",
                [("launches", float(launches)), ("floor_ms", limit.floor_ms)],
            )
        ]
