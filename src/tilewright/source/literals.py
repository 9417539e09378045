"""Which literal in a file does a value come from: through parameters, call sites, names and attributes?"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

Function = ast.FunctionDef | ast.AsyncFunctionDef
Scope = Function | None
"""A function, or None for the module's top level."""


@dataclass(frozen=True)
class Origin:
    """A literal int or bool that takes effect, and the name that it is given: a parameter's, a variable's,
    a keyword's. `owner` is the function whose parameter or variable it is, "" at module level."""

    node: ast.Constant
    name: str
    owner: str = ""
    inline: bool = False
    """Written in the call itself, under no name of its own."""

    @property
    def value(self) -> int | bool:
        value = self.node.value
        assert isinstance(value, int)
        return value


class Module:
    """A parsed file that answers where values come from. Where the file can't tell, it answers nothing."""

    def __init__(self, tree: ast.Module) -> None:
        self.tree = tree
        self._parents = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
        self.functions = [
            node for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        ]
        self._calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
        self._assignments: dict[Scope, dict[str, list[ast.expr | None]]] = {}

    def constants(self) -> Iterator[Origin]:
        """Top-level `NAME = 128`, for names that are assigned once."""
        for name in self._assigned(None):
            yield from (o for o in self.of_name(name, None) if o.owner == "")

    def locals_of(self, function: Function) -> Iterator[Origin]:
        """`block_M = 128` and `block_M, block_N = 128, 64` in a function's own body."""
        parameters = {a.arg for a in _parameters(function)}
        for name in self._assigned(function):
            if name not in parameters:
                yield from (o for o in self.of_name(name, function) if o.owner == function.name)

    def of_parameter(
        self, function: Function, name: str, _seen: frozenset[tuple[int, str]] = frozenset()
    ) -> list[Origin]:
        """The literals that reach a parameter: those that the file's calls pass, else the default."""
        key = (id(function), name)
        if key in _seen:
            return []
        seen = _seen | {key}
        default = _default(function, name)
        found: list[Origin] = []
        calls = list(self.calls_of(function))
        for call in calls:
            sure, argument = self._argument(function, call, name)
            if argument is not None:
                found += self.of(argument, self.scope(call), name, function.name, _seen=seen)
            elif sure and default is not None:
                found += self.of(default, None, name, function.name, inline=False, _seen=seen)
        if not calls and default is not None:
            found += self.of(default, None, name, function.name, inline=False, _seen=seen)
        return _unique(found)

    def of_name(self, name: str, scope: Scope, _seen: frozenset[tuple[int, str]] = frozenset()) -> list[Origin]:
        """The literals behind a name where it is read: of the scope itself, then of those around it."""
        while True:
            values = self._assigned(scope).get(name, [])
            is_parameter = scope is not None and any(a.arg == name for a in _parameters(scope))
            if scope is not None and is_parameter:
                return self.of_parameter(scope, name, _seen) if not values else []
            if values:
                if len(values) != 1 or values[0] is None:
                    return []  # set in more than one place: which one counts depends on the run
                return self.of(values[0], scope, name, scope.name if scope else "", inline=False, _seen=_seen)
            if scope is None:
                return []
            scope = self.scope(scope)

    def of(
        self,
        value: ast.expr,
        scope: Scope,
        name: str,
        owner: str = "",
        inline: bool = True,
        _seen: frozenset[tuple[int, str]] = frozenset(),
    ) -> list[Origin]:
        """The literals behind an expression that is read in `scope` and known there by `name`."""
        if isinstance(value, ast.Constant):
            return [Origin(value, name, owner, inline)] if isinstance(value.value, int) else []
        if isinstance(value, ast.Name):
            return self.of_name(value.id, scope, _seen)
        if isinstance(value, ast.Attribute) and isinstance(value.value, ast.Name) and value.value.id == "self":
            return self._of_attribute(value.attr, scope, _seen)
        if isinstance(value, ast.Subscript) and isinstance(value.slice, ast.Constant):
            found = (self._table(value.value, scope) or {}).get(str(value.slice.value))
            return self.of(found, scope, name, owner, inline=False, _seen=_seen) if found is not None else []
        return []

    def scope(self, node: ast.AST) -> Scope:
        """The function around a node."""
        parent = self._parents.get(node)
        while parent is not None and not isinstance(parent, (ast.FunctionDef, ast.AsyncFunctionDef)):
            parent = self._parents.get(parent)
        return parent

    def enclosing_class(self, node: ast.AST) -> ast.ClassDef | None:
        parent = self._parents.get(node)
        while parent is not None and not isinstance(parent, ast.ClassDef):
            parent = self._parents.get(parent)
        return parent

    def calls_of(self, function: Function) -> Iterator[ast.Call]:
        """Calls in this file that name the function: `build(...)`, `self._build(...)`, `Class(...)`."""
        owner = self._parents.get(function)
        is_method = isinstance(owner, ast.ClassDef)
        called = owner.name if isinstance(owner, ast.ClassDef) and function.name == "__init__" else function.name
        for call in self._calls:
            target = call.func
            by_name = isinstance(target, ast.Name) and target.id == called
            by_attribute = isinstance(target, ast.Attribute) and target.attr == called
            if by_attribute if is_method and function.name != "__init__" else by_name:
                yield call

    def _argument(self, function: Function, call: ast.Call, name: str) -> tuple[bool, ast.expr | None]:
        """What a call passes for a parameter; (False, None) where `*args` or `**kwargs` may hide it.

        `*sizes` is taken to fill the parameters that have no default, as in `build(*x.shape)`.
        """
        for keyword in call.keywords:
            if keyword.arg == name:
                return True, keyword.value
        positional = [a.arg for a in [*function.args.posonlyargs, *function.args.args]]
        if positional and positional[0] in ("self", "cls") and isinstance(self._parents.get(function), ast.ClassDef):
            positional = positional[1:]
        index = positional.index(name) if name in positional else len(call.args)
        starred = next((i for i, a in enumerate(call.args) if isinstance(a, ast.Starred)), len(call.args))
        if index < starred:
            return True, call.args[index]
        required = [n for n in positional if _default(function, n) is None]
        fills_required = starred < len(required) and _default(function, name) is not None
        hidden = starred < len(call.args) and not fills_required
        for table in (keyword.value for keyword in call.keywords if keyword.arg is None):
            entries = self._table(table, self.scope(call))
            if entries is not None and name in entries:
                return True, entries[name]
            hidden |= entries is None
        return not hidden, None

    def _table(self, value: ast.expr, scope: Scope) -> dict[str, ast.expr] | None:
        """The entries of a dictionary that is written out, or of a name that stands for one."""
        if isinstance(value, ast.Dict):
            names = [key.value if isinstance(key, ast.Constant) else None for key in value.keys]
            return None if None in names else dict(zip(map(str, names), value.values))
        if isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id == "dict":
            known = not value.args and all(keyword.arg for keyword in value.keywords)
            return {str(keyword.arg): keyword.value for keyword in value.keywords} if known else None
        while isinstance(value, ast.Name):
            values = self._assigned(scope).get(value.id, [])
            if values:
                return self._table(values[0], scope) if len(values) == 1 and values[0] is not None else None
            if scope is None:
                return None
            scope = self.scope(scope)
        return None

    def _of_attribute(self, attribute: str, scope: Scope, seen: frozenset[tuple[int, str]]) -> list[Origin]:
        owner = self.enclosing_class(scope) if scope is not None else None
        if owner is None:
            return []
        values: list[tuple[ast.expr, Scope]] = []
        for node in ast.walk(owner):
            targets = node.targets if isinstance(node, ast.Assign) else []
            if isinstance(node, (ast.AugAssign, ast.AnnAssign)):
                targets = [node.target]
            for target in targets:
                if isinstance(target, ast.Attribute) and target.attr == attribute:
                    value = getattr(node, "value", None)
                    if not isinstance(value, ast.expr) or isinstance(node, ast.AugAssign):
                        return []
                    values.append((value, self.scope(node)))
        if len(values) != 1:
            return []
        value, where = values[0]
        return self.of(value, where, attribute, owner.name, inline=False, _seen=seen)

    def _assigned(self, scope: Scope) -> dict[str, list[ast.expr | None]]:
        """Every name that a scope's own statements set, with the values; None for one that is not plain."""
        if scope not in self._assignments:
            self._assignments[scope] = _assignments(scope if scope is not None else self.tree)
        return self._assignments[scope]


def own_nodes(scope: ast.AST) -> Iterator[ast.AST]:
    """The nodes of a function or module without those of the functions and classes inside it."""
    waiting = list(ast.iter_child_nodes(scope))
    while waiting:
        node = waiting.pop(0)
        yield node
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)):
            waiting[:0] = ast.iter_child_nodes(node)


def _assignments(scope: ast.AST) -> dict[str, list[ast.expr | None]]:
    found: dict[str, list[ast.expr | None]] = {}
    for node in own_nodes(scope):
        if isinstance(node, ast.Assign):
            for target in node.targets:
                for name, value in _pairs(target, node.value):
                    found.setdefault(name, []).append(value)
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            found.setdefault(node.target.id, []).append(node.value)
        elif isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
            found.setdefault(node.target.id, []).append(None)
        elif isinstance(node, (ast.For, ast.comprehension)):
            for part in ast.walk(node.target):
                if isinstance(part, ast.Name):
                    found.setdefault(part.id, []).append(None)
    return found


def _parameters(function: Function) -> list[ast.arg]:
    arguments = function.args
    return [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]


def _default(function: Function, name: str) -> ast.expr | None:
    arguments = function.args
    positional = [*arguments.posonlyargs, *arguments.args]
    defaults: list[ast.expr | None] = [None] * (len(positional) - len(arguments.defaults))
    defaults += arguments.defaults
    pairs = [*zip(positional, defaults), *zip(arguments.kwonlyargs, arguments.kw_defaults)]
    return next((default for argument, default in pairs if argument.arg == name), None)


def _pairs(target: ast.expr, value: ast.expr) -> Iterator[tuple[str, ast.expr | None]]:
    if isinstance(target, ast.Name):
        yield target.id, value
    elif isinstance(target, (ast.Tuple, ast.List)):
        same = isinstance(value, (ast.Tuple, ast.List)) and len(value.elts) == len(target.elts)
        for index, part in enumerate(target.elts):
            if isinstance(part, ast.Name):
                yield part.id, value.elts[index] if same and isinstance(value, (ast.Tuple, ast.List)) else None


def _unique(origins: list[Origin]) -> list[Origin]:
    return list({id(origin.node): origin for origin in reversed(origins)}.values())[::-1]
