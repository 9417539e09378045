"""tilewright: makes a slow TileLang kernel faster, turn by turn, and proves it."""

from __future__ import annotations

__version__ = "0.1.0"
