"""What do the source, the lowered functions and the binary say of a candidate, at each of a problem's workloads?"""

from __future__ import annotations

import dataclasses
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tilewright.hardware import Gpu, load_gpu
from tilewright.protocols import Failure
from tilewright.records import (
    Candidate,
    Evidence,
    Facts,
    KernelFacts,
    Problem,
    Reason,
    Rejected,
    TensorAccess,
    Way,
    Workload,
)
from tilewright.source.tensorlines import Role, tensor_lines
from tilewright.toolchain.compile import Compiled, compile_kernels
from tilewright.toolchain.failures import (
    failure_of_candidate,
    failure_of_compilation,
    failure_of_reference,
)
from tilewright.toolchain.harvest import (
    CandidateFailed,
    Harvest,
    HarvestedKernel,
    NotFollowed,
    ReferenceFailed,
    harvest,
)
from tilewright.toolchain.listen import listening
from tilewright.toolchain.lower import Launch
from tilewright.toolchain.moved import Moved, moved
from tilewright.toolchain.programs import find_nvcc, find_nvdisasm
from tilewright.toolchain.resources import occupancy
from tilewright.toolchain.traffic import Traffic, traffic

_TENSOR_CORE_CODE = re.compile(r"\btl::(?:wgmma|mma|tcgen05mma|umma)\w*\s*<|\btl::gemm_|\bwmma::")
_ROLES: dict[Way, Role] = {
    "load": "read",
    "async copy": "read",
    "TMA load": "read",
    "store": "written",
    "TMA store": "written",
    "atomic": "updated",
}
_ASYNCHRONOUS_CODE = re.compile(r"\btl::(?:tma_load|cp_async)")


def gather(
    candidate: Candidate,
    problem: Problem,
    gpu_name: str,
    deadline_s: float,
    launched: bool = True,
    instructions: bool = True,
) -> tuple[Evidence, Failure | None]:
    """Facts of a candidate at every workload on the GPU of a short name, or the failure that kept them from being
    found. `launched`: its kernels will be, from the cache. `instructions`: those of the binaries are to be read.

    Runs the candidate's Python on tensors without data and compiles its kernels into TILELANG_CACHE_DIR, so it
    belongs into a process that may be thrown away. `deadline_s` bounds the compilations. Raises nothing for what is
    the candidate's doing; facts of the workloads before a failure are kept."""
    gpu = load_gpu(gpu_name)
    started = time.monotonic()
    gathered: list[Facts] = []
    warnings: dict[Reason, None] = {}
    not_checked: list[str] = []
    unread: list[str] = []
    failure: Failure | None = None
    for workload in problem.workloads:
        remaining_s = deadline_s - (time.monotonic() - started)
        found = _at_workload(candidate, problem, workload, gpu, remaining_s, launched, instructions)
        if isinstance(found, str):
            not_checked.append(found)
        elif isinstance(found, _Found):
            gathered.append(found.facts)
            warnings.update(dict.fromkeys(found.warnings))
            unread += found.unread
            if found.wrong:
                failure = Rejected("compile", tuple(found.wrong))
                break
        else:
            failure = found
            break
    if find_nvcc() is not None:
        unread += _not_disassembled(gathered) if instructions else []
    else:
        not_checked.append("registers, spills and occupancy: nvcc is not installed here")
    return Evidence(tuple(gathered), None, tuple(warnings), tuple(not_checked), unread=tuple(unread)), failure


@dataclass(frozen=True)
class _Found:
    """At one workload: facts, what to warn of, what is surely wrong, and what could not be read."""

    facts: Facts
    warnings: list[Reason]
    wrong: list[Reason]
    unread: list[str]


def _not_disassembled(gathered: Sequence[Facts]) -> list[str]:
    unread = sorted({kernel.name for facts in gathered for kernel in facts.kernels if kernel.instructions is None})
    if not unread:
        return []
    if find_nvdisasm() is None:
        return ["machine instructions: nvdisasm is not installed here (pip install nvidia-cuda-nvdisasm)"]
    return [f"machine instructions of {', '.join(unread)}: nvdisasm can't read the binary"]


def _at_workload(
    candidate: Candidate,
    problem: Problem,
    workload: Workload,
    gpu: Gpu,
    timeout_s: float,
    launched: bool,
    instructions: bool,
) -> _Found | Failure | str:
    """What was found, a failure, or why neither could be had."""
    started = time.monotonic()
    try:
        with listening():
            found = harvest(candidate, problem, workload, gpu.sms)
    except ReferenceFailed as error:
        return failure_of_reference(error)
    except CandidateFailed as error:
        return failure_of_candidate(error)
    except NotFollowed as error:
        return f"kernels at the sizes of workload {workload.name}: {error}"
    requests = [kernel.request for kernel in found.kernels]
    compiled = compile_kernels(requests, gpu, timeout_s, launched, instructions)
    kernels: list[KernelFacts] = []
    warnings: list[Reason] = []
    wrong: list[Reason] = []
    for harvested, result in zip(found.kernels, compiled):
        if isinstance(result, Exception):
            return failure_of_compilation(result, harvested.name, harvested.line, timeout_s)
        counts = traffic(harvested.request.prim_func, harvested.sizes)
        kernels += _kernel_facts(harvested, result, counts, gpu, candidate.source)
        warnings += _warnings(harvested, result, counts, gpu)
        for one in moved(harvested.request.prim_func, result.lowered.source):
            (wrong if one.certain else warnings).append(_moved(harvested, one))
    unread = [f"the reference's operations: it raises {found.reference_error}"] if found.reference_error else []
    return _Found(_facts(found, kernels, workload, gpu, time.monotonic() - started), warnings, wrong, unread)


def _facts(found: Harvest, kernels: Sequence[KernelFacts], workload: Workload, gpu: Gpu, seconds: float) -> Facts:
    return Facts(
        gpu=gpu.name,
        workload=workload.name,
        kernels=tuple(kernels),
        inputs=found.inputs,
        parameters=found.parameters,
        outputs=found.outputs,
        torch_ops=tuple(sorted(found.census.ops.items())),
        torch_bytes=found.census.bytes,
        torch_flops=found.census.flops,
        reference_flops=found.reference_flops,
        kernels_built_in_forward=found.kernels_built_in_forward,
        seconds=seconds,
    )


def _kernel_facts(
    kernel: HarvestedKernel, compiled: Compiled, counts: Sequence[Traffic], gpu: Gpu, source: str
) -> list[KernelFacts]:
    """One per device function: a function with two T.Kernel becomes two, which are told apart by their number."""
    launches = compiled.lowered.launches
    lines = tensor_lines(source, kernel.line) if kernel.line is not None else {}
    matched = len(launches) == len(counts)
    return [
        _launch_facts(kernel, compiled, launch, counts[i] if matched else None, gpu, lines)
        for i, launch in enumerate(launches)
    ]


def _launch_facts(
    kernel: HarvestedKernel,
    compiled: Compiled,
    launch: Launch,
    counts: Traffic | None,
    gpu: Gpu,
    lines: Mapping[tuple[str, Role], tuple[int, ...]],
) -> KernelFacts:
    usage, code = compiled.usage.get(launch.symbol), compiled.code.get(launch.symbol)
    mix = code.instructions if code else None
    shared_bytes = launch.dynamic_shared_bytes + (usage.static_shared_bytes if usage else 0)
    fits = occupancy(gpu, usage.registers, launch.block_threads, shared_bytes) if usage else None
    source = compiled.lowered.source
    several = len(compiled.lowered.launches) > 1
    return KernelFacts(
        name=launch.symbol if several else kernel.name,
        launches=kernel.launches,
        grid=_grid(launch, counts),
        block_threads=launch.block_threads,
        registers=usage.registers if usage else None,
        spill_bytes=usage.spill_bytes if usage else None,
        stack_bytes=usage.stack_bytes if usage else None,
        shared_bytes=shared_bytes,
        blocks_per_sm=fits.blocks_per_sm if fits else None,
        occupancy=fits.share if fits else None,
        limited_by=fits.limited_by if fits else "",
        flops=counts.flops if counts else None,
        matmul_flops=counts.matmul_flops if counts else None,
        global_bytes=counts.global_bytes if counts else None,
        tensor_bytes=counts.tensor_bytes if counts else None,
        coalescing=counts.coalescing if counts else None,
        serial_depth=counts.serial_depth if counts else None,
        atomics=counts.atomics if counts else None,
        uses_tensor_cores=bool(mix.wgmma or mix.mma if mix else _TENSOR_CORE_CODE.search(source)),
        asynchronous_copies=bool(mix.tma_loads or mix.async_copies if mix else _ASYNCHRONOUS_CODE.search(source)),
        instructions=mix,
        loop_instructions=code.loop_instructions if code else None,
        accesses=_with_lines(code.accesses, lines) if code else None,
        code_hash=compiled.lowered.code_hash,
        line=kernel.line,
    )


def _with_lines(
    accesses: Sequence[TensorAccess] | None, lines: Mapping[tuple[str, Role], tuple[int, ...]]
) -> tuple[TensorAccess, ...] | None:
    if accesses is None:
        return None
    return tuple(
        dataclasses.replace(access, lines=lines.get((access.tensor, _ROLES[access.way]), ())) for access in accesses
    )


def _grid(launch: Launch, counts: Traffic | None) -> tuple[int, ...]:
    """The grid of the generated code; where only the call's arguments decide, that of the harvested sizes."""
    symbolic = counts.grid if counts else (1, 1, 1)
    return tuple(extent if extent is not None else fallback for extent, fallback in zip(launch.grid, symbolic))


def _moved(kernel: HarvestedKernel, one: Moved) -> Reason:
    if one.loop:
        where = (
            f"in each pass of the loop over {one.loop} instead of once before it: what earlier passes left is lost"
        )
        instead = "make one T.Pipelined loop of the two"
    else:
        where = "inside the condition around its pipelined loop instead of before it: elsewhere it is never set"
        instead = "let the condition decide the loop's length, T.Pipelined(T.if_then_else(condition, n, 0))"
    return Reason(
        "moved-initialisation",
        f"{kernel.name}: TileLang's warp specialisation sets {one.buffer} {where}",
        kernel.line,
        f'Turn it off with pass_configs={{"tl.disable_warp_specialized": True}}, or {instead}.',
    )


def _warnings(kernel: HarvestedKernel, compiled: Compiled, counts: Sequence[Traffic], gpu: Gpu) -> list[Reason]:
    """What only source and generated code together show; the numbers are judged by whoever reads the facts."""
    warnings = []
    if compiled.serialised_wgmma:
        warnings.append(
            Reason(
                "serialised-wgmma",
                f"{kernel.name}: the tensor core instructions run one after another, registers are short",
                kernel.line,
                "Use more threads for the tile (256 instead of 128), or a smaller block_M or block_N.",
            )
        )
    asynchronous = bool(_ASYNCHRONOUS_CODE.search(compiled.lowered.source))
    if gpu.has_async_copies and any(c.pipelined for c in counts) and not asynchronous:
        warnings.append(
            Reason(
                "synchronous-pipeline",
                f"{kernel.name}: T.Pipelined asks for stages, but the generated code copies synchronously",
                kernel.line,
                "Copy whole tiles from global to shared memory with T.copy inside T.Pipelined, at the same dtype.",
            )
        )
    return warnings
