"""Does a TileLang kernel compute what it should, found out without a GPU?

Executes TileLang functions as the parser leaves them, before any lowering: the whole grid at once, in lock
step, on torch CPU tensors. Seen are the values, out-of-bounds accesses, write races and memory read before it
was written. Not seen: what the compiler makes of it (layouts, pipelines, missing barriers), deadlocks, reads
that race with writes, rounding in TF32 or fast math, time."""

from __future__ import annotations

from tilewright.interpreter.interpreted import interpreted
from tilewright.interpreter.launch import grid_of, run, sample_blocks
from tilewright.interpreter.report import DeadlineExceeded, Fault, Problem, Report, Unsupported
from tilewright.toolchain.arguments import ArgumentError, allocate_outputs, check_arguments

__all__ = [
    "ArgumentError",
    "DeadlineExceeded",
    "Fault",
    "Problem",
    "Report",
    "Unsupported",
    "allocate_outputs",
    "check_arguments",
    "grid_of",
    "interpreted",
    "run",
    "sample_blocks",
]
