"""How long does one forward take, and what did it return while it was timed?

On a GPU: before each call the L2 cache is overwritten and the device is made to wait for as long as the host needs
to enqueue the whole forward, so that the time between the two events is the device's alone. All outputs are copied
on the device after the second event and kept until they were asked for. On a CPU: `perf_counter` around the call.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch

from tilewright.worker.building import Forward
from tilewright.worker.returned import tensors_in

MOST_LEAD_MS = 60.0
_CALIBRATION_CYCLES = 2_000_000


@dataclass
class Block:
    """Timed calls in order; `ran_dry` counts those whose enqueuing took longer than the device was kept waiting."""

    ms: list[float] = field(default_factory=list)
    outputs: list[list[torch.Tensor]] = field(default_factory=list)
    ran_dry: int = 0
    lead_ms: float = 0.0
    """How long the device was kept waiting before each call."""


class CpuStopwatch:
    def run(self, forward: Forward, sets: Sequence[Sequence[torch.Tensor]], order: Sequence[int]) -> Block:
        block = Block()
        for which in order:
            given = sets[which]
            start = time.perf_counter()
            output = forward(*given)
            block.ms.append((time.perf_counter() - start) * 1e3)
            block.outputs.append([tensor.detach().clone() for tensor in tensors_in(output)])
        return block


class CudaStopwatch:
    def __init__(self) -> None:
        properties = torch.cuda.get_device_properties(torch.cuda.current_device())
        self._flush = torch.empty(2 * properties.L2_cache_size, dtype=torch.uint8, device="cuda")
        self._cycles_per_ms = self._calibrated()
        self._lead_ms = 0.0

    def run(self, forward: Forward, sets: Sequence[Sequence[torch.Tensor]], order: Sequence[int]) -> Block:
        if not self._lead_ms:
            self._lead_ms = self._enqueue_ms(forward, sets[0])
        self._call(forward, sets[order[0]])  # not timed: the device comes from another process's work
        block = Block(lead_ms=self._lead_ms)
        for which in order:
            ms, outputs, ran_dry = self._call(forward, sets[which])
            block.ms.append(ms)
            block.outputs.append(outputs)
            if ran_dry:
                block.ran_dry += 1
                self._lead_ms = min(2 * self._lead_ms, MOST_LEAD_MS)
        return block

    def _call(self, forward: Forward, inputs: Sequence[torch.Tensor]) -> tuple[float, list[torch.Tensor], bool]:
        start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        self._flush.zero_()
        torch.cuda._sleep(int(self._lead_ms * self._cycles_per_ms))
        start.record()
        output = forward(*inputs)
        end.record()
        ran_dry = start.query()
        outputs = [tensor.detach().clone() for tensor in tensors_in(output)]
        torch.cuda.synchronize()
        return float(start.elapsed_time(end)), outputs, bool(ran_dry)

    def _enqueue_ms(self, forward: Forward, inputs: Sequence[torch.Tensor]) -> float:
        """Half as much again as the host takes to enqueue one forward, and 50 us."""
        taken = []
        for _ in range(5):
            torch.cuda.synchronize()
            start = time.perf_counter()
            forward(*inputs)
            taken.append((time.perf_counter() - start) * 1e3)
        torch.cuda.synchronize()
        return min(1.5 * statistics.median(taken) + 0.05, MOST_LEAD_MS)

    def _calibrated(self) -> float:
        rates = []
        for _ in range(3):
            start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
            start.record()
            torch.cuda._sleep(_CALIBRATION_CYCLES)
            end.record()
            torch.cuda.synchronize()
            rates.append(_CALIBRATION_CYCLES / start.elapsed_time(end))
        return float(max(rates))  # the highest clock: at a lower one the wait is longer, never too short
