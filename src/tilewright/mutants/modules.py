"""Bugs in the PyTorch part: the module that builds the kernels and calls them."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tilewright.mutants.reading import Change, Source
from tilewright.source.literals import Function


def ignored_parameter(source: Source) -> Iterator[Change]:
    """`self.linear.bias` -> `(self.linear.bias * 0)`"""
    for forward in _forwards(source):
        choices = (node for node in ast.walk(forward) if isinstance(node, (ast.Compare, ast.IfExp)))
        optional = {inner for choice in choices for inner in ast.walk(choice)}  # it may be None
        for node in ast.walk(forward):
            if isinstance(node, ast.Attribute) and node.attr == "bias" and node not in optional:
                yield source.replaced(node, f"({source.text(node)} * 0)")


def wrong_dimension(source: Source) -> Iterator[Change]:
    """`x.shape[0]` <-> `x.shape[1]`, `self.dim` -> `self.dim - 1`"""
    for forward in _forwards(source):
        for node in ast.walk(forward):
            if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
                if isinstance(node.value, ast.Attribute) and node.value.attr == "shape":
                    yield source.replaced(node.slice, "0" if node.slice.value else "1")
            elif isinstance(node, ast.Attribute) and source.text(node) == "self.dim":
                yield source.replaced(node, "(self.dim - 1)")


def swapped_arguments(source: Source) -> Iterator[Change]:
    """`matmul(M, N, K)` -> `matmul(N, M, K)`: of neighbours that are plain names"""
    for forward in _forwards(source):
        for call in ast.walk(forward):
            if isinstance(call, ast.Call):
                for first, second in zip(call.args, call.args[1:]):
                    if isinstance(first, ast.Name) and isinstance(second, ast.Name):
                        change = source.swapped(first, second)
                        if change is not None:
                            yield change


def _forwards(source: Source) -> Iterator[Function]:
    for node in source.tree.body:
        if isinstance(node, ast.ClassDef):
            yield from (m for m in node.body if isinstance(m, ast.FunctionDef) and m.name == "forward")
