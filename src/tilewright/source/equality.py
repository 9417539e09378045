"""Would two candidates surely do the same work on the GPU?

Yes only where our compile process found the same generated code for every kernel of every workload, and the modules
are the same outside their kernel factories. What that can't tell counts as no: a file that could read its own source
or names at run time, a factory that does more than describe a kernel, modules beside the kernel.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Container, Iterable, Iterator, Set

from tilewright.records import Candidate, Evidence, Facts, Problem
from tilewright.source.imported import Imports

_KNOWN_PACKAGES = {"__future__", "collections", "dataclasses", "functools", "itertools", "math", "tilelang", "torch",
                   "typing"}  # fmt: skip
_READS_THE_FILE = {"compile", "dir", "eval", "exec", "globals", "getattr", "locals", "open", "vars"}
_LEADS_TO_THE_FILE = {"builtins", "importlib", "inspect", "os", "sys"}
"""Modules that can be reached as attributes of those above (`torch.sys`)."""
_DESCRIBES_THE_KERNEL = {"adapter", "artifact", "get_host_source", "get_kernel_source", "prim_func"}
"""Attributes of a compiled kernel by which its factory shows outside of its code."""
_PLAIN_DUNDERS = {"__init__", "__name__"}
_PURE_BUILTINS = {"abs", "bool", "float", "int", "len", "max", "min", "pow", "range", "round", "str", "tuple"}
_FACTORY_DECORATORS = {"tilelang.jit", "functools.cache", "functools.lru_cache"}
_NEVER_HARMLESS = (ast.Await, ast.ClassDef, ast.Global, ast.Import, ast.ImportFrom, ast.Lambda, ast.NamedExpr,
                   ast.Nonlocal, ast.Return, ast.Yield, ast.YieldFrom)  # fmt: skip
_FREE = "a value that only factories see"


def equal_work(
    problem: Problem, first: Candidate, first_found: Evidence, second: Candidate, second_found: Evidence
) -> bool:
    """Whether the evaluation of one candidate holds for the other too, given what compiling each found out."""
    return (
        _same_kernels(problem, first_found, second_found)
        and first.form == second.form
        and first.entry_point == second.entry_point
        and not first.support
        and not second.support
        and equal_outside_factories(first.source, second.source)
    )


def equal_outside_factories(first: str, second: str) -> bool:
    """Whether two sources differ at most in the bodies and defaults of their kernel factories, and in what they pass
    to these alone: literals, and module-level constants used nowhere else."""
    one, other = _outside(first), _outside(second)
    return one is not None and one == other


# ---------------------------------------------------------------- what the compile process found


def _same_kernels(problem: Problem, first: Evidence, second: Evidence) -> bool:
    named = [workload.name for workload in problem.workloads]
    return (
        [facts.workload for facts in first.facts] == named == [facts.workload for facts in second.facts]
        and all(facts.kernels and all(k.code_hash for k in facts.kernels) for facts in first.facts)
        and [_work(facts) for facts in first.facts] == [_work(facts) for facts in second.facts]
    )


def _work(facts: Facts) -> tuple[object, ...]:
    kernels = [(k.code_hash, k.grid, k.block_threads, k.launches, k.shared_bytes) for k in facts.kernels]
    around = (facts.torch_ops, facts.inputs, facts.parameters, facts.outputs, facts.kernels_built_in_forward)
    return facts.gpu, kernels, around


# ---------------------------------------------------------------- the module around the factories


def _outside(source: str) -> str | None:
    """The module in a form in which factories and what only they are given are alike; None where that isn't sure."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return None
    imports, bound = Imports(tree), Counter(_bindings(tree))
    if any(_looks_at_itself(node, imports) for node in ast.walk(tree)):
        return None
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    called = Counter(_callee(call) for call in calls)
    read = _reads(ast.walk(tree))
    factories = {
        node.name: node
        for node in tree.body
        if isinstance(node, ast.FunctionDef)
        and bound[node.name] == 1
        and read[node.name] == called[node.name]
        and _only_makes_a_kernel(node, imports, _PURE_BUILTINS - bound.keys())
    }
    inside = {part for factory in factories.values() for part in _walk(_replaced_parts(factory))}
    read_outside = _reads(node for node in ast.walk(tree) if node not in inside)
    passed = _reads(value for call in calls if _callee(call) in factories for value in _given(call))
    constants = {
        name
        for statement in tree.body
        if (name := _constant(statement)) and bound[name] == 1 and read_outside[name] == passed[name]
    }
    return ast.dump(_Outside(factories, constants).visit(tree))


def _reads(nodes: Iterable[ast.AST]) -> Counter[str]:
    return Counter(node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load))


def _callee(call: ast.Call) -> str:
    return call.func.id if isinstance(call.func, ast.Name) else ""


def _walk(parts: Iterable[ast.AST]) -> Iterator[ast.AST]:
    return (node for part in parts for node in ast.walk(part))


class _Outside(ast.NodeTransformer):
    def __init__(self, factories: dict[str, ast.FunctionDef], constants: set[str]) -> None:
        self._factories, self._constants = factories, constants

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        if self._factories.get(node.name) is not node:
            return self.generic_visit(node)
        nothing = ast.arguments(posonlyargs=[], args=[], kwonlyargs=[], kw_defaults=[], defaults=[])
        return ast.FunctionDef(name=node.name, args=nothing, body=[], decorator_list=node.decorator_list)

    def visit_Assign(self, node: ast.Assign) -> ast.AST | None:
        return None if _constant(node) in self._constants else self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> ast.AST:
        if _callee(node) in self._factories:
            node.args = [self._freed(value) for value in node.args]
            for keyword in node.keywords:
                keyword.value = self._freed(keyword.value)
        return self.generic_visit(node)

    def _freed(self, value: ast.expr) -> ast.expr:
        is_constant = isinstance(value, ast.Name) and value.id in self._constants
        is_literal = isinstance(value, ast.Constant) and isinstance(value.value, (bool, int))
        return ast.Constant(_FREE) if is_constant or is_literal else value


def _given(call: ast.Call) -> list[ast.expr]:
    return [*call.args, *(keyword.value for keyword in call.keywords)]


def _constant(statement: ast.stmt) -> str:
    """The name that `NAME = 128` gives a whole number or a flag; "" for other statements."""
    if not (isinstance(statement, ast.Assign) and len(statement.targets) == 1):
        return ""
    target, value = statement.targets[0], statement.value
    if isinstance(target, ast.Name) and isinstance(value, ast.Constant) and isinstance(value.value, (bool, int)):
        return target.id
    return ""


def _bindings(tree: ast.AST) -> Iterator[str]:
    """Every name that anything in it binds, at whatever depth, as often as it does."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            yield node.id
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            yield node.name
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, (ast.Global, ast.Nonlocal)):
            yield from node.names
        elif isinstance(node, ast.alias):
            yield (node.asname or node.name).split(".")[0]
        elif isinstance(node, (ast.ExceptHandler, ast.MatchAs, ast.MatchStar)) and node.name:
            yield node.name


def _looks_at_itself(node: ast.AST, imports: Imports) -> bool:
    """Whether a file with this in it might tell one setting of its constants from another by other means."""
    if isinstance(node, ast.Import):
        return any(alias.name.split(".")[0] not in _KNOWN_PACKAGES for alias in node.names)
    if isinstance(node, ast.ImportFrom):
        return bool(node.level) or (node.module or "").split(".")[0] not in _KNOWN_PACKAGES
    if isinstance(node, ast.Name):
        return node.id in _READS_THE_FILE or _is_dunder(node.id)
    if isinstance(node, ast.Attribute):
        of_a_kernel = node.attr in _DESCRIBES_THE_KERNEL and not imports.canonical(node).startswith("tilelang.")
        return of_a_kernel or node.attr in _LEADS_TO_THE_FILE or _is_dunder(node.attr)
    return False


def _is_dunder(name: str) -> bool:
    return name.startswith("__") and name not in _PLAIN_DUNDERS


# ---------------------------------------------------------------- factories


def _replaced_parts(factory: ast.FunctionDef) -> list[ast.AST]:
    return [factory.args, *factory.body]


def _only_makes_a_kernel(function: ast.FunctionDef, imports: Imports, builtins: Set[str]) -> bool:
    """Whether it is `def f(sizes): ...; @T.prim_func def k(...): ...; return k` and leaves nothing behind elsewhere.

    All of it, the kernel too, is Python that runs when the kernel is made.
    """
    kernels = [node for node in function.body if isinstance(node, ast.FunctionDef)]
    decorators = {imports.canonical(_undone(decorator)) for decorator in function.decorator_list}
    if len(kernels) != 1 or not decorators <= _FACTORY_DECORATORS:
        return False
    kernel, last = kernels[0], function.body[-1]
    if [imports.canonical(decorator) for decorator in kernel.decorator_list] != ["tilelang.language.prim_func"]:
        return False
    if not (isinstance(last, ast.Return) and isinstance(last.value, ast.Name) and last.value.id == kernel.name):
        return False
    if Counter(_bindings(function))[kernel.name] != 1:
        return False
    around = _walk(part for part in _replaced_parts(function) if part not in (kernel, last))
    buffers = _buffers(kernel, imports)
    return all(_is_harmless(node, imports, builtins, ()) for node in around) and all(
        _is_harmless(node, imports, builtins, buffers) for node in ast.walk(kernel)
    )


def _undone(decorator: ast.expr) -> ast.expr:
    return decorator.func if isinstance(decorator, ast.Call) else decorator


def _buffers(kernel: ast.FunctionDef, imports: Imports) -> set[str]:
    """The kernel's tensors and what it allocates: what it may store to. Other names might stand for anything."""
    made, others = {argument.arg for argument in kernel.args.args}, set[str]()
    for node in ast.walk(kernel):
        if isinstance(node, ast.Assign):
            names = {n.id for n in _walk(node.targets) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
            from_tilelang = isinstance(node.value, ast.Call) and _is_of_tilelang(node.value, imports)
            (made if from_tilelang else others).update(names)
    return made - others


def _is_harmless(node: ast.AST, imports: Imports, builtins: Set[str], buffers: Container[str]) -> bool:
    if isinstance(node, ast.Call):
        of_math = imports.canonical(node.func).startswith("math.")
        return of_math or _callee(node) in builtins or _is_of_tilelang(node, imports)
    if isinstance(node, ast.Subscript) and not isinstance(node.ctx, ast.Load):
        return isinstance(node.value, ast.Name) and node.value.id in buffers
    if isinstance(node, ast.Attribute):
        return isinstance(node.ctx, ast.Load)
    return not isinstance(node, _NEVER_HARMLESS)


def _is_of_tilelang(call: ast.Call, imports: Imports) -> bool:
    name = imports.canonical(call.func)
    return name.startswith("tilelang.language.") or name == "tilelang.cdiv"
