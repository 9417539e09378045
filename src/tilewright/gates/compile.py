"""Do a candidate's kernels compile for the GPU, and can the GPU launch what came out?

It rejects what is sure to fail at the launch, with the numbers, and warns of what only costs speed. Whether the
kernel computes the right thing is not looked at. What could not be found out (no nvcc, a launch shape that only the
arguments decide) passes, and the evidence says so.
"""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Iterator

from tilewright import jsonform
from tilewright.channel import Host
from tilewright.hardware import MAX_THREADS_PER_BLOCK, Gpu
from tilewright.protocols import Failure, Verdict
from tilewright.records import (
    Candidate,
    Evaluation,
    Evidence,
    Facts,
    KernelFacts,
    Problem,
    Reason,
    Rejected,
)

LOW_OCCUPANCY = 0.25
"""Below this share of a multiprocessor's warp slots little is left to hide memory latency behind. Kernels on tensor
cores live well with less: their asynchronous copies hide it."""


class CompileGate:
    """`deadline_s` is what one candidate's compilations may take together. `instructions`: whether those of the
    binary are to be among the facts, which the gate doesn't need. `meanwhile` is called with a candidate that is
    compiled while no other is: it may begin what would come next."""

    def __init__(
        self,
        host: Host,
        gpu: Gpu,
        deadline_s: float = 120.0,
        name: str = "compile",
        instructions: bool = True,
        meanwhile: Callable[[Candidate, Problem], None] = lambda candidate, problem: None,
    ) -> None:
        self.name = name
        self._host = host
        self._gpu = gpu
        self._deadline_s = deadline_s
        self._instructions = instructions
        self._meanwhile = meanwhile
        self._compiling = threading.Lock()

    def check(self, candidate: Candidate, problem: Problem, evidence: Evidence) -> Verdict:
        payload = {
            "candidate": jsonform.to_plain(candidate),
            "problem": jsonform.to_plain(problem),
            "gpu": jsonform.to_plain(self._gpu),
            "instructions": self._instructions,
        }
        asked = self._host.call("inspect", payload, self._deadline_s)
        alone = self._compiling.acquire(blocking=False)
        try:
            if alone:
                self._meanwhile(candidate, problem)
            answer = asked.result()
        finally:
            if alone:
                self._compiling.release()
        found = jsonform.from_plain(Evidence, answer["evidence"])
        gathered = dataclasses.replace(
            evidence,
            facts=found.facts,
            warnings=(*evidence.warnings, *found.warnings, *_unique(_warnings(found.facts, self._gpu))),
            not_checked=(*evidence.not_checked, *found.not_checked),
            unread=(*evidence.unread, *found.unread),
        )
        return Verdict(gathered, self._failure(answer["failure"], found.facts))

    def _failure(self, plain: object, facts: tuple[Facts, ...]) -> Failure | None:
        if plain is not None:
            failure: Failure = jsonform.from_plain(Evaluation, plain)
            return failure
        reasons = _unique(reason for f in facts for k in f.kernels for reason in _cannot_launch(k, self._gpu))
        return Rejected(self.name, reasons) if reasons else None


def _cannot_launch(kernel: KernelFacts, gpu: Gpu) -> Iterator[Reason]:
    """What the driver would refuse. nvcc does not complain about any of it."""
    if kernel.shared_bytes > gpu.shared_bytes_per_block:
        yield Reason(
            "shared-memory",
            f"{kernel.name} needs {kernel.shared_bytes} bytes of shared memory a block; "
            f"{gpu.name} has {gpu.shared_bytes_per_block}",
            kernel.line,
            "Lower num_stages (each stage holds its own copy of the tiles), block_K, or the block itself.",
        )
    if kernel.block_threads > MAX_THREADS_PER_BLOCK:
        yield Reason(
            "threads",
            f"{kernel.name} launches {kernel.block_threads} threads a block; the limit is {MAX_THREADS_PER_BLOCK}",
            kernel.line,
            "Lower threads; where TileLang specialises warps it adds 128 to what the kernel asks for.",
        )
    elif kernel.blocks_per_sm == 0 and kernel.limited_by == "registers":
        yield Reason(
            "registers",
            f"{kernel.name} needs {kernel.registers} registers in each of {kernel.block_threads} threads; "
            f"{gpu.name} has {gpu.registers_per_sm} a multiprocessor",
            kernel.line,
            "Use fewer threads, or smaller tiles so that each thread holds less.",
        )


def _warnings(facts: tuple[Facts, ...], gpu: Gpu) -> Iterator[Reason]:
    for fact in facts:
        for kernel in fact.kernels:
            yield from _costs_speed(kernel, gpu)


def _costs_speed(kernel: KernelFacts, gpu: Gpu) -> Iterator[Reason]:
    if kernel.spill_bytes:
        yield Reason(
            "spills",
            f"{kernel.name} spills {kernel.spill_bytes} bytes of registers to memory in each thread",
            kernel.line,
            "Use more threads for the same tile, or a smaller tile.",
        )
    if kernel.matmul_flops and kernel.uses_tensor_cores is False:
        yield Reason(
            "no-tensor-cores",
            f"{kernel.name} multiplies tiles without tensor cores",
            kernel.line,
            "Give T.gemm fp16 or bf16 tiles in shared memory, with block_M, block_N and block_K multiples of 16.",
        )
    low = kernel.occupancy is not None and 0 < kernel.occupancy < LOW_OCCUPANCY
    if low and not kernel.uses_tensor_cores:
        yield Reason(
            "low-occupancy",
            f"{kernel.name}: {kernel.blocks_per_sm} blocks of {kernel.block_threads} threads fit on a multiprocessor "
            f"of {gpu.name}, {kernel.occupancy:.0%} of its warps; {kernel.limited_by} limit it",
            kernel.line,
            "Use less of what limits it: smaller tiles, fewer stages, or more threads a block.",
        )


def _unique(reasons: Iterator[Reason]) -> tuple[Reason, ...]:
    """In order; the workloads of a problem mostly say the same."""
    return tuple(dict.fromkeys(reasons))
