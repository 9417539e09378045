"""Where on this machine is nvcc?

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
    return Path(on_path) if on_path else _in_wheel() or _present(Path("/usr/local/cuda/bin/nvcc"))


def _present(path: Path) -> Path | None:
    return path if path.is_file() else None


def _in_wheel() -> Path | None:
    try:
        files = importlib.metadata.files("nvidia-cuda-nvcc") or []
    except importlib.metadata.PackageNotFoundError:
        return None
    for file in files:
        path = Path(str(file.locate()))
        if path.name == "nvcc" and path.is_file():
            return path
    return None
