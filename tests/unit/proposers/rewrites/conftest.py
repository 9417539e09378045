"""Runs the modules of these tests with their kernels interpreted, so that "still right" can be asserted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

HEADER = """import tilelang
import tilelang.language as T
import torch
import torch.nn as nn
"""

Run = Callable[..., Any]


@pytest.fixture(scope="session")
def run() -> Run:
    """`run(source, *inputs, init=())`: what `ModelNew(*init).half()` returns for the inputs on its second call."""
    torch = pytest.importorskip("torch")
    pytest.importorskip("tilelang")
    from tilewright.interpreter import interpreted
    from tilewright.records import Candidate
    from tilewright.toolchain.modules import module_of

    def call(source: str, *inputs: Any, init: tuple[Any, ...] = ()) -> Any:
        with interpreted(), module_of(Candidate(source=source)) as module, torch.no_grad():
            torch.manual_seed(0)
            network = module.ModelNew(*init).half()
            network(*inputs)
            return network(*inputs)

    return call


@pytest.fixture
def module() -> Callable[..., str]:
    """`module(factory, call)`: a file with a factory and a `ModelNew` that builds and calls it as `call` says."""

    def write(factory: str, body: str) -> str:
        lines = "\n".join(f"        {line}" for line in body.strip().splitlines())
        return (
            f"{HEADER}\n\n{factory.strip()}\n\n\nclass ModelNew(nn.Module):\n    def __init__(self):\n"
            f"        super().__init__()\n        self.kernels = {{}}\n\n    def forward(self, *x):\n{lines}\n"
        )

    return write
