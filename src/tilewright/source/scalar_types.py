"""Of which type is a scalar expression of a TileLang kernel, as the source would write it?"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from tilewright.source.literals import Function, Module, own_nodes

_TYPES = ("bool", "int8", "uint8", "int16", "int32", "uint32", "int64", "float16", "bfloat16", "float32", "float64")
_SAME = {"half": "float16", "float": "float32", "double": "float64", "int": "int32"}
_OF_ALL_ARGUMENTS = frozenset(
    ("max", "min", "abs", "fabs", "exp", "exp2", "exp10", "log", "log2", "log10", "log1p", "sqrt", "rsqrt", "tanh",
     "sigmoid", "sin", "cos", "tan", "pow", "floor", "ceil", "round", "trunc", "erf", "clamp", "fmod", "fma",
     "floordiv", "floormod", "truncdiv", "truncmod", "ceildiv")
)  # fmt: skip


@dataclass(frozen=True)
class _Type:
    """`source` is how the type is written, `name` which it is where that is known.

    A weak one is a Python number's, which takes the type of what it meets.
    """

    source: str = ""
    name: str = ""
    weak: bool = False


_FLOAT = _Type('"float32"', "float32", weak=True)
_INT = _Type('"int32"', "int32", weak=True)
_NUMBER = _Type(weak=True)
"""A value from outside the kernel: a number of whatever type fits."""


class Types:
    """Types of a prim_func's scalars, from annotations, allocations, casts and numbers."""

    def __init__(self, module: Module, function: Function, text: Callable[[ast.expr], str]) -> None:
        self._module = module
        self._function = function
        self._text = text
        self._buffers: dict[str, _Type] = {}
        self._scalars: set[str] = set()
        self._values: dict[str, list[ast.expr | None]] = {}
        arguments = function.args
        for argument in [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]:
            if argument.annotation is not None and (found := self._of_annotation(argument.annotation)):
                self._buffers[argument.arg] = found
                if isinstance(argument.annotation, ast.Attribute):
                    self._scalars.add(argument.arg)
        for node in own_nodes(function):
            for name, value in _bindings(node):
                self._values.setdefault(name, []).append(value)
                if isinstance(value, ast.Call) and called_name(value).startswith("alloc_"):
                    position = 0 if called_name(value) == "alloc_var" else 1
                    dtype = value.args[position] if len(value.args) > position else _keyword(value, "dtype")
                    if dtype is not None:
                        self._buffers[name] = self._written(dtype)
                        self._scalars |= {name} if position == 0 else set()

    def of_variable(self, name: str, values: Sequence[ast.expr], first: ast.expr | None) -> str | None:
        """The type for a variable that takes these values in turn, or None where the source doesn't tell.

        One that starts as a bare Python float is at least float32, whatever narrower values are added to it.
        """
        joined: _Type | None = _NUMBER
        for value in values:
            found = self._of(value, frozenset({name}))
            joined = self._join(joined, found) if joined is not None and found is not None else None
        start = self._of(first, frozenset({name})) if first is not None else None
        if start is not None and start.weak and start.name == "float32":
            return joined.source if joined is not None and joined.name == "float64" else '"float32"'
        return joined.source or None if joined is not None else None

    def _of(self, node: ast.expr, seen: frozenset[str]) -> _Type | None:
        if isinstance(node, ast.Constant):
            if isinstance(node.value, bool):
                return _Type('"bool"', "bool")
            return _FLOAT if isinstance(node.value, float) else _INT if isinstance(node.value, int) else None
        if isinstance(node, ast.Name):
            return self._of_name(node.id, seen)
        if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name):
            return self._buffers.get(node.value.id, _NUMBER if self._is_outside(node.value.id) else None)
        if isinstance(node, ast.BinOp):
            return self._joined((node.left, node.right), seen)
        if isinstance(node, ast.UnaryOp):
            return _Type('"bool"', "bool") if isinstance(node.op, ast.Not) else self._of(node.operand, seen)
        if isinstance(node, (ast.Compare, ast.BoolOp)):
            return _Type('"bool"', "bool")
        if isinstance(node, ast.IfExp):
            return self._joined((node.body, node.orelse), seen)
        if isinstance(node, ast.Attribute):
            return _NUMBER
        return self._of_call(node, seen) if isinstance(node, ast.Call) else None

    def _of_name(self, name: str, seen: frozenset[str]) -> _Type | None:
        if name in seen:
            return _NUMBER
        if name in self._buffers:
            return self._buffers[name] if name in self._scalars else None
        if name not in self._values:
            return _NUMBER
        values = self._values[name]
        if any(value is None for value in values):
            return _Type('"int32"', "int32")  # a loop's or a block's index
        return self._joined([value for value in values if value is not None], seen | {name})

    def _of_call(self, node: ast.Call, seen: frozenset[str]) -> _Type | None:
        name, arguments = called_name(node), node.args
        if name in _TYPES or name in _SAME:
            if isinstance(node.func, ast.Name) and name in ("float", "int"):
                return _FLOAT if name == "float" else _INT
            return _Type(f'"{_SAME.get(name, name)}"', _SAME.get(name, name))
        if name in ("Cast", "infinity", "max_value", "min_value") and arguments:
            return self._written(arguments[0])
        if name in ("cast", "reinterpret") and len(arguments) == 2:
            return self._written(arguments[0] if _is_type_literal(arguments[0]) else arguments[1])
        if name in ("if_then_else", "Select", "where") and len(arguments) == 3:
            return self._joined(arguments[1:], seen)
        if name in _OF_ALL_ARGUMENTS and arguments:
            return self._joined(arguments, seen)
        if name in ("get_thread_binding", "get_block_binding", "thread_binding"):
            return _Type('"int32"', "int32")
        return None

    def _joined(self, nodes: Sequence[ast.expr], seen: frozenset[str]) -> _Type | None:
        joined: _Type | None = _NUMBER
        for node in nodes:
            found = self._of(node, seen)
            joined = self._join(joined, found) if joined is not None and found is not None else None
        return joined

    def _join(self, a: _Type, b: _Type) -> _Type | None:
        """The wider of two types; a Python number gives way; None for two whose order isn't known."""
        if a == b or b == _NUMBER:
            return a
        if a == _NUMBER:
            return b
        if a.weak != b.weak:
            strong, weak = (b, a) if a.weak else (a, b)
            becomes_float = weak.name == "float32" and "float" not in (strong.name or "float")
            return _Type('"float32"', "float32") if becomes_float else strong
        if a.source == b.source:
            return a
        if not a.name or not b.name:
            return None
        return a if _TYPES.index(a.name) >= _TYPES.index(b.name) else b

    def _written(self, node: ast.expr) -> _Type:
        """The type that an expression such as `"float16"`, `T.float32` or `accum_dtype` stands for."""
        source = self._text(node)
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            return _Type(source, _known(node.value))
        if isinstance(node, ast.Attribute):
            return _Type(source, _known(node.attr))
        if isinstance(node, ast.Name):
            return _Type(source, _known(self._string(node.id)))
        return _Type(source)

    def _string(self, name: str) -> str:
        """The string that a name outside the kernel stands for: a default, or an assignment."""
        scope = self._module.scope(self._function)
        while True:
            if scope is not None:
                arguments = scope.args
                positional = [*arguments.posonlyargs, *arguments.args]
                defaults = [*zip(reversed(positional), reversed(arguments.defaults))]
                for argument, default in [*defaults, *zip(arguments.kwonlyargs, arguments.kw_defaults)]:
                    if argument.arg == name and isinstance(default, ast.Constant):
                        return str(default.value)
            for node in own_nodes(scope if scope is not None else self._module.tree):
                for target, value in _bindings(node):
                    if target == name and isinstance(value, ast.Constant):
                        return str(value.value)
                    if target == name and isinstance(value, ast.Attribute):
                        return value.attr
            if scope is None:
                return ""
            scope = self._module.scope(scope)

    def _is_outside(self, name: str) -> bool:
        return name not in self._values and name not in self._buffers

    def _of_annotation(self, node: ast.expr) -> _Type | None:
        parts: list[ast.expr] = []
        if isinstance(node, ast.Call):
            dtype = node.args[1] if len(node.args) > 1 else _keyword(node, "dtype")
            return self._written(dtype) if dtype is not None else _Type('"float32"', "float32")
        if isinstance(node, ast.Subscript):
            parts = list(node.slice.elts) if isinstance(node.slice, ast.Tuple) else []
            return self._written(parts[1]) if len(parts) > 1 else None
        return self._written(node) if isinstance(node, ast.Attribute) and _known(node.attr) else None


def called_name(call: ast.Call) -> str:
    """`f` of `f(...)` and of `a.b.f(...)`."""
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def _known(name: str) -> str:
    name = _SAME.get(name, name)
    return name if name in _TYPES else ""


def _is_type_literal(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _keyword(call: ast.Call, name: str) -> ast.expr | None:
    return next((keyword.value for keyword in call.keywords if keyword.arg == name), None)


def _bindings(node: ast.AST) -> Iterator[tuple[str, ast.expr | None]]:
    """Names that a statement binds, with the value where it is plain."""
    if isinstance(node, (ast.Assign, ast.AnnAssign, ast.AugAssign)) and node.value is not None:
        for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
            if isinstance(target, ast.Name):
                yield target.id, node.value
            elif isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
                for part, value in zip(target.elts, node.value.elts):
                    if isinstance(part, ast.Name):
                        yield part.id, value
    elif isinstance(node, ast.For):
        yield from ((name.id, None) for name in ast.walk(node.target) if isinstance(name, ast.Name))
    elif isinstance(node, ast.With):
        for item in node.items:
            if item.optional_vars is not None:
                yield from ((n.id, None) for n in ast.walk(item.optional_vars) if isinstance(n, ast.Name))
