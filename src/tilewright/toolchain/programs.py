"""Where on this machine are nvcc and nvdisasm?

Loads neither torch nor tilelang, so that anyone may ask."""

from __future__ import annotations

import importlib.metadata
import os
import shutil
from pathlib import Path


def find_nvcc() -> Path | None:
    """nvcc where TileLang looks for it: only in CUDA_HOME or CUDA_PATH when one is set, else on the PATH, in the
    wheel nvidia-cuda-nvcc, and where NVIDIA's installer puts it."""
    home = os.environ.get("CUDA_HOME") or os.environ.get("CUDA_PATH")
    if home:
        return _present(Path(home, "bin", "nvcc"))
    on_path = shutil.which("nvcc")
    if on_path:
        return Path(on_path)
    return _in_wheel("nvidia-cuda-nvcc", "nvcc") or _present(Path("/usr/local/cuda/bin/nvcc"))


def find_nvdisasm() -> Path | None:
    """nvdisasm of the toolkit that nvcc is from, else on the PATH, in the wheel nvidia-cuda-nvdisasm, and where
    NVIDIA's installer puts it. Any one reads the binaries of nvcc's that are not newer."""
    nvcc, on_path = find_nvcc(), shutil.which("nvdisasm")
    beside = _present(nvcc.with_name("nvdisasm")) if nvcc else None
    if beside or on_path:
        return beside or Path(str(on_path))
    return _in_wheel("nvidia-cuda-nvdisasm", "nvdisasm") or _present(Path("/usr/local/cuda/bin/nvdisasm"))


def _present(path: Path) -> Path | None:
    return path if path.is_file() else None


def _in_wheel(wheel: str, program: str) -> Path | None:
    try:
        files = importlib.metadata.files(wheel) or []
    except importlib.metadata.PackageNotFoundError:
        return None
    for file in files:
        path = Path(str(file.locate()))
        if path.name == program and path.is_file():
            return path
    return None
