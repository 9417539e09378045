"""Launches take longer than the work.

What: the problem is so small that its floor is a single launch, and what is launched is more than that.
Slow because: a launch costs 2 to 3 us on the GPU however little it does; no change inside a kernel helps.
Example: three operations on a 16 x 256 tensor.
Instead: fewer launches. A single one that does its work in the time of a launch is as good as it gets.
"""

from __future__ import annotations

from collections.abc import Sequence

from tilewright.analysis import saving, torchops
from tilewright.analysis.limit import limit as floor_ms
from tilewright.analysis.rules.unfused_kernels import needless_launches
from tilewright.analysis.source import read_source
from tilewright.records import Candidate, Evidence, Finding, Problem


class LaunchBound:
    name = "launch-bound"

    def find(self, candidate: Candidate, problem: Problem, evidence: Evidence) -> Sequence[Finding]:
        facts = saving.slowest_facts(evidence)
        gpu = saving.gpu_of(facts) if facts else None
        times = saving.expected(facts) if facts else None
        if facts is None or gpu is None or times is None:
            return []
        limit = floor_ms(facts, gpu)
        own = sum(kernel.launches for kernel in facts.kernels)
        launches = own + sum(count for _, count in torchops.launching(facts.torch_ops))
        needed = own - needless_launches(facts, read_source(candidate.source, candidate.entry_point))
        saves = limit.launch_ms * (launches - max(1, needed)) / times.total_ms
        if limit.bound_by != "launch" or saves < saving.NOTICEABLE:
            return []
        return [
            saving.finding(
                self.name,
                "host",
                saves,
                f"the problem's floor is one launch ({limit.launch_ms * 1e3:g} us); forward makes {launches}",
                "Bring all work into one kernel.",
                [("launches", float(launches)), ("floor_ms", limit.floor_ms), ("expected_ms", times.total_ms)],
            )
        ]
