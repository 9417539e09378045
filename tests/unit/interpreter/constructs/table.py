"""How is a construct of TileLang entered in the tables: a small kernel, its inputs, and what torch says it leaves?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True)
class Construct:
    """`names` are those of `tilelang.language` that the kernel shows.

    `inputs` are all parameters but the outputs, or all of them where a kernel updates what it is given. Either the
    last parameter `equals` a tensor afterwards, or the kernel is reported as not checked with words that match
    `not_checked`.
    """

    names: tuple[str, ...]
    build: Callable[[], Any]
    inputs: tuple[Any, ...]
    equals: Tensor | None
    not_checked: str
    tolerance: float

    def __str__(self) -> str:
        return self.names[0]


CONSTRUCTS: list[Construct] = []


def shows(
    names: str, *inputs: Any, equals: Tensor | None = None, not_checked: str = "", tolerance: float = 1e-5
) -> Callable[[Callable[[], Any]], Callable[[], Any]]:
    """Decorator of a function that makes the kernel."""
    assert (equals is None) == bool(not_checked)

    def enter(build: Callable[[], Any]) -> Callable[[], Any]:
        CONSTRUCTS.append(Construct(tuple(names.split()), build, inputs, equals, not_checked, tolerance))
        return build

    return enter


_random = torch.Generator().manual_seed(0)


def normal(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.randn(*shape, generator=_random).to(dtype)


def whole(low: int, high: int, *shape: int, dtype: torch.dtype = torch.int32) -> Tensor:
    return torch.randint(low, high, shape, generator=_random, dtype=torch.int64).to(dtype)
