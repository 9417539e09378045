"""On which lines of a kernel does something stand, and where is its syntax tree?"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator

from tilewright.analysis.source import CandidateSource, KernelSource, called_name


def call_lines(source: CandidateSource, kernel: KernelSource, names: Collection[str]) -> list[int]:
    """Of calls of functions with these names (`exp` for `T.exp(...)`), ascending."""
    return sorted(
        {node.lineno for node in _nodes(source, kernel) if isinstance(node, ast.Call) and called_name(node) in names}
    )


def division_lines(source: CandidateSource, kernel: KernelSource) -> list[int]:
    """Of true divisions, ascending."""
    return sorted(
        {
            node.lineno
            for node in _nodes(source, kernel)
            if isinstance(node, (ast.BinOp, ast.AugAssign)) and isinstance(node.op, ast.Div)
        }
    )


def function_of(source: CandidateSource, kernel: KernelSource) -> ast.FunctionDef | ast.AsyncFunctionDef | None:
    for node in ast.walk(source.tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.lineno == kernel.line:
            return node
    return None


def _nodes(source: CandidateSource, kernel: KernelSource) -> Iterator[ast.AST]:
    function = function_of(source, kernel)
    return ast.walk(function) if function else iter(())
