"""How is a candidate called while it is timed?

Timed calls take turns with sets of inputs; what each call returned is kept on the device until it was asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from tilewright.worker.building import Forward
from tilewright.worker.returned import no_plain_tensors, tensors_in, written
from tilewright.worker.stopwatch import Block, CpuStopwatch, CudaStopwatch
from tilewright.worker.tray import Tray
from tilewright.worker.wire import Header


class Clocked:
    """A constructed candidate on a device with the sets of inputs that timed calls take turns with."""

    def __init__(self, forward: Forward, device: str, sets: list[list[torch.Tensor]]) -> None:
        self._forward = forward
        self._sets = _Refilled(sets)
        self._stopwatch: CpuStopwatch | CudaStopwatch = CudaStopwatch() if device == "cuda" else CpuStopwatch()
        self._block = Block()

    def time(self, request: Header) -> Header:
        self._block = Block()  # frees the outputs of the block before
        self._block = self._stopwatch.run(self._plain_outputs, self._sets, request["order"])
        return {"ms": self._block.ms, "ran_dry": self._block.ran_dry, "lead_ms": self._block.lead_ms}

    def fetch(self, request: Header, tray: Tray) -> Header:
        """The outputs of some calls of the last block, one call after the other in the tray."""
        offset, described = 0, []
        for call in request["calls"]:
            slots, offset = written(tray, self._block.outputs[call], offset)
            described.append(slots)
        return {"calls": described}

    def _plain_outputs(self, *inputs: torch.Tensor) -> Any:
        """A timed call: what would only be computed as it is copied, after the clock was read, is no output."""
        output = self._forward(*inputs)
        refused = no_plain_tensors(tensors_in(output))
        if refused:
            raise TypeError(f"{refused}; in a timed call")
        return output


class _Refilled(Sequence[list[torch.Tensor]]):
    """Sets of inputs that take turns in the same tensors, so that no call can tell by them what it is given.

    Each has memory of its own beside that: one set more than there are.
    """

    def __init__(self, sets: list[list[torch.Tensor]]) -> None:
        self._sets = sets
        self._given = [tensor.clone() for tensor in sets[0]]

    def __len__(self) -> int:
        return len(self._sets)

    def __getitem__(self, which: Any) -> Any:
        for tensor, values in zip(self._given, self._sets[which]):
            tensor.copy_(values)
        return self._given
