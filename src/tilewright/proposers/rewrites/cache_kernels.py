"""A kernel that `forward` asks its factory for on every call is kept for the sizes it was made for.

What: `kernel = factory(batch, n)` in forward becomes a look-up in a dictionary of the module, filled on the first
call with these arguments.
Why faster: a factory's call costs the host the hashing of its arguments and of its source at best and a compilation
at worst, longer than a small kernel runs.
When: the call runs on every forward and stands in a plain statement.
Safe because: the key holds every argument, so that another size gets another kernel.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tilewright.proposers.rewrites.reading.expressions import call_name
from tilewright.proposers.rewrites.reading.forward import at_end_of_init, builders, every_call, find_networks
from tilewright.proposers.rewrites.reading.kernels import Rewritten, without_loss
from tilewright.source.splice import Edit, Positions

ANSWERS = ("kernel-built-in-forward", "launch-bound")


def rewrite(source: str) -> Iterator[Rewritten]:
    tree = ast.parse(source)
    factories = builders(tree)
    positions = Positions(source)
    for network in find_networks(tree):
        key = network.free_local("kernel_key")
        edits: list[Edit] = []
        kept: dict[str, str] = {}
        line = 0
        for statement in every_call(network.forward):
            for number, call in enumerate(_calls_of(statement, factories)):
                assert isinstance(call.func, ast.Name)
                factory = call.func.id
                attribute = kept.setdefault(factory, network.free_attribute(f"{factory}_kernels"))
                label = key if number == 0 else f"{key}_{number}"
                entry = f"self.{attribute}[{label}]"
                lines = _look_up(call, positions, label, entry, attribute)
                indent, place = positions.indent(statement.lineno), positions.line_start(statement.lineno)
                edits.append(Edit(place, place, "".join(f"{indent}{text}{positions.newline}" for text in lines)))
                edits.append(Edit(*positions.span(call), entry))
                line = line or call.lineno
        if edits:
            edits.append(at_end_of_init(network, positions, [f"self.{name} = {{}}" for name in kept.values()]))
            changed = without_loss(source, edits)
            if changed is not None:
                yield Rewritten(
                    changed,
                    line,
                    "forward asks the factory for its kernel on every call; kept by its arguments, the kernel costs "
                    "one look-up.",
                )


def _look_up(call: ast.Call, positions: Positions, key: str, entry: str, attribute: str) -> list[str]:
    """The lines that fill the entry of a dictionary on the first call with these arguments."""
    values = [positions.text(a) for a in [*call.args, *(k.value for k in call.keywords)]]
    comma = "," if len(values) == 1 else ""
    lines = [f"{key} = ({', '.join(values)}{comma})"]
    if len(lines[0]) > 90:
        lines = [f"{key} = (", *(f"    {value}," for value in values), ")"]
    plain = not call.keywords and not any(isinstance(argument, ast.Constant) for argument in call.args)
    made = f"*{key}" if plain else ", ".join(_arguments(call, positions))
    return [*lines, f"if {key} not in self.{attribute}:", f"    {entry} = {positions.text(call.func)}({made})"]


def _arguments(call: ast.Call, positions: Positions) -> list[str]:
    written = [positions.text(argument) for argument in call.args]
    return written + [f"{keyword.arg}={positions.text(keyword.value)}" for keyword in call.keywords]


def _calls_of(statement: ast.stmt, factories: set[str]) -> list[ast.Call]:
    """Calls of factories in a statement, unless something in it hides when or how they are made."""
    hidden = (ast.Lambda, ast.ListComp, ast.GeneratorExp, ast.DictComp, ast.SetComp, ast.IfExp, ast.BoolOp)
    if any(isinstance(node, (*hidden, ast.NamedExpr)) for node in ast.walk(statement)):
        return []
    found = [
        node
        for node in ast.walk(statement)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in factories
    ]
    named = all(keyword.arg is not None for call in found for keyword in call.keywords)
    apart = not any(inner is not outer and inner in ast.walk(outer) for outer in found for inner in found)
    first = all(not _holds_calls_of_tensors(call) for call in found)
    kept = isinstance(statement, ast.Assign) and any(not isinstance(t, ast.Name) for t in statement.targets)
    return found if named and apart and first and not kept else []


def _holds_calls_of_tensors(call: ast.Call) -> bool:
    """Whether computing the arguments twice would cost more than looking at sizes."""
    free = {"numel", "size", "dim", "stride", "int", "float", "len"}
    inner = [n for a in [*call.args, *(k.value for k in call.keywords)] for n in ast.walk(a)]
    return any(call_name(node) not in free for node in inner if isinstance(node, ast.Call))
