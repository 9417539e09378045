"""How long should a candidate take on a GPU, judged by its facts alone?

A roofline with occupancy: for each kernel the largest of its memory, arithmetic, latency and atomics time, plus
what the smaller ones lose by not overlapping in full, plus its launch. All coefficients are in
`data/time_model.toml`, each with its source or marked as an assumption; `analysis.calibration` fits them to
measurements. More work never makes an estimate smaller, whatever they are. It guards nothing: it ranks candidates
before anything is measured.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from tilewright.analysis import torchops
from tilewright.analysis.coefficients import RESULTS, Calibration, Coefficients, calibration_for, coefficients
from tilewright.analysis.executed import bytes_per_access, executed, loads_standing
from tilewright.analysis.limit import compulsory_bytes, limit
from tilewright.hardware import WARP_SIZE, Gpu
from tilewright.records import Estimate, Evidence, Facts, KernelFacts, Precision, Problem, WorkloadEstimate

MODEL = "roofline and occupancy, 2"
_SECTOR_BYTES = 32.0
_SMALLEST_TILE_BYTES = 1024
_SCRATCH_BYTES_PER_THREAD = 8
_MOST_UNFAMILIAR = 3.0
"""An interval is never more than four times as wide, in logarithms, as among familiar kernels."""
_MOST_BY_SHAPE = 2.0
"""Powers of two: a kernel's shape alone makes it at most four times as slow or as fast."""


@dataclass(frozen=True)
class KernelTime:
    """What the model expects of one launch of a kernel, in ms, without the launch itself."""

    memory_ms: float
    compute_ms: float
    latency_ms: float
    atomics_ms: float
    total_ms: float

    @property
    def bound_by(self) -> str:
        parts = {
            "memory": self.memory_ms,
            "compute": self.compute_ms,
            "latency": self.latency_ms,
            "atomics": self.atomics_ms,
        }
        return max(parts, key=lambda name: parts[name])


@dataclass(frozen=True)
class Expected:
    """What the model expects of one forward: `parts` sum to `total_ms`, `kernels` are in the facts' order."""

    total_ms: float
    parts: tuple[tuple[str, float], ...]
    kernels: tuple[KernelTime, ...]

    @property
    def bound_by(self) -> str:
        return max(self.parts, key=lambda part: part[1])[0]


def estimate(evidence: Evidence, problem: Problem, gpu: Gpu, results: Path = RESULTS) -> Estimate:
    """The expected time at each workload that there are facts of, with an interval. No measurement, no speedup.

    By the user's calibration for the GPU where there is one in `results`, else by a shipped one.
    """
    calibration = calibration_for(gpu, results)
    weights = {workload.name: workload.weight for workload in problem.workloads}
    estimates = []
    for facts in evidence.facts:
        c = calibration.coefficients if calibration else coefficients()
        expected = expected_time(facts, gpu, problem.precision, c, instructions=True)
        low, high = _interval(expected, facts, calibration, c)
        estimates.append(
            WorkloadEstimate(
                workload=facts.workload,
                weight=weights.get(facts.workload, 1.0),
                candidate_ms=expected.total_ms,
                low_ms=expected.total_ms * low,
                high_ms=expected.total_ms * high,
                floor_ms=limit(facts, gpu).floor_ms,
                bound_by=expected.bound_by,
            )
        )
    calibrated = calibration is not None and calibration.gpu == gpu.name
    return Estimate(estimates=tuple(estimates), gpu=gpu.name, model=_name(calibration), calibrated=calibrated)


def expected_time(
    facts: Facts,
    gpu: Gpu,
    precision: Precision = "fp16",
    c: Coefficients | None = None,
    *,
    instructions: bool = False,
) -> Expected:
    """One forward: its kernels one after the other, PyTorch's own operations, launches, and work of the host.

    With `instructions` what the binary shows counts where the source's facts say less; without, the answer follows
    the source's facts alone, as it must where they are changed to see what that would save.
    """
    c = c or coefficients()
    if not instructions:
        plain = (replace(kernel, instructions=None, loop_instructions=None) for kernel in facts.kernels)
        facts = replace(facts, kernels=tuple(plain))
    kernels = tuple(kernel_time(kernel, facts, gpu, precision, c) for kernel in facts.kernels)
    parts = dict.fromkeys(("memory", "compute", "latency", "atomics", "launch", "torch", "host"), 0.0)
    for kernel, time in zip(facts.kernels, kernels):
        parts[time.bound_by] += time.total_ms * kernel.launches
        parts["launch"] += c.launch_us * 1e-3 * kernel.launches
    parts["torch"] = _torch_ms(facts, gpu, precision, c)
    parts["host"] = facts.kernels_built_in_forward * c.kernel_built_us * 1e-3
    return Expected(total_ms=sum(parts.values()), parts=tuple(parts.items()), kernels=kernels)


def kernel_time(kernel: KernelFacts, facts: Facts, gpu: Gpu, precision: Precision, c: Coefficients) -> KernelTime:
    """One launch of a kernel. `facts` say how many bytes have to be touched at least."""
    blocks = max(1, math.prod(kernel.grid))
    per_sm = blocks_per_sm(kernel, gpu)
    resident = min(blocks, gpu.sms * per_sm)
    crossing = _crossing_bytes(kernel, facts)
    memory = _memory_ms(kernel, crossing, gpu, c)
    compute = _compute_ms(kernel, crossing[1], gpu, precision, c)
    latency = _latency_ms(kernel, crossing, resident, c)
    atomics = _atomics_ms(kernel, facts, gpu, c)
    total = _overlapped((memory, compute, latency, atomics), c) * _shape_factor(kernel, per_sm, gpu, c)
    return KernelTime(memory, compute, latency, atomics, total)


def quantities(facts: Facts, expected: Expected) -> dict[str, float]:
    """Where among kernels this one is, as natural logarithms: what an estimate was not fitted to it can't know.

    Of the kernel that is expected to take longest, and of the whole.
    """
    logs = {"time": math.log(max(expected.total_ms, 1e-6)), "launches": 0.0}
    if facts.kernels:
        pairs = zip(facts.kernels, expected.kernels)
        kernel, _ = max(pairs, key=lambda pair: pair[0].launches * pair[1].total_ms)
        logs["launches"] = math.log(sum(k.launches for k in facts.kernels))
        logs["blocks"] = math.log(max(1, math.prod(kernel.grid)))
        logs["threads"] = math.log(max(1, kernel.block_threads))
        logs["shared memory"] = math.log(1024 + kernel.shared_bytes)
        logs["serial depth"] = math.log(1 + (kernel.serial_depth or 0.0))
        logs["atomics"] = math.log(1 + (kernel.atomics or 0.0))
    return logs


def unfamiliar(logs: Mapping[str, float], familiar: Mapping[str, tuple[float, float]]) -> float:
    """How far outside the ranges, 0 inside: 1 is a factor e beyond one end. Capped."""
    beyond = 0.0
    for name, value in logs.items():
        low, high = familiar.get(name, (value, value))
        beyond += max(0.0, low - value, value - high)
    return min(beyond, _MOST_UNFAMILIAR)


def blocks_per_sm(kernel: KernelFacts, gpu: Gpu) -> int:
    """Blocks that fit on a multiprocessor at once: as compiled, else by threads, shared memory and block slots."""
    if kernel.blocks_per_sm:
        return kernel.blocks_per_sm
    by_threads = gpu.max_threads_per_sm // max(1, kernel.block_threads)
    by_shared = gpu.shared_bytes_per_sm // kernel.shared_bytes if kernel.shared_bytes else gpu.max_blocks_per_sm
    registers = (kernel.registers or 0) * kernel.block_threads
    by_registers = gpu.registers_per_sm // registers if registers else gpu.max_blocks_per_sm
    return max(1, min(by_threads, by_shared, by_registers, gpu.max_blocks_per_sm))


def stages_tiles(kernel: KernelFacts) -> bool:
    """Whether shared memory holds tiles, not just the few values that threads exchange in a reduction."""
    scratch = _SCRATCH_BYTES_PER_THREAD * kernel.block_threads
    return kernel.shared_bytes >= _SMALLEST_TILE_BYTES and kernel.shared_bytes > scratch


def _overlapped(times: tuple[float, ...], c: Coefficients) -> float:
    """Between their sum (nothing overlaps: a norm of order 1) and the longest (all do)."""
    longest = max(times)
    if longest <= 0:
        return 0.0
    return float(longest * sum((time / longest) ** c.overlap_norm for time in times) ** (1 / c.overlap_norm))


def _interval(
    expected: Expected, facts: Facts, calibration: Calibration | None, c: Coefficients
) -> tuple[float, float]:
    """Factors of the estimate: what four of five unseen kernels kept to, wider the less familiar the kernel is."""
    if calibration is None:
        return 1 / c.interval_factor, c.interval_factor
    familiar = {name: (low, high) for name, low, high in calibration.familiar}
    wider = 1.0 + unfamiliar(quantities(facts, expected), familiar)
    return math.exp(min(0.0, calibration.low) * wider), math.exp(max(0.0, calibration.high) * wider)


def _name(calibration: Calibration | None) -> str:
    if calibration is None:
        return f"{MODEL}, not fitted to measurements"
    of = f"{calibration.samples} measurements of {calibration.kernels} kernels on {calibration.gpu}"
    return f"{MODEL}, fitted to {of}"


def _shape_factor(kernel: KernelFacts, per_sm: int, gpu: Gpu, c: Coefficients) -> float:
    """What a kernel's shape costs beyond the terms above, as powers fitted to measurements; 1 without them.

    How much work there is doesn't enter, so that more of it can't be faster.
    """
    over_8 = math.log2(_warps_per_block(kernel) / 8)
    resident = _warps_per_block(kernel) * min(per_sm, math.ceil(max(1, math.prod(kernel.grid)) / gpu.sms))
    exponent = c.block_warps_power * over_8 + c.resident_warps_power * math.log2(resident / 32)
    if kernel.registers:
        exponent += c.registers_power * math.log2(kernel.registers / 64)
    if kernel.uses_tensor_cores:
        exponent += c.tensor_warps_power * over_8
    exponent += c.block_warps_curvature * over_8**2
    return float(2.0 ** min(_MOST_BY_SHAPE, max(-_MOST_BY_SHAPE, exponent)))


def _crossing_bytes(kernel: KernelFacts, facts: Facts) -> tuple[float, float]:
    """(bytes touched for the first time, all bytes asked for) of one launch.

    The facts don't say how much of a kernel's traffic is to distinct addresses; it is taken to be what crosses the
    module's border, split over its kernels' launches where their own traffic is not known either.
    """
    border = compulsory_bytes(facts)
    if kernel.global_bytes is None:
        share = border / max(1, sum(k.launches for k in facts.kernels))
        return share, share
    return min(kernel.global_bytes, border), kernel.global_bytes


def _memory_ms(kernel: KernelFacts, crossing: tuple[float, float], gpu: Gpu, c: Coefficients) -> float:
    """Bytes over bandwidth, at device memory and at L2. What latency leaves of it is `_latency_ms`."""
    first, asked = crossing
    reread = asked - first
    wasted = _wasted(kernel)
    beyond_l2 = 1.0 - min(1.0, gpu.l2_bytes / first) if first else 0.0
    dram_bytes = first * (1 + wasted * c.sector_waste_reaching_dram) + reread * c.rereads_missing_l2 * beyond_l2
    missing_l1 = 1.0 if stages_tiles(kernel) else 1.0 - c.rereads_hitting_l1
    l2_bytes = (first + reread * missing_l1) * (1 + wasted * c.sector_waste_reaching_l2)
    l2_bytes += _spilled_bytes(kernel, c)
    dram_rate = gpu.measured_copy_bytes_per_s or gpu.memory_bytes_per_s * c.memory_peak_share
    # An access that touches more sectors than it needs takes that many turns.
    requests = asked / (WARP_SIZE * bytes_per_access(kernel)) * (1 + wasted)
    requests_s = requests / (c.requests_per_s_per_sm * gpu.sms)
    l2_s = l2_bytes / (c.l2_bytes_per_s_per_sm * gpu.sms)
    return _overlapped((dram_bytes / dram_rate, l2_s, requests_s), c) * 1e3


def _bytes_in_flight(kernel: KernelFacts, c: Coefficients) -> float:
    """What a thread waits for at the same time; it comes near to a limit, however much its code could ask for."""
    standing = loads_standing(kernel)
    if not standing:
        return c.bytes_in_flight_per_thread
    return standing * c.most_in_flight_per_thread / (standing + c.most_in_flight_per_thread)


def _compute_ms(kernel: KernelFacts, asked: float, gpu: Gpu, precision: Precision, c: Coefficients) -> float:
    flops = kernel.flops or 0.0
    matmul = kernel.matmul_flops or 0.0
    if kernel.uses_tensor_cores is False:
        matmul = 0.0
    blocks = max(1, math.prod(kernel.grid))
    filled = blocks / (gpu.sms * math.ceil(blocks / gpu.sms))  # the fullest multiprocessor decides
    warps = _warps_per_block(kernel) * min(blocks_per_sm(kernel, gpu), math.ceil(blocks / gpu.sms))
    scalar_rate = gpu.fp32_flops * c.fp32_peak_share * filled * min(1.0, warps / c.warps_to_fill_fp32)
    tensor_rate = gpu.matmul_flops_per_s(precision) * _tensor_share(kernel, matmul, asked, gpu, c)
    tensor_rate *= filled * min(1.0, warps / c.warps_to_fill_tensor_cores)
    run = executed(kernel)
    issued = run.instructions * blocks * _warps_per_block(kernel) if run else 0.0
    issue_s = issued / (c.instructions_per_s_per_sm * gpu.sms * filled)
    return max(issue_s, max(0.0, flops - matmul) / scalar_rate + matmul / tensor_rate) * 1e3


def _tensor_share(kernel: KernelFacts, matmul: float, asked: float, gpu: Gpu, c: Coefficients) -> float:
    """The share of the tensor cores' rate that a kernel's tiles and way of loading leave within reach."""
    share = c.tensor_peak_share
    if matmul and asked:
        intensity = matmul / asked
        share *= intensity / (intensity + c.half_rate_intensity)
    if gpu.arch.startswith("sm_90") and kernel.block_threads < 128:
        share *= c.small_block_tensor_share
    if kernel.asynchronous_copies is False and gpu.has_async_copies:
        share *= c.synchronous_tensor_share
    return share


def _latency_ms(kernel: KernelFacts, crossing: tuple[float, float], resident: int, c: Coefficients) -> float:
    """Waves of blocks, each as long as its chain of dependent iterations and the loads it waits for.

    Little's law is in here: a block has only so many bytes in flight, and waits once per that many.
    """
    first, asked = crossing
    blocks = max(1, math.prod(kernel.grid))
    run = executed(kernel)
    if run:
        chain_ns = run.instructions * c.instruction_ns + run.barriers * c.barrier_ns
    else:
        iteration_ns = c.iteration_ns + (c.barrier_ns if stages_tiles(kernel) else 0.0)
        chain_ns = max(0.0, kernel.serial_depth or 0.0) * iteration_ns
    from_l1 = 0.0 if stages_tiles(kernel) else c.rereads_hitting_l1
    reread_latency_ns = from_l1 * c.l1_latency_ns + (1 - from_l1) * c.l2_latency_ns
    more_ns = _wasted(kernel) * c.sector_replay_ns + (c.asynchronous_ns if kernel.asynchronous_copies else 0.0)
    waits_ns = _waits(kernel, first, c) * (c.dram_latency_ns + more_ns)
    waits_ns += _waits(kernel, asked - first, c) * (reread_latency_ns + more_ns)
    waves = math.ceil(blocks / resident)
    return waves * (c.block_ns + chain_ns + waits_ns) * 1e-6


def _waits(kernel: KernelFacts, moved: float, c: Coefficients) -> float:
    """How often a block waits for memory to move its share of some bytes: by what it can have in flight, and by how
    its loop is cut."""
    per_thread = moved / _threads(kernel)
    in_flight_per_thread = _bytes_in_flight(kernel, c)
    if kernel.asynchronous_copies:
        # Half of the stages are read while the other half is being filled.
        in_flight_per_thread = max(in_flight_per_thread, kernel.shared_bytes / 2 / max(1, kernel.block_threads))
        return per_thread / in_flight_per_thread
    iterations = kernel.serial_depth or 0.0
    if stages_tiles(kernel):
        # The barrier in the loop keeps the next iteration's loads from starting. An iteration in which a thread reads
        # less than a 16-bit value works on what others loaded.
        return max(per_thread / in_flight_per_thread, min(iterations, per_thread / 2.0))
    # Unrolled, some iterations wait together. One in which the whole block reads less than a sector (a thread that
    # goes along a row alone) finds most of its values in L1.
    per_block = moved / max(1, math.prod(kernel.grid))
    return max(per_thread / in_flight_per_thread, min(iterations, per_block / _SECTOR_BYTES) / c.loads_in_flight)


def _wasted(kernel: KernelFacts) -> float:
    """Bytes in the touched sectors that are not used, per byte that is."""
    coalescing = kernel.coalescing if kernel.coalescing is not None else 1.0
    return 1.0 / max(coalescing, 1 / WARP_SIZE) - 1.0


def _atomics_ms(kernel: KernelFacts, facts: Facts, gpu: Gpu, c: Coefficients) -> float:
    """Atomics to one address queue up in L2; to many addresses they share its slices.

    The addresses are taken to be the outputs' elements.
    """
    if not kernel.atomics:
        return 0.0
    addresses = max(1, sum(math.prod(t.shape) for t in facts.outputs))
    queued_s = kernel.atomics / addresses * c.atomic_same_address_ns * 1e-9
    shared_s = kernel.atomics / (c.atomics_per_s_per_sm * gpu.sms)
    return max(queued_s, shared_s) * 1e3


def _torch_ms(facts: Facts, gpu: Gpu, precision: Precision, c: Coefficients) -> float:
    launches = sum(count for _, count in torchops.launching(facts.torch_ops))
    peak = gpu.measured_copy_bytes_per_s or gpu.memory_bytes_per_s * c.memory_peak_share
    # PyTorch doesn't use TF32 unless it is told to.
    flops_per_s = gpu.fp32_flops if precision == "fp32" else gpu.measured_tensor_flops or gpu.tensor_flops * 0.8
    work_s = max(facts.torch_bytes / peak, facts.torch_flops / flops_per_s)
    return work_s * 1e3 + launches * c.torch_launch_us * 1e-3


def _spilled_bytes(kernel: KernelFacts, c: Coefficients) -> float:
    """Local memory traffic of one launch: each spilled byte is stored and loaded, again in some iterations."""
    if not kernel.spill_bytes:
        return 0.0
    repeats = max(1.0, (kernel.serial_depth or 1.0) * c.spill_repeats)
    return kernel.spill_bytes * _threads(kernel) * repeats


def _threads(kernel: KernelFacts) -> int:
    return max(1, math.prod(kernel.grid)) * max(1, kernel.block_threads)


def _warps_per_block(kernel: KernelFacts) -> int:
    return math.ceil(max(1, kernel.block_threads) / WARP_SIZE)
