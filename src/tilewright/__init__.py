"""tilewright: makes a slow TileLang kernel faster, turn by turn, and proves it."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tilewright.api import Result, analyze, evaluate, go_on, load_run, optimize
    from tilewright.config import OptimizationConfig

__version__ = "0.1.0"
__all__ = ["OptimizationConfig", "Result", "__version__", "analyze", "evaluate", "go_on", "load_run", "optimize"]


def __getattr__(name: str) -> object:
    """Public names are loaded when they are first used, so that importing the package stays quick."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = "tilewright.config" if name == "OptimizationConfig" else "tilewright.api"
    value: object = getattr(import_module(home), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
