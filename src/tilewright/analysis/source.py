"""What does a candidate's source say of its kernels and its forward, without running it?

Reads the syntax tree only. It knows TileLang as it is usually written (`T.Kernel`, `T.Pipelined`, `T.gemm`, names
imported or aliased at will) and gives None or nothing where a value is computed at run time.
"""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator
from dataclasses import dataclass

_SERIAL = ("serial", "range", "grid", "unroll", "Serial", "Unroll")
_ATOMICS = ("atomic_add", "atomic_max", "atomic_min", "atomic_addx2", "atomic_addx4")
_Function = (ast.FunctionDef, ast.AsyncFunctionDef)


@dataclass(frozen=True)
class Loop:
    """A loop in a kernel. `kind` is "pipelined", "serial" or "parallel"; `stages` of a pipelined one, where they
    are a constant (0 when not given)."""

    kind: str
    line: int
    stages: int | None = None
    has_gemm: bool = False
    in_one_thread: bool = False
    """Inside an `if` that lets a single thread through."""


@dataclass(frozen=True)
class KernelSource:
    """A function that holds a `with T.Kernel(...)`. Lines are 1-based."""

    name: str
    line: int
    last_line: int
    launch_line: int
    """Where `T.Kernel(...)` is."""
    threads: int | None
    loops: tuple[Loop, ...]
    gemm_lines: tuple[int, ...]
    atomic_lines: tuple[int, ...]
    """Atomics on single elements."""
    matmul_tile: tuple[int, ...]
    """Shape of the accumulator of its first gemm, where it is constant; else empty."""
    copies_tiles: bool
    """Uses `T.copy`, `T.Parallel` or `T.vectorized`, which TileLang vectorises."""
    access_lines: tuple[int, ...]
    """Where single elements of global tensors are read or written, innermost loop first."""


@dataclass(frozen=True)
class CandidateSource:
    """`forward` is the entry point's; it is None where there is no such method or function."""

    tree: ast.Module
    kernels: tuple[KernelSource, ...]
    forward: ast.FunctionDef | ast.AsyncFunctionDef | None
    factories: frozenset[str]
    """Functions that build a kernel each time they are called and remember nothing."""
    fp64_lines: tuple[int, ...]
    """Where functions around kernels name float64, be it as a parameter's default."""

    def kernel(self, name: str, line: int | None = None) -> KernelSource | None:
        """The source of a kernel known by name, or by a line in it; the only one where there is just one."""
        for kernel in self.kernels:
            if line is not None and kernel.line <= line <= kernel.last_line:
                return kernel
        named = [kernel for kernel in self.kernels if kernel.name == name or f"{kernel.name}_kernel" == name]
        if len(named) == 1:
            return named[0]
        return self.kernels[0] if len(self.kernels) == 1 else None


@functools.lru_cache(maxsize=32)
def read_source(source: str, entry_point: str = "ModelNew") -> CandidateSource | None:
    """None where the text is no Python."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    constants = _constants(tree.body, {})
    kernels = tuple(_kernels(tree, constants))
    forward = _forward(tree, entry_point)
    return CandidateSource(tree, kernels, forward, frozenset(_factories(tree)), tuple(_fp64_lines(tree)))


def called_name(call: ast.Call) -> str:
    """`copy` for `T.copy(...)`, `conv2d` for `F.conv2d(...)`, "" for a call of anything else than a name."""
    if isinstance(call.func, ast.Attribute):
        return call.func.attr
    return call.func.id if isinstance(call.func, ast.Name) else ""


def dotted(node: ast.AST) -> str:
    """`torch.backends.cudnn` for that chain of attributes, "" for anything else."""
    parts = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        return ""
    return ".".join([node.id, *reversed(parts)])


def calls(node: ast.AST) -> Iterator[ast.Call]:
    return (n for n in ast.walk(node) if isinstance(n, ast.Call))


def unguarded(function: ast.AST) -> Iterator[ast.AST]:
    """The nodes of a function that run on every call: not those under an `if` or an `except`."""
    for child in ast.iter_child_nodes(function):
        if isinstance(child, ast.If):
            yield from ast.walk(child.test)
            continue
        if isinstance(child, (ast.ExceptHandler, ast.IfExp)):
            continue
        yield child
        yield from unguarded(child)


def _forward(tree: ast.Module, entry_point: str) -> ast.FunctionDef | ast.AsyncFunctionDef | None:
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and node.name == entry_point:
            return next((m for m in node.body if isinstance(m, _Function) and m.name == "forward"), None)
    return next((n for n in tree.body if isinstance(n, _Function) and n.name == entry_point), None)


def _factories(tree: ast.Module) -> Iterator[str]:
    """`@tilelang.jit` over a function that returns a prim_func, and functions that call `tilelang.compile`."""
    for node in ast.walk(tree):
        if not isinstance(node, _Function):
            continue
        decorators = [_decorator_name(d) for d in node.decorator_list]
        if any(name in ("lru_cache", "cache") for name in decorators):
            continue
        inner = [n for n in ast.walk(node) if isinstance(n, _Function) and n is not node]
        makes_prim_func = any("prim_func" in map(_decorator_name, n.decorator_list) for n in inner)
        compiles = any(dotted(call.func).endswith("tilelang.compile") for call in calls(node))
        own_name = node.name not in ("__init__", "forward", "__call__")
        if own_name and ((makes_prim_func and ("jit" in decorators or compiles)) or compiles):
            yield node.name


def _decorator_name(node: ast.expr) -> str:
    target = node.func if isinstance(node, ast.Call) else node
    return dotted(target).rsplit(".", 1)[-1]


def _kernels(tree: ast.AST, constants: dict[str, int]) -> Iterator[KernelSource]:
    for child in ast.iter_child_nodes(tree):
        if not isinstance(child, _Function):
            yield from _kernels(child, constants)
            continue
        known = _constants(child.body, {**constants, **_defaults(child)})
        launch = _launch(child)
        if launch is None:
            yield from _kernels(child, known)
        else:
            yield _kernel(child, launch, known)


def _launch(function: ast.AST) -> ast.Call | None:
    """The `T.Kernel(...)` that the function itself opens, not one of a function inside it."""
    for child in ast.iter_child_nodes(function):
        if isinstance(child, _Function):
            continue
        if isinstance(child, ast.With):
            for item in child.items:
                if isinstance(item.context_expr, ast.Call) and called_name(item.context_expr) == "Kernel":
                    return item.context_expr
        found = _launch(child)
        if found is not None:
            return found
    return None


def _kernel(
    function: ast.FunctionDef | ast.AsyncFunctionDef, launch: ast.Call, known: dict[str, int]
) -> KernelSource:
    threads = next((_value(k.value, known) for k in launch.keywords if k.arg == "threads"), 128)
    tensors = {a.arg for a in function.args.args}
    all_calls = list(calls(function))
    names = {called_name(call) for call in all_calls}
    gemms = [call for call in all_calls if called_name(call) in ("gemm", "wgmma_gemm", "tcgen05_gemm")]
    accesses: list[tuple[int, int]] = []
    _accesses(function, tensors, 0, accesses)
    return KernelSource(
        name=function.name,
        line=function.lineno,
        last_line=function.end_lineno or function.lineno,
        launch_line=launch.lineno,
        threads=threads,
        loops=tuple(_loops(function, known, False)),
        gemm_lines=tuple(call.lineno for call in gemms),
        atomic_lines=tuple(call.lineno for call in all_calls if _is_scalar_atomic(call)),
        matmul_tile=_accumulator_shape(function, gemms, known),
        copies_tiles=bool(names & {"copy", "Parallel", "vectorized", "async_copy", "tma_copy"}),
        access_lines=tuple(line for _, line in sorted(accesses, key=lambda access: -access[0])),
    )


def _loops(node: ast.AST, known: dict[str, int], in_one_thread: bool) -> Iterator[Loop]:
    for child in ast.iter_child_nodes(node):
        alone = in_one_thread or (isinstance(child, ast.If) and _lets_one_thread_through(child.test))
        if isinstance(child, ast.For) and isinstance(child.iter, ast.Call):
            name = called_name(child.iter)
            has_gemm = any("gemm" in called_name(call) for call in calls(child))
            if name == "Pipelined":
                stages = next((_value(k.value, known) for k in child.iter.keywords if k.arg == "num_stages"), 0)
                yield Loop("pipelined", child.lineno, stages, has_gemm, alone)
            elif name in _SERIAL:
                yield Loop("serial", child.lineno, None, has_gemm, alone)
            elif name == "Parallel":
                yield Loop("parallel", child.lineno, None, has_gemm, alone)
        yield from _loops(child, known, alone)


def _lets_one_thread_through(test: ast.expr) -> bool:
    """`tx == 0`, also as one side of an `and`."""
    if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.And):
        return any(map(_lets_one_thread_through, test.values))
    return (
        isinstance(test, ast.Compare)
        and len(test.ops) == 1
        and isinstance(test.ops[0], ast.Eq)
        and isinstance(test.left, ast.Name)
        and test.left.id.startswith(("t", "lane"))
        and isinstance(test.comparators[0], ast.Constant)
        and test.comparators[0].value == 0
    )


def _is_scalar_atomic(call: ast.Call) -> bool:
    """An atomic whose value is computed in place, so one element; a tile is passed by its name."""
    if called_name(call) not in _ATOMICS or len(call.args) < 2:
        return False
    return not isinstance(call.args[1], ast.Name)


def _accesses(node: ast.AST, tensors: set[str], depth: int, found: list[tuple[int, int]]) -> None:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Call) and called_name(child) in ("copy", "Tensor", "Buffer", "async_copy"):
            continue
        if isinstance(child, ast.Subscript) and isinstance(child.value, ast.Name) and child.value.id in tensors:
            found.append((depth, child.lineno))
        _accesses(child, tensors, depth + isinstance(child, ast.For), found)


def _accumulator_shape(function: ast.AST, gemms: list[ast.Call], known: dict[str, int]) -> tuple[int, ...]:
    if not gemms or len(gemms[0].args) < 3 or not isinstance(gemms[0].args[2], ast.Name):
        return ()
    accumulator = gemms[0].args[2].id
    for node in ast.walk(function):
        if not isinstance(node, ast.Assign) or not isinstance(node.value, ast.Call) or not node.value.args:
            continue
        named = any(isinstance(t, ast.Name) and t.id == accumulator for t in node.targets)
        shape = node.value.args[0]
        if named and isinstance(shape, (ast.Tuple, ast.List)):
            values = [_value(edge, known) for edge in shape.elts]
            return tuple(v for v in values if v is not None) if None not in values else ()
    return ()


def _fp64_lines(tree: ast.Module) -> Iterator[int]:
    for function in (n for n in tree.body if isinstance(n, _Function)):
        if any(called_name(call) == "Kernel" for call in calls(function)):
            yield from (n.lineno for n in ast.walk(function) if isinstance(n, ast.expr) and _names_fp64(n))


def _names_fp64(node: ast.AST) -> bool:
    if isinstance(node, ast.Constant):
        return node.value == "float64"
    return isinstance(node, ast.Attribute) and node.attr == "float64"


def _constants(body: list[ast.stmt], outer: dict[str, int]) -> dict[str, int]:
    """What is known inside a body: the outer names, and those that it sets to integers."""
    known = dict(outer)
    for node in body:
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            value = _value(node.value, known)
            if value is not None:
                known[node.targets[0].id] = value
    return known


def _defaults(function: ast.FunctionDef | ast.AsyncFunctionDef) -> dict[str, int]:
    arguments = function.args
    positional = [*arguments.posonlyargs, *arguments.args]
    pairs = list(zip(reversed(positional), reversed(arguments.defaults)))
    pairs += [(a, d) for a, d in zip(arguments.kwonlyargs, arguments.kw_defaults) if d is not None]
    values = {argument.arg: _value(default, {}) for argument, default in pairs}
    return {name: value for name, value in values.items() if value is not None}


def _value(node: ast.expr, known: dict[str, int]) -> int | None:
    """The integer that an expression of constants and known names has."""
    if isinstance(node, ast.Constant):
        return node.value if type(node.value) is int else None
    if isinstance(node, ast.Name):
        return known.get(node.id)
    if isinstance(node, ast.BinOp):
        left, right = _value(node.left, known), _value(node.right, known)
        if left is None or right is None:
            return None
        if isinstance(node.op, ast.Mult):
            return left * right
        if isinstance(node.op, ast.Add):
            return left + right
        if isinstance(node.op, ast.Sub):
            return left - right
        if isinstance(node.op, ast.FloorDiv) and right:
            return left // right
    return None
