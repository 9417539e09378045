"""forward makes the host wait for the GPU.

What: `.item()`, `.cpu()`, `.tolist()`, `.numpy()` or `torch.cuda.synchronize()` in forward.
Slow because: the queue runs empty; until the host has read the value and launched the next kernel, the GPU
idles 25 us and more.
Example: `scale = x.abs().max().item()` before the kernel is called.
Instead: leave the value on the GPU and hand the kernel its tensor.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence

from tilewright.analysis import saving
from tilewright.analysis.source import called_name, dotted, read_source
from tilewright.records import Candidate, Evidence, Finding, Problem

_WAIT_MS = 0.026
"""A round trip to the host and a fresh launch: the least that a forward of one launch took beyond its kernel, of 26
to 47 us in 12 measurements of 6 kernels on two hosts with an H200."""
_WAITING = ("item", "cpu", "tolist", "numpy", "synchronize")
_PRIOR = 0.3


class WaitsForGpu:
    name = "waits-for-gpu"

    def find(self, candidate: Candidate, problem: Problem, evidence: Evidence) -> Sequence[Finding]:
        source = read_source(candidate.source, candidate.entry_point)
        if source is None or source.forward is None:
            return []
        waiting = [
            node
            for node in ast.walk(source.forward)
            if isinstance(node, ast.Call) and called_name(node) in _WAITING and isinstance(node.func, ast.Attribute)
        ]
        if not waiting:
            return []
        facts = saving.slowest_facts(evidence)
        times = saving.expected(facts) if facts else None
        waits_ms = _WAIT_MS * len(waiting)
        names = sorted({dotted(node.func) or f".{called_name(node)}" for node in waiting})
        return [
            saving.finding(
                self.name,
                "host",
                waits_ms / (waits_ms + times.total_ms) if times else _PRIOR,
                f"forward waits for the GPU: {', '.join(f'{name}()' for name in names)}",
                "Keep the value on the GPU: pass the tensor to the kernel, or compute what depends on it there.",
                [("waits", float(len(waiting)))],
                waiting[0].lineno,
            )
        ]
