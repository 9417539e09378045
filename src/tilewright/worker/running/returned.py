"""What did a forward return: which tensors, are they plain ones, and how do their bytes get into a tray?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from tilewright.worker.exchange.devicetray import DeviceTray
from tilewright.worker.exchange.tray import Tray, laid_out


def tensors_in(output: object) -> list[torch.Tensor]:
    """The tensors of a forward's result, nested tuples and lists flattened in order."""
    if isinstance(output, (tuple, list)):
        return [tensor for item in output for tensor in tensors_in(item)]
    if isinstance(output, torch.Tensor):
        return [output]
    raise TypeError(f"forward returned a {type(output).__name__}, a tensor is wanted")


def no_plain_tensors(tensors: Sequence[torch.Tensor]) -> str:
    """Why an output could still be computed as somebody looks at it; "" where all are plain tensors."""
    for tensor in tensors:
        if type(tensor) not in (torch.Tensor, torch.nn.Parameter):
            return f"forward returned a {type(tensor).__name__}, a plain tensor is wanted"
        if vars(tensor):
            return "the returned tensor carries attributes of its own"
    return ""


def written(tray: Tray | DeviceTray, tensors: Sequence[torch.Tensor]) -> tuple[list[Any], bool]:
    """Where the tensors lie in the tray, one after the other, and whether they fit into it and were written."""
    slots, size = laid_out([(tensor.shape, tensor.dtype) for tensor in tensors])
    fits = size <= tray.size
    if fits:
        for slot, tensor in zip(slots, tensors):
            tray.write(slot, tensor)
    return [slot.plain() for slot in slots], fits
