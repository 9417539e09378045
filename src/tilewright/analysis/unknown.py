"""What could not be found out about a kernel, and why?"""

from __future__ import annotations

from collections.abc import Iterator

from tilewright.records import Evaluation, Evidence, Measured

_FACTS = "tiles, traffic, registers, occupancy, times and the limit"


def not_known(
    evidence: Evidence, evaluation: Evaluation | None, has_gpu: bool, where: str, counters: bool
) -> tuple[str, ...]:
    """In words for people. `counters`: whether they were asked for; `where` says why there is no GPU."""
    return tuple(dict.fromkeys(_unknown(evidence, evaluation, has_gpu, where, counters)))


def _unknown(
    evidence: Evidence, evaluation: Evaluation | None, has_gpu: bool, where: str, counters: bool
) -> Iterator[str]:
    yield from evidence.not_checked
    yield from evidence.unread
    failed = evaluation is not None and not isinstance(evaluation, Measured)
    if not evidence.facts:
        yield f"{_FACTS}: " + ("see above why there are no facts" if failed else "no facts could be gathered")
    for facts in evidence.facts:
        if facts.reference_flops is None:
            yield f"{facts.workload}: the limit by arithmetic, the reference's operations could not be counted"
        unread = [kernel.name for kernel in facts.kernels if kernel.global_bytes is None]
        if unread:
            yield f"{facts.workload}: what {', '.join(unread)} reads and writes, its indices could not be followed"
    if not has_gpu:
        yield f"measured times, the host's part and hardware counters: {where}"
        if evidence.facts and not failed:
            yield "whether its results are right: nothing was run; tilewright check executes it on the CPU"
        return
    if failed:
        yield "measured times and hardware counters: only what is right is timed"
        return
    for run in evidence.runs[:1]:
        if not run.kernels:
            yield "the kernels' shares of the time: the profiler saw none (no right to CUPTI?)"
        if run.no_counters:
            yield f"hardware counters: {run.no_counters}"
        elif not counters:
            yield "hardware counters: not asked for; --counters reads them, outside of the sandbox"
