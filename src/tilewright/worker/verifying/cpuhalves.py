"""How does a CPU compute in half precision as a GPU does, and in bearable time?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode


class HeavyInFloat32(TorchDispatchMode):  # type: ignore[misc]  # torch is Any to the type checker
    """Half-precision products on a CPU in float32, rounded once: as a GPU's tensor cores do them, and not for hours.

    So is every operation that PyTorch has only in full precision on a CPU.
    """

    _HEAVY = frozenset(["mm", "addmm", "bmm", "baddbmm", "convolution"])

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func.overloadpacket.__name__ not in self._HEAVY:
            try:
                return func(*args, **kwargs)
            except (RuntimeError, NotImplementedError) as error:
                if "not implemented for" not in str(error):
                    raise
        given = _tensors((args, tuple(kwargs.values())))
        narrow = next((t.dtype for t in given if t.dtype in _HALVES), None)
        if narrow is None:
            return func(*args, **kwargs)
        wide = func(*_mapped(args, _widened), **_mapped(kwargs, _widened))
        return _mapped(wide, lambda t: t.to(narrow) if t.dtype is torch.float32 else t)


_HALVES = (torch.float16, torch.bfloat16)


def _widened(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.float() if tensor.dtype in _HALVES else tensor


def _tensors(value: Any) -> list[torch.Tensor]:
    if isinstance(value, torch.Tensor):
        return [value]
    return [t for item in value for t in _tensors(item)] if isinstance(value, (tuple, list)) else []


def _mapped(value: Any, change: Callable[[torch.Tensor], torch.Tensor]) -> Any:
    if isinstance(value, torch.Tensor):
        return change(value)
    if isinstance(value, dict):
        return {key: _mapped(item, change) for key, item in value.items()}
    if isinstance(value, (tuple, list)):
        return type(value)(_mapped(item, change) for item in value)
    return value
