"""Long rows are split over many blocks, whose partial results the next kernel puts together.

What: a kernel with a block for each row becomes one kernel for each reduction along the row, and one for the rest.
Each runs `num_splits` blocks a row; a block writes the partial result of its share, and those that need the whole
begin by reducing the partial results.
Why faster: a few rows keep only a few multiprocessors busy; the split uses all of them, for the price of a launch
and a few kilobytes of partial results a reduction.
When: the outputs come last and are made by the jit decorator's `out_idx`; the loops run along contiguous rows.
Safe because: a point's program is recognised as a whole; only the order of summation changes, and no atomics are
used, so that the result is the same on every run.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tilewright.proposers.rewrites.reading.contiguity import neighbours
from tilewright.proposers.rewrites.reading.expressions import name, names, parse, text
from tilewright.proposers.rewrites.reading.kernels import Kernel, Rewritten, find_kernels, without_loss
from tilewright.proposers.rewrites.reading.points import (
    Axis,
    Loop,
    Points,
    Set,
    Step,
    Store,
    inside,
    is_neutral,
    reduction,
    stores_only,
    used_in,
)
from tilewright.proposers.rewrites.reading.rows import points_of
from tilewright.proposers.rewrites.writing.factories import wrapped
from tilewright.proposers.rewrites.writing.tiling import NotTiled, Shape, write_tiles
from tilewright.source.splice import Edit, Positions

ANSWERS = ("too-few-blocks", "tail-wave")
_KNOBS = {"block_M": 1, "block_N": 2048, "num_splits": 64, "threads": 256}


def rewrite(source: str) -> Iterator[Rewritten]:
    tree = ast.parse(source)
    taken = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    for kernel in find_kernels(tree):
        points = points_of(kernel)
        near = neighbours(points) if points else None
        if points is None or near is None or near[0] != "rows" or not _fits(kernel, taken):
            continue
        try:
            stages = _stages(kernel, points)
            written = _written(source, kernel, points, near[1], stages)
        except NotTiled:
            continue
        positions = Positions(source)
        first = kernel.factory.decorator_list[0]
        start = positions.line_start(first.lineno)
        end = positions.span(kernel.factory)[1]
        changed = without_loss(source, [Edit(start, end, positions.newline.join(written))])
        if changed is not None:
            yield Rewritten(
                changed,
                kernel.launch.lineno,
                f"{kernel.name} gives each row to one block; split over many blocks, with the partial results put "
                "together by the next kernel, a few long rows fill the GPU.",
            )


@dataclass(frozen=True)
class _Stage:
    """One kernel: its steps, and the tensor of partial results that it writes ("" for the last)."""

    steps: tuple[Step, ...]
    writes: str
    reads: tuple[str, ...]
    per_share: bool


def _fits(kernel: Kernel, taken: set[str]) -> bool:
    """Whether the outputs are the last parameters and `out_idx` counts them from the end."""
    if len(kernel.factory.decorator_list) != 1 or taken & {"num_splits", "share", f"{kernel.name}_part_1"}:
        return False
    decorator = kernel.factory.decorator_list[0]
    keywords = {k.arg: k.value for k in decorator.keywords} if isinstance(decorator, ast.Call) else {}
    if set(keywords) - {"out_idx", "pass_configs"} or "out_idx" not in keywords:
        return False
    wanted = [str(place) for place in range(-len(kernel.outputs), 0)]
    given = keywords["out_idx"]
    found = [text(e) for e in given.elts] if isinstance(given, (ast.List, ast.Tuple)) else [text(given)]
    last = list(kernel.tensors)[-len(kernel.outputs) :]
    returns = kernel.factory.body[-1]
    own = [a.arg for a in [*kernel.factory.args.args, *kernel.factory.args.kwonlyargs]]
    return (
        found == wanted
        and last == kernel.outputs
        and isinstance(returns, ast.Return)
        and not kernel.factory.args.kwonlyargs
        and not {"num_splits", "share"} & {*own, *kernel.tensors, *kernel.buffers}
    )


def _stages(kernel: Kernel, points: Points) -> list[_Stage]:
    axes = ", ".join(axis.name for axis in points.axes)
    if {"part", "share"} & set().union(*(used_in(step) for step in points.steps)):
        raise NotTiled
    stages: list[_Stage] = []
    ready: list[Step] = []
    parts: list[str] = []
    started: dict[str, Set] = {}
    maps = False
    for step in points.steps:
        if isinstance(step, Set):
            started[step.name] = step
            ready.append(step)
        elif isinstance(step, Loop) and (found := reduction(step)) is not None:
            _, gathered = found
            if maps or len(gathered) != 1 or len(step.axes) < 1:
                raise NotTiled
            label, operation = gathered[0].name, gathered[0].operation
            begin = started.pop(label, None)
            if begin is None or not is_neutral(begin.value, operation):
                raise NotTiled
            part = f"Part_{len(parts) + 1}"
            if part in kernel.tensors:
                raise NotTiled
            target = parse(f"{part}[{axes}, share]")
            assert isinstance(target, ast.Subscript)
            stages.append(_Stage((*_needed([*ready, step], step), Store(target, name(label))), part, (*parts,), True))
            ready.append(_gathering(kernel, label, operation, f"{part}[{axes}, part]"))
            parts.append(part)
        elif isinstance(step, Loop) and stores_only(step):
            maps = True
            ready.append(step)
        else:
            ready.append(step)
    single = any(isinstance(step, Store) for step in ready)
    if not parts or (maps and single) or not (maps or single):
        raise NotTiled
    return [*stages, _Stage(tuple(ready), "", (*parts,), maps)]


def _needed(steps: Sequence[Step], last: Step) -> list[Step]:
    """The steps that the last one depends on, itself included."""
    wanted = used_in(last)
    kept: list[Step] = []
    for step in reversed(steps):
        sets = {part.name for part in inside(step) if isinstance(part, Set)}
        if step is last or sets & wanted:
            kept.insert(0, step)
            wanted |= used_in(step)
    return kept


def _gathering(kernel: Kernel, label: str, operation: str, access: str) -> Loop:
    value = f"{label} + {access}" if operation == "sum" else f"{kernel.language}.{operation}({label}, {access})"
    return Loop((Axis("part", name("num_splits")),), (Set(label, parse(value)),))


def _written(source: str, kernel: Kernel, points: Points, tiled: Axis, stages: Sequence[_Stage]) -> list[str]:
    """The lines of the factories of all stages and of the one that calls them."""
    positions = Positions(source)
    function = kernel.factory
    own = [*function.args.posonlyargs, *function.args.args]
    defaults = function.args.defaults
    required = [a.arg for a in own[: len(own) - len(defaults)]]
    optional = {a.arg: text(d) for a, d in zip(own[len(required) :], defaults)}
    before = [s for s in function.body if s is not kernel.prim_func and not isinstance(s, ast.Return)]
    lines: list[str] = []
    used: set[str] = set()
    bodies: list[list[str]] = []
    for number, stage in enumerate(stages, 1):
        body = _prim_func(kernel, points, tiled, stage, number)
        bodies.append(body)
        used |= {node.id for node in ast.walk(ast.parse("\n".join(body))) if isinstance(node, ast.Name)}
    kept_before = _still_read(before, used)
    for statement in kept_before:
        used |= names(statement)
    knobs = {knob: str(value) for knob, value in _KNOBS.items()}
    kept = {label: value for label, value in optional.items() if label in used and label not in knobs}
    parameters = [*required, *kept, *knobs]
    decorator = positions.text(function.decorator_list[0])
    for number, (stage, body) in enumerate(zip(stages, bodies), 1):
        out_idx = f"@{decorator}" if not stage.writes else "@" + _one_output(function.decorator_list[0])
        lines += [out_idx, f"def {kernel.name}_part_{number}({', '.join(parameters)}):"]
        lines += [f"    {line}" for s in kept_before for line in text(s).splitlines()]
        lines += [f"    {line}" if line else "" for line in body]
        lines += ["", f"    return {kernel.name}_{number}_kernel", "", ""]
    signature = [*required, *(f"{label}={value}" for label, value in {**kept, **knobs}.items())]
    head = f"def {kernel.name}({', '.join(signature)}):"
    if len(head) > 110:
        lines += [f"def {kernel.name}(", *(f"    {parameter}," for parameter in signature), "):"]
    else:
        lines.append(head)
    inputs = [tensor for tensor in kernel.tensors if tensor not in kernel.outputs]
    for number in range(1, len(stages) + 1):
        call = f"    stage_{number} = {kernel.name}_part_{number}({', '.join(parameters)})"
        if len(call) > 110:
            inner = [f"        {parameter}," for parameter in parameters]
            lines += [f"    stage_{number} = {kernel.name}_part_{number}(", *inner, "    )"]
        else:
            lines.append(call)
    lines += ["", f"    def run({', '.join(inputs)}):"]
    for number, stage in enumerate(stages, 1):
        call = f"stage_{number}({', '.join([*_inputs(kernel, stage), *stage.reads])})"
        lines.append(f"        {stage.writes} = {call}" if stage.writes else f"        return {call}")
    return [*lines, "", "    return run"]


def _one_output(decorator: ast.expr) -> str:
    assert isinstance(decorator, ast.Call)
    keywords = [k if k.arg != "out_idx" else ast.keyword("out_idx", parse("[-1]")) for k in decorator.keywords]
    return text(ast.Call(decorator.func, decorator.args, keywords))


def _still_read(statements: Sequence[ast.stmt], used: set[str]) -> list[ast.stmt]:
    wanted = set(used)
    kept: list[ast.stmt] = []
    for statement in reversed(statements):
        targets = statement.targets if isinstance(statement, ast.Assign) else []
        if not targets or any(names(target) & wanted for target in targets):
            kept.insert(0, statement)
            wanted |= names(statement)
    return kept


def _inputs(kernel: Kernel, stage: _Stage) -> list[str]:
    """The tensors that a stage reads, in the kernel's order."""
    read = set().union(*(used_in(step) for step in stage.steps))
    return [tensor for tensor in kernel.tensors if tensor in read and tensor not in kernel.outputs]


def _prim_func(kernel: Kernel, points: Points, tiled: Axis, stage: _Stage, number: int) -> list[str]:
    T = kernel.language
    share = (Axis("share", name("num_splits")),) if stage.per_share else ()
    shape = Shape("block_M", "block_N", "threads", "", "num_splits" if share else "", "share")
    launch = write_tiles(kernel, Points((*points.axes, *share), stage.steps, points.scalars), "rows", tiled, shape)
    edges = ", ".join(text(axis.extent) for axis in points.axes)
    part_dtypes = _part_dtypes(points)
    written = [] if stage.writes else kernel.outputs
    tensors = [_tensor(kernel, tensor) for tensor in _inputs(kernel, stage)]
    partial = [*stage.reads, *([stage.writes] if stage.writes else [])]
    tensors += [f"{part}: {T}.Tensor(({edges}, num_splits), {part_dtypes[part]})" for part in partial]
    tensors += [_tensor(kernel, tensor) for tensor in written]
    return [
        f"@{T}.prim_func",
        f"def {kernel.name}_{number}_kernel(",
        *(f"    {tensor}," for tensor in tensors),
        "):",
        *(f"    {line}" if line else "" for line in wrapped(launch, 8)),
    ]


def _tensor(kernel: Kernel, label: str) -> str:
    tensor = kernel.tensors[label]
    shape = text(ast.Tuple(list(tensor.shape), ast.Load()))
    return f"{label}: {kernel.language}.Tensor({shape}, {text(tensor.dtype)})"


def _part_dtypes(points: Points) -> dict[str, str]:
    found: dict[str, str] = {}
    for step in points.steps:
        gathered = reduction(step) if isinstance(step, Loop) else None
        if gathered:
            found[f"Part_{len(found) + 1}"] = text(points.scalars[gathered[1][0].name])
    return found
