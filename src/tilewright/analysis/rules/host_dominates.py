"""A single call is the host's work more than the device's.

What: one forward on an idle GPU takes at least 60 us and twice as long as its work on the device.
Slow because: Python, the conversion of arguments, allocations and launches come one after another on the host;
whoever waits for one answer waits for them. Where calls are queued the device hides it, so it is sorted behind
the rest.
Example: a forward that looks up six kernels by shape, makes eight temporaries and launches them: 0.2 ms for 0.02
ms of work.
Instead: fewer launches and temporaries, kernels chosen in `__init__` or kept by shape, buffers allocated by the
kernel (`out_idx`), or a CUDA graph around the module.
"""

from __future__ import annotations

from collections.abc import Sequence

from tilewright.analysis import saving
from tilewright.analysis.source import read_source
from tilewright.records import Candidate, Evidence, Finding, Problem

_HOST_OVER_DEVICE = 1.0
_LEAST_HOST_MS = 0.06
"""A forward of one launch took 26 to 47 us beyond its kernel, the wait for it included (12 measurements of 6 kernels
on two hosts with an H200): that much is no finding."""


class HostDominates:
    name = "host-dominates"

    def find(self, candidate: Candidate, problem: Problem, evidence: Evidence) -> Sequence[Finding]:
        run = next((run for run in evidence.runs if run.host_ms is not None), None)
        if run is None or run.host_ms is None or run.latency_ms is None:
            return []
        if run.host_ms < _LEAST_HOST_MS or run.host_ms < _HOST_OVER_DEVICE * run.device_ms:
            return []
        source = read_source(candidate.source, candidate.entry_point)
        launches = sum(kernel.launches for kernel in run.kernels)
        of = f" with {launches:g} launches" if launches else ""
        return [
            saving.finding(
                self.name,
                "host",
                saving.NOTICEABLE,
                f"a single call takes {run.latency_ms:.3g} ms, {run.host_ms:.3g} of them on the host{of}",
                "Launch less, prepare kernels and buffers in __init__ or keep them by shape, or capture the forward "
                "in a CUDA graph.",
                [("latency_ms", run.latency_ms), ("host_ms", run.host_ms), ("launches", launches)],
                source.forward.lineno if source and source.forward else None,
            )
        ]
