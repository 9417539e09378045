"""What this machine can do, and the command for what is missing."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from tilewright import __version__
from tilewright.toolchain.programs import find_nvcc, find_nvdisasm

TESTED_TILELANG = ("0.1.15",)
CPU_TORCH = "pip install torch --index-url https://download.pytorch.org/whl/cpu"
_RUNG = "from tilewright.worker.isolation import rungs; print(rungs.note(rungs.reached()))"
_PATIENCE_S = 60.0


@dataclass(frozen=True)
class Item:
    """One thing that was looked at. `fix` is a command, or empty."""

    name: str
    works: bool
    detail: str
    fix: str = ""


def examine() -> Iterator[Item]:
    yield Item("tilewright", True, f"{__version__} on Python {sys.version.split()[0]}")
    has_gpu, gpu = _gpu()
    yield _package("torch", "runs references and checks kernels", "pip install torch" if has_gpu else CPU_TORCH)
    yield _tilelang()
    yield _nvcc()
    yield _nvdisasm()
    yield _package("dspy", "turns with a language model", "pip install 'tilewright[llm]'")
    yield Item("GPU", has_gpu, gpu, "" if has_gpu else "none needed: kernels are checked on the CPU, times estimated")
    yield _isolation()
    yield _results()
    ready = all(find_spec(package) for package in ("torch", "tilelang"))
    if not ready:
        yield Item("evaluator", False, "none yet: torch and tilelang are missing", "make setup")
    elif has_gpu:
        yield Item("evaluator", True, "local: kernels are measured here")
    else:
        yield Item("evaluator", True, "offline: kernels are checked, times are estimates")


def _package(name: str, use: str, fix: str) -> Item:
    try:
        return Item(name, True, f"{version(name)} ({use})")
    except PackageNotFoundError:
        return Item(name, False, f"missing ({use})", fix)


def _tilelang() -> Item:
    item = _package("tilelang", "compiles kernels", "pip install 'tilewright[kernels]'")
    if item.works and version("tilelang") not in TESTED_TILELANG:
        return Item("tilelang", True, f"{item.detail}; tested with {', '.join(TESTED_TILELANG)}")
    return item


def _nvcc() -> Item:
    found = find_nvcc()
    if found is None:
        return Item("nvcc", False, "missing (compiles kernels)", "pip install 'tilewright[nvcc]'")
    return Item("nvcc", True, str(found))


def _nvdisasm() -> Item:
    found = find_nvdisasm()
    if found is None:
        missing = "missing (findings from machine instructions need it)"
        return Item("nvdisasm", False, missing, "pip install nvidia-cuda-nvdisasm")
    return Item("nvdisasm", True, str(found))


def _isolation() -> Item:
    """It is tried out in a process of its own, since the trial ends every child that it finds."""
    if sys.platform != "linux":
        return Item("isolation", False, f"none: running kernels needs Linux, this is {sys.platform}")
    try:
        tried = subprocess.run(
            [sys.executable, "-c", _RUNG], capture_output=True, encoding="utf-8", timeout=_PATIENCE_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return Item("isolation", False, f"could not be tried out: {error}")
    said = (tried.stdout or tried.stderr).strip().splitlines() or ["nothing was said"]
    rung = said[-1].removeprefix("isolation ")
    return Item("isolation", tried.returncode == 0 and not rung.startswith("R0"), rung)


def _gpu() -> tuple[bool, str]:
    from tilewright.evaluators.local import available

    return available()


def _results() -> Item:
    try:
        with tempfile.TemporaryFile(dir="."):
            return Item("results", True, f"{Path.cwd() / 'results'} can be written")
    except OSError as error:
        return Item("results", False, f"{Path.cwd()}: {error.strerror}", "use --results DIR")
