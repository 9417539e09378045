"""How does a whole module run on the CPU, with its TileLang kernels interpreted?"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from tilewright.interpreter.launch import run
from tilewright.interpreter.report import Report
from tilewright.toolchain.arguments import allocate_outputs
from tilewright.toolchain.intercept import CapturedKernel, intercept, redirect_cuda, returned

OnReport = Callable[[CapturedKernel, Report], None]


@contextlib.contextmanager
def interpreted(
    *, on_report: OnReport | None = None, deadline_s: float | None = None, seed: int = 0
) -> Iterator[list[CapturedKernel]]:
    """Inside the block, kernels that TileLang would compile are executed by the interpreter, and "cuda" is
    the CPU.

    Import (or define) the module inside the block. Yields the kernels caught so far. `deadline_s` bounds each
    kernel call; `on_report` is told what each call found. Raises what `run` raises, out of the kernel's
    call."""

    def launch(kernel: CapturedKernel, args: tuple[Any, ...]) -> Any:
        full = allocate_outputs(kernel.prim_func, kernel.out_idx, args)
        report = run(kernel.prim_func, *full, seed=seed, deadline_s=deadline_s)
        if on_report is not None:
            on_report(kernel, report)
        return returned(kernel, full)

    with intercept(launch) as captured, redirect_cuda("cpu"):
        yield captured
