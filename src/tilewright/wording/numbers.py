"""Numbers as short text, the same on every machine."""

from __future__ import annotations

from collections.abc import Iterable

from tilewright.scores import AT_LIMIT


def ms(value: float) -> str:
    if value < 0.1:
        return f"{value * 1000:.1f} us"
    return f"{value:.3g} ms" if value < 100 else f"{value:.0f} ms"


def ratio(value: float, low: float, high: float) -> str:
    return f"{value:.2f}x [{low:.2f}, {high:.2f}]"


def size(count: float) -> str:
    """Of bytes."""
    for unit, factor in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= factor:
            return f"{count / factor:.3g} {unit}"
    return f"{count:.0f} B"


def share(value: float) -> str:
    """Of what the hardware allows. That is known to about ten percent, so that above it no number means much."""
    return f"{value:.0%}" if value <= 1 else "all" if value <= AT_LIMIT else "more than all"


def operations(count: float) -> str:
    for unit, factor in (("TFLOP", 1e12), ("GFLOP", 1e9), ("MFLOP", 1e6)):
        if count >= factor:
            return f"{count / factor:.3g} {unit}"
    return f"{count:.0f} FLOP"


def named(values: Iterable[tuple[str, float | str]]) -> str:
    """`name value, name value`."""
    shown = [(name, f"{value:.4g}" if isinstance(value, float) else value) for name, value in values]
    return ", ".join(f"{name} {value}" for name, value in shown)
