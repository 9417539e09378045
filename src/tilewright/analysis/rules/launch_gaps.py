"""The device stands still between the kernels of one forward.

What: forward runs several kernels, and from the first to the last at least a tenth more time goes by than they take
themselves, by the profiler's account of one forward.
Slow because: a kernel begins when the one before it has ended everywhere and its writes are seen; until then, about
a microsecond, no multiprocessor works.
Example: an LSTM cell as five kernels of 3 us each: 15 us of work in 20 us.
Instead: one kernel for what a block can go on with itself, one persistent kernel for all steps, or programmatic
dependent launch, which lets a kernel begin while the one before it ends.
"""

from __future__ import annotations

from collections.abc import Sequence

from tilewright.analysis import saving
from tilewright.analysis.rules.launch_bound import LaunchBound
from tilewright.analysis.rules.launches_in_a_loop import LaunchesInALoop
from tilewright.analysis.rules.unfused_kernels import needless_launches
from tilewright.analysis.source import read_source
from tilewright.records import Candidate, Evidence, Finding, Problem

_CONSIDERABLE = 0.1
"""Of 21 forwards of a single kernel, which have no gaps, the account makes 6 % of the time gaps at most (H200)."""
_LONGEST_US = 6.0
"""Of one gap: when the device waits longer it waits for something else, such as the host in a forward that
synchronises."""
_NEIGHBOURS = (LaunchBound(), LaunchesInALoop())
"""They say to launch less, too. So does `unfused-kernels`, of some of the launches."""


class LaunchGaps:
    name = "launch-gaps"

    def find(self, candidate: Candidate, problem: Problem, evidence: Evidence) -> Sequence[Finding]:
        run = next((run for run in evidence.runs if run.gaps_ms), None)
        facts = next((f for f in evidence.facts if run and f.workload == run.workload), None)
        if run is None or run.gaps_ms is None or facts is None:
            return []
        launches = sum(kernel.launches for kernel in run.kernels)
        gaps = launches - 1
        left = gaps - needless_launches(facts, read_source(candidate.source, candidate.entry_point))
        if left <= 0:
            return []
        gap_us = 1e3 * run.gaps_ms / gaps
        saves = run.gaps_ms / run.device_ms * left / gaps
        if gap_us > _LONGEST_US or saves < _CONSIDERABLE:
            return []
        if any(rule.find(candidate, problem, evidence) for rule in _NEIGHBOURS):
            return []
        return [
            saving.finding(
                self.name,
                "host",
                saves,
                f"{run.gaps_ms:.3g} of {run.device_ms:.3g} ms go by between the {launches:g} kernels of one forward: "
                f"{gap_us:.2g} us from the end of each to the start of the next",
                "Bring steps that a block can do one after another into one kernel, loop over steps in a persistent "
                "kernel, or let each kernel start early by programmatic dependent launch (sm_90: T.pdl_trigger() in "
                "the one before, T.pdl_sync() before what it wrote is read).",
                [("launches", launches), ("gaps_ms", run.gaps_ms), ("gap_us", gap_us)],
            )
        ]
