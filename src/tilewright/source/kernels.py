"""Which functions of a file are TileLang kernels?"""

from __future__ import annotations

import ast
from collections.abc import Iterator

OPENERS = ("Kernel", "ClusterKernel", "CUDASourceCodeKernel")
"""What the body of a kernel is opened with, of `tilelang.language`."""


def kernel_functions(tree: ast.AST) -> list[ast.FunctionDef]:
    """Those that open a `T.Kernel` themselves, not in a function inside of them. TileLang names a kernel after it."""
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    return [function for function in functions if any(map(_opens_kernel, _own_nodes(function)))]


def _own_nodes(node: ast.AST) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, ast.FunctionDef):
            yield child
            yield from _own_nodes(child)


def _opens_kernel(node: ast.AST) -> bool:
    calls = [item.context_expr for item in node.items] if isinstance(node, ast.With) else []
    functions = [call.func for call in calls if isinstance(call, ast.Call)]
    return any(getattr(function, "attr", getattr(function, "id", "")) in OPENERS for function in functions)
