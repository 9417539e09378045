"""Would gates say of a candidate what they said? They would while this is the same."""

from __future__ import annotations

import functools
import hashlib
import shutil
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

from tilewright import jsonform
from tilewright.hardware import Gpu
from tilewright.protocols import Gate
from tilewright.records import content_id


def version_of(gates: Sequence[Gate], gpu: Gpu, budget_s: float) -> str:
    """Of the gates in their order, for a GPU, with the time that executing a candidate may take; of all code here, of
    what it compiles and runs kernels with."""
    installed = [(name, _installed(name)) for name in ("tilelang", "torch")]
    names = [gate.name for gate in gates]
    return content_id(_code(), installed, shutil.which("nvcc"), names, jsonform.to_plain(gpu), budget_s)


def _installed(package: str) -> str:
    """ "" where candidates are compiled elsewhere."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""


@functools.cache
def _code() -> str:
    """Whatever a gate calls is part of what it says, down to the interpreter."""
    package = Path(__file__).parents[1]
    digest = hashlib.sha256()
    for path in sorted(package.rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()
