"""A tray in the device's memory: tensors get from one process to another without leaving the GPU.

The verifier makes the memory and hands its handle to one runner; it takes no handle from anybody. As with the other
trays, whoever reads one that a runner can write gets a copy.
"""

from __future__ import annotations

import torch

from tilewright.worker.exchange import driver
from tilewright.worker.exchange.tray import Slot, view_of


class DeviceTray:
    """Memory of a fixed size on the current device. Raises `driver.DriverError` where the driver shares none."""

    def __init__(self, memory: driver.DeviceMemory, handle: str) -> None:
        self.size = memory.size
        self.handle = handle
        self._memory: driver.DeviceMemory | None = memory
        self._bytes = memory.tensor()

    @classmethod
    def create(cls, size: int) -> DeviceTray:
        torch.cuda.synchronize()  # makes the device's context current in this thread
        memory = driver.allocated(max(size, 1))
        memory.tensor().fill_(0xFF)  # what lay there before is nobody's business, and as numbers this is NaN
        try:
            return cls(memory, driver.shared(memory))
        except driver.DriverError:
            driver.freed(memory)
            raise

    @classmethod
    def open(cls, handle: str, size: int) -> DeviceTray:
        """The runner's end."""
        torch.cuda.synchronize()
        return cls(driver.opened(handle, size), handle)

    def view(self, slot: Slot) -> torch.Tensor:
        """The memory itself, not a copy; nothing waits."""
        return view_of(self._bytes, slot)

    def write(self, slot: Slot, tensor: torch.Tensor) -> None:
        self.view(slot).copy_(tensor.detach())
        torch.cuda.current_stream().synchronize()

    def read(self, slot: Slot, device: torch.device | str = "cuda") -> torch.Tensor:
        """A copy."""
        tensor = torch.empty(slot.shape, dtype=slot.dtype, device=device).copy_(self.view(slot))
        torch.cuda.current_stream().synchronize()
        return tensor

    def close(self) -> None:
        """The verifier's: gives the memory back once no process maps it."""
        if self._memory is not None:
            torch.cuda.synchronize()
            driver.freed(self._memory)
            self._memory = None
