"""What does a module hold: is it the reference's parameters under their names, or something made of them?

Parameters of another draw are put into a module that was called already only where nothing in it can depend on the
old ones: names, shapes and dtypes are the reference's, construction made no other tensors of numbers, and no plain
number differs from one draw to the next.
"""

from __future__ import annotations

import gc
import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

import torch

from tilewright.worker.exchange import wire

_DEEPEST = 4


def tensors_of(module: object) -> dict[str, torch.Tensor]:
    """Parameters and buffers by name; none of what is no module."""
    if not isinstance(module, torch.nn.Module):
        return {}
    return {**dict(module.named_parameters()), **dict(module.named_buffers())}


def layout(tensors: Mapping[str, torch.Tensor]) -> str:
    """The same for the same names, shapes and dtypes."""
    rows = sorted([name, list(t.shape), wire.dtype_name(t.dtype)] for name, t in tensors.items())
    return _digest(rows)


def plain_values(module: object) -> str:
    """The same for the same numbers, strings and truth values in a module and those within it."""
    if not isinstance(module, torch.nn.Module):
        return ""
    return _digest([[name, _plain(vars(part), 0)] for name, part in module.named_modules()])


def live_tensors() -> list[torch.Tensor]:
    """All that Python knows of and that was made since `gc.freeze`."""
    return [thing for thing in gc.get_objects() if type(thing) in (torch.Tensor, torch.nn.Parameter)]


def holds_others(module: object, earlier: Sequence[torch.Tensor]) -> bool:
    """Whether tensors of numbers are alive that are not `earlier` nor share a parameter's or buffer's memory."""
    own = tensors_of(module).values()
    known = {id(tensor) for tensor in (*earlier, *own)}
    storages = {tensor.untyped_storage().data_ptr() for tensor in own}
    return any(
        tensor.is_floating_point() and tensor.numel() and tensor.untyped_storage().data_ptr() not in storages
        for tensor in live_tensors()
        if id(tensor) not in known and tensor.layout is torch.strided and tensor.device.type != "meta"
    )


def reloaded(module: Any, state: Mapping[str, torch.Tensor]) -> None:
    """Copied in place, which counts up the tensors' versions; or by `load_reference`, where the module has it."""
    if hasattr(module, "load_reference"):
        module.load_reference(dict(state))
        return
    own = tensors_of(module)
    for name, values in state.items():
        own[name].copy_(values)


def disturb(module: torch.nn.Module, seed: int) -> None:
    """Add noise of a quarter's size to parameters that are one number everywhere."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            if parameter.numel() > 1 and bool((parameter == parameter.flatten()[0]).all()):
                noise = torch.randn(parameter.shape, generator=generator, dtype=torch.float32)
                parameter.add_(0.25 * noise.to(parameter.device, parameter.dtype))


def _plain(value: Any, depth: int) -> Any:
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if depth < _DEEPEST and isinstance(value, (list, tuple)):
        return [_plain(item, depth + 1) for item in value]
    if depth < _DEEPEST and isinstance(value, dict):
        return {str(key): _plain(item, depth + 1) for key, item in value.items() if isinstance(key, (str, int))}
    return type(value).__name__


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:32]
