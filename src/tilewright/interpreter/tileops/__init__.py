"""What do TileLang's tile operations (T.copy, T.gemm, T.reduce_*, ...) compute? One file for each family."""

from __future__ import annotations

from tilewright.interpreter.tileops import atomic, copy_fill, gemm, im2col, reduce, scan

__all__ = ["atomic", "copy_fill", "gemm", "im2col", "reduce", "scan"]
