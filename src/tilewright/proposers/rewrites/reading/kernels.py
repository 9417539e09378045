"""Which TileLang kernels does a file hold, and what are they made of?"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tilewright.proposers.rewrites.reading.expressions import call_name, text
from tilewright.source.literals import Function, own_nodes
from tilewright.source.splice import Edit, splice

_ALLOCATIONS = {
    "alloc_shared": "shared",
    "alloc_fragment": "fragment",
    "alloc_local": "local",
    "alloc_var": "var",
}


@dataclass(frozen=True)
class Rewritten:
    """A changed source, the line of the original that was changed, and why that should be faster."""

    source: str
    line: int
    hypothesis: str


@dataclass(frozen=True)
class Tensor:
    """A tensor that a kernel is called with."""

    name: str
    shape: tuple[ast.expr, ...]
    dtype: ast.expr


@dataclass(frozen=True)
class Buffer:
    """On-chip memory. `scope` is "shared", "fragment", "local" or "var" (a scalar: no shape)."""

    name: str
    scope: str
    shape: tuple[ast.expr, ...]
    dtype: ast.expr
    node: ast.Assign


@dataclass(frozen=True)
class Kernel:
    """A function that makes one kernel: the factory, the prim_func in it and what its launch holds.

    `body` are the statements of the launch without allocations and thread bindings.
    """

    factory: Function
    prim_func: Function
    launch: ast.With
    language: str
    tensors: dict[str, Tensor]
    grid: tuple[ast.expr, ...]
    blocks: tuple[str, ...]
    threads: tuple[ast.expr, ...]
    thread_names: dict[str, int]
    buffers: dict[str, Buffer]
    body: tuple[ast.stmt, ...]

    @property
    def name(self) -> str:
        return self.factory.name

    @property
    def sizes(self) -> dict[str, ast.expr]:
        """What names of the factory's own body stand for: `block = per_thread * threads`."""
        found: dict[str, ast.expr] = {}
        twice: set[str] = set()
        for node in own_nodes(self.factory):
            if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
                key = node.targets[0].id
                twice |= {key} if key in found else set()
                found[key] = node.value
        return {key: value for key, value in found.items() if key not in twice}

    @property
    def outputs(self) -> list[str]:
        """The tensors that are written, in the order of the parameters."""
        return [tensor for tensor in self.tensors if tensor in self._written()]

    def _written(self) -> set[str]:
        found = set()
        for statement in self.body:
            for node in ast.walk(statement):
                targets: Sequence[ast.expr] = ()
                if isinstance(node, ast.Assign):
                    targets = node.targets
                elif isinstance(node, ast.AugAssign):
                    targets = [node.target]
                elif call_name(node) == "copy" and isinstance(node, ast.Call) and len(node.args) > 1:
                    targets = [node.args[1]]
                elif call_name(node).startswith("atomic") and isinstance(node, ast.Call) and node.args:
                    targets = [node.args[0]]
                found |= {base for target in targets if (base := base_name(target))}
        return found


def base_name(node: ast.expr) -> str:
    """`A` for `A` and `A[i, j]`."""
    if isinstance(node, ast.Subscript):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def indices(node: ast.Subscript) -> list[ast.expr]:
    return list(node.slice.elts) if isinstance(node.slice, ast.Tuple) else [node.slice]


def literal(node: ast.expr, kernel: Kernel) -> str | None:
    """The text of a literal, or of the literal default of the factory's parameter that a node names."""
    if isinstance(node, ast.Constant):
        return text(node)
    arguments, defaults = kernel.factory.args.args, kernel.factory.args.defaults
    by_name = dict(zip([argument.arg for argument in arguments[len(arguments) - len(defaults) :]], defaults))
    default = by_name.get(text(node))
    return text(default) if isinstance(default, ast.Constant) else None


def find_kernels(tree: ast.Module) -> Iterator[Kernel]:
    """The kernels written as a factory around one `@T.prim_func` with one launch; others are left alone."""
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    for factory in [*tree.body, *(method for node in classes for method in node.body)]:
        if not isinstance(factory, ast.FunctionDef):
            continue
        inner = [node for node in factory.body if isinstance(node, ast.FunctionDef)]
        if len(inner) == 1 and any(_ends_in(decorator, "prim_func") for decorator in inner[0].decorator_list):
            kernel = _kernel(factory, inner[0])
            if kernel is not None:
                yield kernel


def without_loss(source: str, edits: Sequence[Edit]) -> str | None:
    """The edited source, or None where the result is no Python (a rewrite must never hand that on)."""
    try:
        changed = splice(source, edits)
        ast.parse(changed)
    except (ValueError, SyntaxError):
        return None
    return changed if changed != source else None


def _kernel(factory: ast.FunctionDef, prim_func: ast.FunctionDef) -> Kernel | None:
    statements = [s for s in prim_func.body if not (isinstance(s, ast.Expr) and isinstance(s.value, ast.Constant))]
    launch = statements[-1] if statements else None
    if not isinstance(launch, ast.With) or len(launch.items) != 1:
        return None
    if not all(isinstance(s, ast.Assign) and isinstance(s.targets[0], ast.Name) for s in statements[:-1]):
        return None
    call = launch.items[0].context_expr
    if not isinstance(call, ast.Call) or call_name(call) != "Kernel" or not isinstance(call.func, ast.Attribute):
        return None
    language = ast.unparse(call.func.value)
    tensors = {arg.arg: tensor for arg in prim_func.args.args if (tensor := _tensor(arg))}
    if len(tensors) != len(prim_func.args.args):
        return None
    keywords = {keyword.arg: keyword.value for keyword in call.keywords}
    if set(keywords) - {"threads"}:
        return None
    threads = keywords.get("threads", ast.Constant(128))
    blocks = _block_names(launch.items[0].optional_vars, len(call.args))
    if blocks is None:
        return None
    buffers: dict[str, Buffer] = {}
    thread_names: dict[str, int] = {}
    body: list[ast.stmt] = []
    for statement in launch.body:
        buffer, binding = _buffer(statement), _thread_binding(statement)
        if buffer is not None:
            buffers[buffer.name] = buffer
        elif binding is not None:
            thread_names.update(binding)
        else:
            body.append(statement)
    buffers.update(_inner_scalars(body))
    return Kernel(
        factory=factory,
        prim_func=prim_func,
        launch=launch,
        language=language,
        tensors=tensors,
        grid=tuple(call.args),
        blocks=blocks,
        threads=tuple(threads.elts) if isinstance(threads, (ast.Tuple, ast.List)) else (threads,),
        thread_names=thread_names,
        buffers=buffers,
        body=tuple(body),
    )


def _ends_in(node: ast.expr, attribute: str) -> bool:
    node = node.func if isinstance(node, ast.Call) else node
    return (node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")) == attribute


def _tensor(argument: ast.arg) -> Tensor | None:
    call = argument.annotation
    if not isinstance(call, ast.Call) or call_name(call) not in ("Tensor", "Buffer") or len(call.args) != 2:
        return None
    shape = call.args[0]
    if not isinstance(shape, (ast.Tuple, ast.List)):
        return None
    return Tensor(argument.arg, tuple(shape.elts), call.args[1])


def _block_names(target: ast.expr | None, count: int) -> tuple[str, ...] | None:
    if isinstance(target, ast.Name):
        return (target.id,) if count == 1 else None
    elements = target.elts if isinstance(target, ast.Tuple) else []
    labels = tuple(element.id for element in elements if isinstance(element, ast.Name))
    return labels if len(labels) == len(elements) == count else None


def _buffer(statement: ast.stmt) -> Buffer | None:
    if not (isinstance(statement, ast.Assign) and len(statement.targets) == 1):
        return None
    target, call = statement.targets[0], statement.value
    scope = _ALLOCATIONS.get(call_name(call))
    if scope is None or not isinstance(target, ast.Name) or not isinstance(call, ast.Call) or call.keywords:
        return None
    if scope == "var":
        return Buffer(target.id, scope, (), call.args[0], statement) if len(call.args) == 1 else None
    if len(call.args) != 2:
        return None
    shape = call.args[0]
    edges = tuple(shape.elts) if isinstance(shape, (ast.Tuple, ast.List)) else (shape,)
    return Buffer(target.id, scope, edges, call.args[1], statement)


def _inner_scalars(body: list[ast.stmt]) -> dict[str, Buffer]:
    """Scalars that are declared where they are needed, or with a first value: `T.alloc_var(dtype, init=value)`."""
    found: dict[str, Buffer] = {}
    for node in (part for statement in body for part in ast.walk(statement)):
        if isinstance(node, ast.Assign) and call_name(node.value) == "alloc_var" and isinstance(node.value, ast.Call):
            target = node.targets[0]
            if isinstance(target, ast.Name) and node.value.args:
                found[target.id] = Buffer(target.id, "var", (), node.value.args[0], node)
    return found


def _thread_binding(statement: ast.stmt) -> dict[str, int] | None:
    if not (isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Call)):
        return None
    call, target = statement.value, statement.targets[0]
    if call_name(call) == "get_thread_binding" and isinstance(target, ast.Name):
        axis = call.args[0].value if call.args and isinstance(call.args[0], ast.Constant) else 0
        return {target.id: axis} if isinstance(axis, int) else None
    if call_name(call) == "get_thread_bindings" and isinstance(target, ast.Tuple):
        return {part.id: i for i, part in enumerate(target.elts) if isinstance(part, ast.Name)}
    return None
