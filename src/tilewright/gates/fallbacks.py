"""Does forward go another way where its kernel fails?

A `try` around a kernel, whose failure PyTorch makes up for, hides a broken kernel: it is rejected. Honest are a `try`
around an import or while a module is constructed, one that raises on, and one that builds a missing kernel. Read are
forward (or the entry function) and the functions and methods that it calls by name.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from tilewright.records import Reason
from tilewright.source.imported import Imports
from tilewright.source.kernels import kernel_functions

_ACTION = "Take the try out and let the kernel's error through: it says what to mend."
_PREPARES = (
    *("empty", "zeros", "ones", "full", "tensor", "as_tensor", "arange", "cuda", "device", "dtype", "Size", "finfo"),
    *("iinfo", "no_grad", "inference_mode", "is_tensor", "Generator", "manual_seed", "get_default_dtype", "nn.init"),
)
"""Of torch: what makes room or asks, and computes nothing."""
_COMPUTES = {
    *("matmul", "mm", "bmm", "addmm", "baddbmm", "mv", "dot", "softmax", "log_softmax", "relu", "sigmoid", "tanh"),
    *("exp", "log", "sqrt", "rsqrt", "pow", "sum", "mean", "max", "min", "amax", "amin", "argmax", "argmin", "var"),
    *("std", "norm", "cumsum", "cumprod", "add", "sub", "mul", "div", "clamp", "topk", "sort", "prod", "logsumexp"),
}
"""Methods of tensors."""

_Function = ast.FunctionDef | ast.AsyncFunctionDef


def fallbacks(tree: ast.Module, entry_point: str) -> list[Reason]:
    """One for each `try` (or `contextlib.suppress`) around a kernel that PyTorch stands in for."""
    reader = _Reader(tree)
    found = {
        line: Reason(
            "fallback",
            "where its kernel fails, PyTorch computes the result: a broken kernel would pass",
            line,
            _ACTION,
        )
        for function in reader.reached_from(entry_point)
        for block in _blocks(function)
        for line in reader.fallbacks_in(block)
    }
    return [found[line] for line in sorted(found)]


class _Reader:
    """A file's functions, and the names by which they reach a TileLang kernel."""

    def __init__(self, tree: ast.Module) -> None:
        self._tree = tree
        self._imports = Imports(tree)
        self._functions = {node.name: node for node in ast.walk(tree) if isinstance(node, _Function)}
        self._kernels = {name for name, node in self._functions.items() if kernel_functions(node)}
        self._known = self._holding_kernels()

    def reached_from(self, entry_point: str) -> list[_Function]:
        """The function of that name or the class's forward, and all that they call; kernels are left out."""
        entry = next((node for node in self._tree.body if getattr(node, "name", "") == entry_point), None)
        names = ["forward"] if isinstance(entry, ast.ClassDef) else [entry_point]
        for name in names:  # grows as it is gone through
            calls = [node for node in ast.walk(self._functions.get(name, ast.Pass())) if isinstance(node, ast.Call)]
            names += [one for one in {_last(call.func) for call in calls} if one not in names]
        return [self._functions[name] for name in names if name in self._functions and name not in self._kernels]

    def fallbacks_in(self, block: Sequence[ast.stmt]) -> Iterator[int]:
        """The lines of those among these statements."""
        for place, statement in enumerate(block):
            if isinstance(statement, ast.Try):
                tried, handlers = [*statement.body, *statement.orelse], [h.body for h in statement.handlers]
            elif isinstance(statement, ast.With) and self._suppresses(statement):
                tried, handlers = statement.body, [[]]
            else:
                continue
            ways = [one for handler in handlers for one in _ways_on(handler, tried, block[place + 1 :])]
            if any(_calls_one(one, self._known) for one in tried) and self._computes(ways, set()):
                yield statement.lineno

    def _suppresses(self, statement: ast.With) -> bool:
        calls = [item.context_expr for item in statement.items if isinstance(item.context_expr, ast.Call)]
        return any(self._imports.canonical(call.func) == "contextlib.suppress" for call in calls)

    def _computes(self, statements: Sequence[ast.AST], seen: set[str]) -> bool:
        """Whether PyTorch is asked to compute, also in functions of this file that are called."""
        return any(self._is_compute(node, seen) for one in statements for node in ast.walk(one))

    def _is_compute(self, node: ast.AST, seen: set[str]) -> bool:
        if isinstance(node, ast.BinOp):
            return isinstance(node.op, ast.MatMult)
        if not isinstance(node, ast.Call) or _names_in(node.func) & self._known:
            return False
        path, name = self._imports.canonical(node.func), _last(node.func)
        owner = _last(node.func.value) if isinstance(node.func, ast.Attribute) else ""
        if path:
            return path.startswith("torch.") and not path.removeprefix("torch.").startswith(_PREPARES)
        if name in self._functions and owner != "super":
            new = name not in seen
            seen.add(name)
            return new and self._computes([self._functions[name]], seen)
        return owner in ("self", "super") or (bool(owner) and name in _COMPUTES)

    def _holding_kernels(self) -> set[str]:
        """Names, attributes and functions by which a built kernel is reached."""
        parameters = {node.arg for node in ast.walk(self._tree) if isinstance(node, ast.arg)}
        known = set(self._kernels)
        while True:
            more = {name for node in ast.walk(self._tree) for name in _bound(node, known)} - parameters - known
            if not more:
                return known
            known |= more


def _bound(node: ast.AST, known: set[str]) -> list[str]:
    """What stands for a kernel by this: `self.kernel = build(n)`, or `def kernel_for(n)` that returns `build(n)`."""
    if isinstance(node, ast.Assign) and _calls_one(node.value, known):
        return [_last(target) for target in node.targets]
    if isinstance(node, _Function) and node.name != "forward":
        returned = [one.value for one in ast.walk(node) if isinstance(one, ast.Return) and one.value]
        return [node.name] if any(_calls_one(value, known) for value in returned) else []
    return []


def _calls_one(node: ast.AST, known: set[str]) -> bool:
    """Whether it holds a call of something under one of those names."""
    return any(isinstance(call, ast.Call) and _names_in(call.func) & known for call in ast.walk(node))


def _ways_on(handler: Sequence[ast.stmt], tried: Sequence[ast.stmt], rest: Sequence[ast.stmt]) -> list[ast.stmt]:
    """What runs after a failure: the handler, and of what follows that which a success does not come to."""
    last = handler[-1] if handler else None
    if isinstance(last, ast.Raise):
        return []
    if isinstance(last, ast.Return):
        return list(handler)
    if any(isinstance(node, ast.Return) for one in tried for node in ast.walk(one)):
        return [*handler, *rest]
    told = {_last(t) for one in (*handler, *tried) if isinstance(one, ast.Assign) for t in one.targets}
    return [*handler, *(one for one in rest if isinstance(one, ast.If) and _names_in(one.test) & told)]


def _blocks(function: _Function) -> Iterator[Sequence[ast.stmt]]:
    """Every list of statements in a function."""
    for node in ast.walk(function):
        for field in ("body", "orelse", "finalbody"):
            block = getattr(node, field, None)
            if isinstance(block, list):
                yield block


def _names_in(node: ast.AST) -> set[str]:
    """All names and attributes in an expression."""
    found = [getattr(one, "id", getattr(one, "attr", "")) for one in ast.walk(node)]
    return {name for name in found if name}


def _last(node: ast.AST) -> str:
    """The name at the end of it: `kernel` of `self.kernel`, of `kernel[n]` and of `kernel(n)`."""
    while isinstance(node, (ast.Call, ast.Subscript)):
        node = node.func if isinstance(node, ast.Call) else node.value
    return str(getattr(node, "id", getattr(node, "attr", "")))
