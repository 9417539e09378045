"""How does a factory take on a new launch: its statements, its knobs, and what nothing uses any more?"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence

from tilewright.proposers.rewrites.reading.expressions import names, text
from tilewright.proposers.rewrites.reading.kernels import Kernel, without_loss
from tilewright.source.literals import Module
from tilewright.source.splice import Edit, Positions

_WIDTH = 110


def with_launch(
    source: str, kernel: Kernel, lines: Sequence[str], knobs: Mapping[str, int], edits: Sequence[Edit] = ()
) -> str | None:
    """The source with the kernel's `with T.Kernel` statement replaced by `lines` and its knobs at these defaults.

    `lines` begin at the statement's own indentation. A knob that the factory lacks becomes its last parameter.
    Parameters and variables that only the old launch used are removed. None where the result is no Python.
    """
    positions = Positions(source)
    start, end = positions.span(kernel.launch)
    indent = positions.indent(kernel.launch.lineno)
    block = positions.newline.join(f"{indent}{line}" if line.strip() else "" for line in wrapped(lines, len(indent)))
    block = block[len(indent) :]
    idle = _unused(ast.parse(source), kernel.name)
    changed = without_loss(source, [Edit(start, end, block), *edits])
    return tidied(changed, kernel.name, knobs, idle) if changed else None


def tidied(source: str, factory: str, knobs: Mapping[str, int], idle: frozenset[str] | set[str]) -> str | None:
    """The source with the factory's knobs at these defaults and without what became unused; `idle` stays."""
    changed: str | None = _without_unused(source, factory, set(knobs) | idle)
    tree = ast.parse(changed or source)
    function = _function(tree, factory)
    parameters = [text(a) for a in _positional(function)]
    defaults = dict(_defaults(function))
    new = {**defaults, **{knob: str(value) for knob, value in knobs.items()}}
    gone = {p for p in _unused(tree, factory) - idle if p in defaults and p not in knobs}
    gone -= _passed(Module(tree), function, gone)
    labels = [p.partition(":")[0] for p in parameters]
    kept = [p for p, label in zip(parameters, labels) if label not in gone]
    kept += [knob for knob in knobs if knob not in labels]
    written = [f"{p}={new[label]}" if (label := p.partition(":")[0]) in new else p for p in kept]
    return with_parameters(changed or source, factory, written)


def with_parameters(source: str, factory: str, parameters: Sequence[str]) -> str | None:
    """The source with a factory's parameter list written anew."""
    function = _function(ast.parse(source), factory)
    positions = Positions(source)
    data = positions.data
    start = data.index(b"(", positions.at(function.lineno, function.col_offset)) + 1
    last = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs, *function.args.defaults]
    end = max((positions.span(node)[1] for node in last), default=start)  # type: ignore[arg-type]
    end = data.index(b")", end)
    indent = positions.indent(function.lineno)
    line = f"{indent}def {factory}({', '.join(parameters)}):"
    if len(line) <= _WIDTH:
        written = ", ".join(parameters)
    else:
        inner = f"{positions.newline}{indent}    "
        written = "".join(f"{inner}{parameter}," for parameter in parameters) + f"{positions.newline}{indent}"
    if data[start:end].decode() == written:
        return source
    return without_loss(source, [Edit(start, end, written)])


def wrapped(lines: Sequence[str], indent: int) -> Iterator[str]:
    """The lines with assignments that are too long broken behind the equals sign and at the outermost operators."""
    for line in lines:
        if indent + len(line) <= _WIDTH:
            yield line
            continue
        depth = len(line) - len(line.lstrip())
        statement = ast.parse(line.strip()).body[0] if not line.rstrip().endswith(":") else None
        if not isinstance(statement, (ast.Assign, ast.AugAssign)):
            yield line
            continue
        target = statement.targets[0] if isinstance(statement, ast.Assign) else statement.target
        operator = "=" if isinstance(statement, ast.Assign) else "+="
        inner = " " * (depth + 4)
        yield f"{' ' * depth}{text(target)} {operator} ("
        yield from (inner + piece for piece in _pieces(statement.value, _WIDTH - indent - len(inner)))
        yield " " * depth + ")"


def _pieces(value: ast.expr, width: int) -> list[str]:
    whole = text(value)
    if len(whole) > width and isinstance(value, ast.BinOp):
        operator = text(ast.BinOp(ast.Name("a"), value.op, ast.Name("b")))[2:-2]
        left, right = _pieces(value.left, width), text(value.right)
        rest = whole[len(text(value.left)) :].lstrip() if whole.startswith(text(value.left)) else ""
        if rest == f"{operator} {right}" or rest == f"{operator} ({right})":
            return [*left, rest]
    return [whole]


def without_factory(source: str, kernel: Kernel, uses: int = 1) -> list[Edit]:
    """The edit that removes a factory of which this many uses go too; none where there are others."""
    if uses != sum(isinstance(n, ast.Name) and n.id == kernel.name for n in ast.walk(ast.parse(source))):
        return []
    positions = Positions(source)
    start = positions.line_start(kernel.factory.decorator_list[0].lineno)
    following = positions.line_end(kernel.factory.end_lineno or 0)
    while positions.data[following : following + 1] in (b"\n", b"\r"):
        following += 1
    return [Edit(start, following, "")]


def free_knobs(kernel: Kernel, knobs: Mapping[str, int]) -> dict[str, str]:
    """Names for knobs that mean nothing else in the factory: their own, unless what stays uses it."""
    dead: list[ast.stmt] = [kernel.launch]
    while True:
        gone = {id(node) for statement in dead for node in ast.walk(statement)}
        used = {n.id for n in ast.walk(kernel.factory) if isinstance(n, ast.Name) and id(n) not in gone}
        read = {
            n.id
            for n in ast.walk(kernel.factory)
            if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load) and id(n) not in gone
        }
        idle = [s for s in kernel.factory.body if id(s) not in gone and _assigns_only(s, used - read)]
        if not idle:
            break
        dead += idle
    required = {a.arg for a in _positional(kernel.factory)} - dict(_defaults(kernel.factory)).keys()
    taken = used | required | set(kernel.sizes)
    found = {}
    for knob in knobs:
        choices = [knob, *(f"{knob}_{number}" for number in range(2, 99))]
        found[knob] = next(choice for choice in choices if choice not in taken)
    return found


def _assigns_only(statement: ast.stmt, idle: set[str]) -> bool:
    return (
        isinstance(statement, ast.Assign)
        and isinstance(statement.targets[0], ast.Name)
        and statement.targets[0].id in idle
    )


def required_parameters(kernel: Kernel) -> list[str]:
    """The factory's parameters without a default, in order."""
    defaults = dict(_defaults(kernel.factory))
    return [a.arg for a in _positional(kernel.factory) if a.arg not in defaults]


def _without_unused(source: str, factory: str, kept: set[str]) -> str:
    """The source without assignments in the factory's own body that nothing reads."""
    while True:
        tree = ast.parse(source)
        function = _function(tree, factory)
        unused = _unused(tree, factory) - kept
        for statement in function.body:
            target = statement.targets[0] if isinstance(statement, ast.Assign) else None
            if isinstance(target, ast.Name) and target.id in unused and isinstance(statement, ast.Assign):
                positions = Positions(source)
                start = positions.line_start(statement.lineno)
                end = positions.line_end(statement.end_lineno or statement.lineno)
                shorter = without_loss(source, [Edit(start, end, "")])
                if shorter is not None:
                    source = shorter
                    break
        else:
            return source


def _unused(tree: ast.Module, factory: str) -> set[str]:
    """Parameters and variables of a factory that nothing in it reads."""
    function = _function(tree, factory)
    read = {n.id for n in ast.walk(function) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}
    own = {a.arg for a in _positional(function)}
    for statement in function.body:
        if isinstance(statement, ast.Assign):
            own |= set().union(*(names(target) for target in statement.targets))
    return own - read


def _passed(module: Module, function: ast.FunctionDef, parameters: set[str]) -> set[str]:
    """Those of the parameters that some use of the factory may set."""
    order = [a.arg for a in _positional(function) if a.arg != "self"]
    found: set[str] = set()
    called = [id(call.func) for call in module.calls_of(function)]
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Name) and node.id == function.name and id(node) not in called:
            return parameters
    for call in module.calls_of(function):
        if any(keyword.arg is None for keyword in call.keywords):
            return parameters
        found |= {keyword.arg for keyword in call.keywords if keyword.arg}
        if not any(isinstance(argument, ast.Starred) for argument in call.args):
            found |= set(order[: len(call.args)])
    return found & parameters


def _function(tree: ast.Module, name: str) -> ast.FunctionDef:
    return next(n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef) and n.name == name)


def _positional(function: ast.FunctionDef | ast.AsyncFunctionDef) -> list[ast.arg]:
    return [*function.args.posonlyargs, *function.args.args]


def _defaults(function: ast.FunctionDef | ast.AsyncFunctionDef) -> list[tuple[str, str]]:
    positional = _positional(function)
    pairs = zip(positional[len(positional) - len(function.args.defaults) :], function.args.defaults)
    return [(argument.arg, text(default)) for argument, default in pairs]
