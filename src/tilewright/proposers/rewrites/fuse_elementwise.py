"""An elementwise kernel is folded into the kernel before it, or into the one behind it.

What: where forward runs a kernel that changes each element of another kernel's result by itself, the change is made
on the result before it is stored; where an elementwise kernel only prepares another kernel's input, that kernel
makes the change when it reads. As many kernels as possible go at once.
Why faster: each folded kernel saves a launch and a round trip of the tensor through memory.
When: the kernels are kept as one tuple and called in plain statements, and the result in between is used only once.
Safe because: the elementwise kernel writes at the place it reads and nothing else; in between the value isn't
rounded any more, or as it was.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tilewright.proposers.rewrites.reading.calls import (
    Launched,
    arguments_of,
    built_kernels,
    feeds,
    launches,
    without_kernel,
)
from tilewright.proposers.rewrites.reading.expressions import (
    call_name,
    name,
    names,
    parse,
    replaced,
    substituted,
    text,
    uncast,
)
from tilewright.proposers.rewrites.reading.forward import Network, find_networks
from tilewright.proposers.rewrites.reading.kernels import (
    Kernel,
    Rewritten,
    find_kernels,
    indices,
    literal,
    without_loss,
)
from tilewright.proposers.rewrites.reading.points import Let, Store
from tilewright.proposers.rewrites.reading.threads import points_of_threads
from tilewright.proposers.rewrites.writing.factories import with_parameters, without_factory
from tilewright.source.splice import Edit, Positions

ANSWERS = ("unfused-kernels", "unfused-epilogue", "launch-bound", "extra-passes")
_VALUE = "_element"


def rewrite(source: str) -> Iterator[Rewritten]:
    fused: list[str] = []
    line = 0
    changed = source
    while (found := _fused_once(changed)) is not None:
        changed = found[0]
        fused.append(found[1])
        line = line or found[2]
    if fused:
        yield Rewritten(
            changed,
            line,
            f"forward runs {', '.join(fused)} as kernels of their own; folded into their neighbours they cost no "
            "launch and no pass over memory.",
        )


@dataclass(frozen=True)
class _Change:
    """An elementwise kernel as a function of `_element`; `dtype` is what it writes, `reads` what it takes."""

    kernel: Kernel
    value: ast.expr
    reads: ast.expr
    dtype: ast.expr


def _fused_once(source: str) -> tuple[str, str, int] | None:
    """The source with one kernel fewer, its name and line."""
    tree = ast.parse(source)
    kernels = {kernel.name: kernel for kernel in find_kernels(tree)}
    constants = {text(t) for s in tree.body if isinstance(s, ast.Assign) for t in s.targets}
    for network in find_networks(tree):
        built = built_kernels(network)
        called = list(launches(network, built))
        for first in called:
            for second in called:
                if first is second or len(second.call.args) == 0 or second.call.keywords:
                    continue
                for fold in (_into_writer, _into_reader):
                    changed = fold(source, network, kernels, constants, first, second, called)
                    if changed is not None:
                        return changed
    return None


def _into_writer(
    source: str,
    network: Network,
    kernels: dict[str, Kernel],
    constants: set[str],
    first: Launched,
    second: Launched,
    called: Sequence[Launched],
) -> tuple[str, str, int] | None:
    """The second kernel made part of the first."""
    change = _change(kernels.get(second.built.factory), constants)
    writer = kernels.get(first.built.factory)
    if change is None or writer is None or len(writer.outputs) != 1 or len(second.call.args) != 1:
        return None
    if not feeds(network, first, second, 0) or not _only_use(first, called) or not _only_use(second, called):
        return None
    bound = _bound(change, second, writer, first)
    dtype = literal(change.dtype, change.kernel)
    if bound is None or dtype is None:
        return None
    value, parameters = bound
    stored = _stored(source, writer, value, dtype)
    if stored is None:
        return None
    return _finished(source, change, first, second, writer, parameters, stored, second)


def _into_reader(
    source: str,
    network: Network,
    kernels: dict[str, Kernel],
    constants: set[str],
    first: Launched,
    second: Launched,
    called: Sequence[Launched],
) -> tuple[str, str, int] | None:
    """The first kernel made part of the second."""
    change = _change(kernels.get(first.built.factory), constants)
    reader = kernels.get(second.built.factory)
    if change is None or reader is None or len(first.call.args) != 1:
        return None
    if not _only_use(first, called) or not _only_use(second, called):
        return None
    position = next((p for p in range(len(second.call.args)) if feeds(network, first, second, p)), None)
    bound = _bound(change, first, reader, second)
    dtype = literal(change.reads, change.kernel)
    inputs = [tensor for tensor in reader.tensors if tensor not in reader.outputs]
    if position is None or bound is None or dtype is None or position >= len(inputs):
        return None
    value, parameters = bound
    loaded = _loaded(source, reader, inputs[position], value, dtype)
    if loaded is None:
        return None
    return _finished(source, change, first, second, reader, parameters, loaded, first)


def _finished(
    source: str,
    change: _Change,
    first: Launched,
    second: Launched,
    kept: Kernel,
    parameters: dict[str, str],
    edits: list[Edit],
    gone: Launched,
) -> tuple[str, str, int] | None:
    positions = Positions(source)
    stays = first if gone is second else second
    edits = [*edits, *without_kernel(source, gone.built, gone, 0)]
    if parameters:
        construction = stays.built.construction
        end = positions.span(construction)[1] - 1
        added = "".join(f", {label}={value}" for label, value in parameters.items())
        edits.append(Edit(end, end, added))
    edits += without_factory(source, change.kernel)
    changed = without_loss(source, edits)
    if changed is not None and parameters:
        function = kept.factory
        own = [*function.args.posonlyargs, *function.args.args]
        split = len(own) - len(function.args.defaults)
        required = [text(a) for a in own[:split]]
        optional = [f"{text(a)}={text(d)}" for a, d in zip(own[split:], function.args.defaults)]
        changed = with_parameters(changed, kept.name, [*required, *parameters, *optional])
    return (changed, change.kernel.name, gone.call.lineno) if changed is not None else None


def _change(kernel: Kernel | None, constants: set[str]) -> _Change | None:
    points = points_of_threads(kernel) if kernel else None
    if kernel is None or points is None or len(kernel.tensors) != 2 or len(kernel.outputs) != 1:
        return None
    *lets, last = points.steps
    if not isinstance(last, Store) or not all(isinstance(step, Let) for step in lets):
        return None
    known = {step.name: step.value for step in lets if isinstance(step, Let)}
    value = substituted(last.value, known)
    (source,) = [tensor for tensor in kernel.tensors if tensor not in kernel.outputs]
    here = text(ast.Subscript(name(source), last.target.slice, ast.Load()))
    value = replaced(value, lambda part: name(_VALUE) if text(part) == here else None)
    places = {axis.name for axis in points.axes}
    shapes = [[text(edge) for edge in tensor.shape] for tensor in kernel.tensors.values()]
    every = {text(index) for index in indices(last.target)} == places
    if names(value) & (places | {source}) or not every or shapes[0] != shapes[1]:
        return None
    own = {a.arg for a in kernel.factory.args.args} | constants | {kernel.language, _VALUE}
    if not names(value) <= own:
        return None
    return _Change(kernel, value, kernel.tensors[source].dtype, kernel.tensors[kernel.outputs[0]].dtype)


def _bound(change: _Change, gone: Launched, kept: Kernel, stays: Launched) -> tuple[ast.expr, dict[str, str]] | None:
    """The change in the words of the kernel that stays, and the parameters that it needs for it."""
    given = arguments_of(gone.built.construction, change.kernel.factory)  # type: ignore[arg-type]
    own = arguments_of(stays.built.construction, kept.factory)  # type: ignore[arg-type]
    required = len(kept.factory.args.args) - len(kept.factory.args.defaults)
    if given is None or own is None or len(stays.built.construction.args) > required or kept.factory.args.kwonlyargs:
        return None
    values: dict[str, ast.expr] = {}
    parameters: dict[str, str] = {}
    for label in names(change.value) & {a.arg for a in change.kernel.factory.args.args}:
        argument = given.get(label)
        fixed = literal(name(label), change.kernel) if argument is None else None
        if isinstance(argument, ast.Constant) or fixed is not None:
            values[label] = argument if isinstance(argument, ast.Constant) else parse(fixed or "None")
        elif argument is not None:
            new = label if label.startswith(change.kernel.name) else f"{change.kernel.name}_{label}"
            if new in names(kept.factory) | {a.arg for a in kept.factory.args.args}:
                return None
            values[label], parameters[new] = name(new), text(argument)
        else:
            return None
    if kept.language != change.kernel.language:
        return None
    return substituted(change.value, values), parameters


def _only_use(launched: Launched, called: Sequence[Launched]) -> bool:
    return sum(other.built is launched.built for other in called) == 1


def _stored(source: str, kernel: Kernel, value: ast.expr, dtype: str) -> list[Edit] | None:
    """The edits with which a kernel changes what it stores."""
    (output,) = kernel.outputs
    positions = Positions(source)
    retyped = _retyped(source, kernel, output, dtype)
    writes = [node for s in kernel.body for node in ast.walk(s) if _writes(node, output)]
    if len(writes) != 1:
        return None
    write = writes[0]
    if isinstance(write, ast.Assign):
        span = positions.span(write.value)
        return [*retyped, Edit(*span, text(substituted(value, {_VALUE: write.value})))]
    assert isinstance(write, ast.Call)
    staged = kernel.buffers.get(text(write.args[0]))
    copy: ast.AST = write
    if staged is not None and staged.scope == "shared":
        fills = [n for s in kernel.body for n in ast.walk(s) if _writes(n, staged.name)]
        if len(fills) != 1 or not isinstance(fills[0], ast.Call):
            return None
        assert isinstance(staged.node.value, ast.Call)
        retyped.append(Edit(*positions.span(staged.node.value.args[1]), dtype))
        copy, staged = fills[0], kernel.buffers.get(text(fills[0].args[0]))
    if staged is None or staged.scope != "fragment" or len(staged.shape) not in (1, 2):
        return None
    statement = next((s for s in kernel.body if isinstance(s, ast.Expr) and s.value is copy), None)
    if statement is None:
        return None
    taken = names(kernel.factory) - _loop_names(kernel)
    free = [label for label in ("i", "j", "i_", "j_", "row_", "column_") if label not in taken]
    labels = free[: len(staged.shape)]
    here = parse(f"{staged.name}[{', '.join(labels)}]")
    indent, newline = positions.indent(statement.lineno), positions.newline
    loop = f"for {', '.join(labels)} in {kernel.language}.Parallel({', '.join(map(text, staged.shape))}):"
    # The copy casts to the output's dtype.
    body = f"    {text(here)} = {text(uncast(substituted(value, {_VALUE: here})))}"
    place = positions.line_start(statement.lineno)
    return [*retyped, Edit(place, place, f"{indent}{loop}{newline}{indent}{body}{newline}")]


def _loop_names(kernel: Kernel) -> set[str]:
    return {
        n.id
        for s in kernel.body
        for loop in ast.walk(s)
        if isinstance(loop, ast.For) and call_name(loop.iter) == "Parallel"
        for n in ast.walk(loop.target)
        if isinstance(n, ast.Name)
    }


def _loaded(source: str, kernel: Kernel, tensor: str, value: ast.expr, dtype: str) -> list[Edit] | None:
    """The edits with which a kernel changes what it reads, where it reads element by element."""
    positions = Positions(source)
    edits = _retyped(source, kernel, tensor, dtype)
    reads = [n for s in kernel.body for n in ast.walk(s) if isinstance(n, ast.Subscript) and text(n.value) == tensor]
    copied = [n for s in kernel.body for n in ast.walk(s) if call_name(n) in ("copy", "gemm") and tensor in names(n)]
    bare = sum(n.id == tensor for s in kernel.body for n in ast.walk(s) if isinstance(n, ast.Name))
    if not reads or copied or bare != len(reads):
        return None
    for read in reads:
        edits.append(Edit(*positions.span(read), text(substituted(value, {_VALUE: read}))))
    return edits


def _retyped(source: str, kernel: Kernel, tensor: str, dtype: str) -> list[Edit]:
    node = kernel.tensors[tensor].dtype
    return [Edit(*Positions(source).span(node), dtype)] if text(node) != dtype else []


def _writes(node: ast.AST, label: str) -> bool:
    if isinstance(node, ast.Assign):
        target = node.targets[0]
        return isinstance(target, ast.Subscript) and text(target.value) == label
    if isinstance(node, ast.AugAssign):
        return isinstance(node.target, ast.Subscript) and text(node.target.value) == label
    if isinstance(node, ast.Call) and call_name(node) == "copy" and len(node.args) == 2:
        target = node.args[1]
        return text(target.value if isinstance(target, ast.Subscript) else target) == label
    return isinstance(node, ast.Call) and call_name(node).startswith("atomic") and label in names(node)
