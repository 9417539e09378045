"""What does a candidate's source say of its kernels and its forward, without running it?

Reads the syntax tree only. It knows TileLang as it is usually written (`T.Kernel`, `T.Pipelined`, `T.gemm`, names
imported or aliased at will) and gives None or nothing where a value is computed at run time.
"""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator
from dataclasses import dataclass

from tilewright.analysis.constants import default_integers, integer, text, texts, with_constants

_SERIAL = ("serial", "range", "grid", "unroll", "Serial", "Unroll")
_REDUCTIONS = ("reduce", "reduce_sum", "reduce_max", "reduce_min", "reduce_abssum", "reduce_absmax", "cumsum", "gemm")
_ATOMICS = ("atomic_add", "atomic_max", "atomic_min", "atomic_addx2", "atomic_addx4")
_Function = (ast.FunctionDef, ast.AsyncFunctionDef)
BANKS = 32
"""Shared memory has 32 banks of 4 bytes (CUDA C++ Programming Guide, shared memory)."""


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
class Conflict:
    """Neighbouring threads index neighbouring rows of a shared buffer whose rows are a multiple of all banks long.
    `times` is how often the loops around it run, where that is constant."""

    line: int
    buffer: str
    times: int | None


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
    operand_dtypes: tuple[str, ...]
    """Of the tiles that its first gemm multiplies; "" where it can't be told."""
    copies_tiles: bool
    """Uses `T.copy`, `T.Parallel` or `T.vectorized`, which TileLang vectorises."""
    access_lines: tuple[int, ...]
    """Where single elements of global tensors are read or written, innermost loop first."""
    reduces: bool
    """Combines several elements' values: a reduction, a product, an atomic, or a sum that a loop carries on."""
    reductions_in_loops: tuple[int, ...]
    """Block-wide reductions in serial loops that hold no gemm."""
    conflicts: tuple[Conflict, ...]


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
    known = with_constants(tree.body, {})
    kernels = tuple(_kernels(tree, known, texts(tree)))
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


def _kernels(tree: ast.AST, constants: dict[str, int], dtypes: dict[str, str]) -> Iterator[KernelSource]:
    for child in ast.iter_child_nodes(tree):
        if not isinstance(child, _Function):
            yield from _kernels(child, constants, dtypes)
            continue
        known = with_constants(child.body, {**constants, **default_integers(child)})
        launch = _launch(child)
        if launch is None:
            yield from _kernels(child, known, dtypes)
        else:
            yield _kernel(child, launch, known, dtypes)


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
    function: ast.FunctionDef | ast.AsyncFunctionDef, launch: ast.Call, known: dict[str, int], dtypes: dict[str, str]
) -> KernelSource:
    threads = next((integer(k.value, known) for k in launch.keywords if k.arg == "threads"), 128)
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
        operand_dtypes=tuple(_operand_dtypes(function, gemms[0], dtypes)) if gemms else (),
        copies_tiles=bool(names & {"copy", "Parallel", "vectorized", "async_copy", "tma_copy"}),
        access_lines=tuple(line for _, line in sorted(accesses, key=lambda access: -access[0])),
        reduces=_reduces(function),
        reductions_in_loops=tuple(sorted(_reductions_in_loops(function))),
        conflicts=tuple(_conflicts(function, known)),
    )


def _reduces(function: ast.AST) -> bool:
    combining = {*_REDUCTIONS, *_ATOMICS}
    if any(called_name(call) in combining for call in calls(function)):
        return True
    serial = (node for node in ast.walk(function) if isinstance(node, ast.For) and _loop_name(node) != "Parallel")
    return any(map(_carries_on, serial))


def _carries_on(loop: ast.For) -> bool:
    """`total[0] += x`, or the same written out, in an element that the loop's own variable doesn't choose."""
    variables = {node.id for node in ast.walk(loop.target) if isinstance(node, ast.Name)}
    for node in ast.walk(loop):
        if isinstance(node, ast.AugAssign):
            target: ast.expr = node.target
            rereads = True
        elif isinstance(node, ast.Assign) and len(node.targets) == 1:
            target = node.targets[0]
            rereads = ast.unparse(target) in ast.unparse(node.value)
        else:
            continue
        chosen = {name.id for name in ast.walk(target) if isinstance(name, ast.Name)} & variables
        if rereads and isinstance(target, ast.Subscript) and not chosen:
            return True
    return False


def _reductions_in_loops(function: ast.AST) -> Iterator[int]:
    for loop in ast.walk(function):
        if not isinstance(loop, ast.For) or _loop_name(loop) not in (*_SERIAL, "Pipelined"):
            continue
        inside = list(calls(loop))
        if not any("gemm" in called_name(call) for call in inside):
            yield from {call.lineno for call in inside if called_name(call).startswith("reduce")}


def _loop_name(loop: ast.For) -> str:
    return called_name(loop.iter) if isinstance(loop.iter, ast.Call) else ""


def _conflicts(function: ast.AST, known: dict[str, int]) -> Iterator[Conflict]:
    threads = _assigned_from(function, ("get_thread_binding", "get_thread_bindings"))
    rows = {name: shape for name, shape in _shared_buffers(function, known).items() if len(shape) > 1}
    yield from _conflicts_below(function, rows, set(threads), 1, known)


def _conflicts_below(
    node: ast.AST,
    rows: dict[str, tuple[int | None, ...]],
    threads: set[str],
    times: int | None,
    known: dict[str, int],
) -> Iterator[Conflict]:
    for child in ast.iter_child_nodes(node):
        repeated = times
        if isinstance(child, ast.For) and isinstance(child.iter, ast.Call) and _loop_name(child) != "Parallel":
            counts = [integer(argument, known) for argument in child.iter.args]
            repeated = times * counts[0] if times is not None and len(counts) == 1 and counts[0] is not None else None
        if isinstance(child, ast.Subscript) and isinstance(child.value, ast.Name) and child.value.id in rows:
            index = child.slice.elts if isinstance(child.slice, ast.Tuple) else [child.slice]
            along = [{n.id for n in ast.walk(part) if isinstance(n, ast.Name)} & threads for part in index]
            length = rows[child.value.id][-1]
            if len(index) > 1 and any(along[:-1]) and not along[-1] and length is not None and length % BANKS == 0:
                yield Conflict(child.lineno, child.value.id, repeated)
        yield from _conflicts_below(child, rows, threads, repeated, known)


def _shared_buffers(function: ast.AST, known: dict[str, int]) -> dict[str, tuple[int | None, ...]]:
    """Shapes of the buffers of `T.alloc_shared`; None for an edge that is not constant."""
    found: dict[str, tuple[int | None, ...]] = {}
    for name, call in _assigned_from(function, ("alloc_shared",)).items():
        if call.args and isinstance(call.args[0], (ast.Tuple, ast.List)):
            found[name] = tuple(integer(edge, known) for edge in call.args[0].elts)
    return found


def _assigned_from(function: ast.AST, names: tuple[str, ...]) -> dict[str, ast.Call]:
    """What is assigned from a call of one of these names, be it as one of several targets."""
    found: dict[str, ast.Call] = {}
    for node in ast.walk(function):
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call) and called_name(node.value) in names:
            for target in node.targets:
                found.update({n.id: node.value for n in ast.walk(target) if isinstance(n, ast.Name)})
    return found


def _loops(node: ast.AST, known: dict[str, int], in_one_thread: bool) -> Iterator[Loop]:
    for child in ast.iter_child_nodes(node):
        alone = in_one_thread or (isinstance(child, ast.If) and _lets_one_thread_through(child.test))
        if isinstance(child, ast.For) and isinstance(child.iter, ast.Call):
            name = called_name(child.iter)
            has_gemm = any("gemm" in called_name(call) for call in calls(child))
            if name == "Pipelined":
                stages = next((integer(k.value, known) for k in child.iter.keywords if k.arg == "num_stages"), 0)
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
            values = [integer(edge, known) for edge in shape.elts]
            return tuple(v for v in values if v is not None) if None not in values else ()
    return ()


def _operand_dtypes(function: ast.AST, gemm: ast.Call, dtypes: dict[str, str]) -> Iterator[str]:
    buffers = _assigned_from(function, ("alloc_shared", "alloc_fragment"))
    for operand in gemm.args[:2]:
        made = buffers.get(operand.id) if isinstance(operand, ast.Name) else None
        given = [*made.args[1:2], *(k.value for k in made.keywords if k.arg == "dtype")] if made else []
        yield text(given[0], dtypes) if given else ""


def _fp64_lines(tree: ast.Module) -> Iterator[int]:
    for function in (n for n in tree.body if isinstance(n, _Function)):
        if any(called_name(call) == "Kernel" for call in calls(function)):
            yield from (n.lineno for n in ast.walk(function) if isinstance(n, ast.expr) and _names_fp64(n))


def _names_fp64(node: ast.AST) -> bool:
    if isinstance(node, ast.Constant):
        return node.value == "float64"
    return isinstance(node, ast.Attribute) and node.attr == "float64"
