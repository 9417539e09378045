"""A parameter that `forward` converts on every call is converted again only when it has changed.

What: `self.layer.weight.half().contiguous()` and the like in forward become a look-up of the converted tensor.
Why faster: each conversion is a kernel that reads and writes the whole parameter, and a launch, on every call.
When: a chain of dtype and layout methods on a parameter of the module, with a copy in it.
Safe because: what is kept is tied to the parameter's storage, version, dtype and device; loading or updating
parameters in place raises their version. (A write through `.data` doesn't, and would go unseen.)
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tilewright.proposers.rewrites.reading.forward import (
    Network,
    after_init,
    at_end_of_init,
    every_call,
    find_networks,
)
from tilewright.proposers.rewrites.reading.kernels import Rewritten, without_loss
from tilewright.source.splice import Edit, Positions

ANSWERS = ("weights-prepared-in-forward", "dtype-round-trips", "launch-bound")

_COPYING = {"half", "float", "bfloat16", "double", "to", "type", "contiguous", "clone"}
_VIEWING = {"t", "transpose", "permute", "view", "reshape", "squeeze", "unsqueeze", "flatten", "detach", "movedim"}


def rewrite(source: str) -> Iterator[Rewritten]:
    positions = Positions(source)
    for network in find_networks(ast.parse(source)):
        kept, method = network.free_attribute("conversions"), network.free_attribute("converted")
        parameters = _own_parameters(network)
        edits: list[Edit] = []
        names: dict[str, list[str]] = {}
        line = 0
        for statement in every_call(network.forward):
            for chain, parameter in _chains(statement, parameters):
                whole, base = positions.text(chain), positions.text(parameter)
                steps = whole[len(base) :]
                label = base.removeprefix("self.")
                taken = names.setdefault(label, [])
                taken += [] if steps in taken else [steps]
                label += f"/{taken.index(steps)}" if taken.index(steps) else ""
                written = f'self.{method}("{label}", {base}, lambda t: t{steps})'
                edits.append(Edit(*positions.span(chain), written))
                line = line or chain.lineno
        if not edits:
            continue
        edits.append(_with_method(network, positions, kept, method))
        changed = without_loss(source, edits)
        if changed is not None:
            yield Rewritten(
                changed,
                line,
                "forward converts parameters on every call; kept until a parameter changes, that is no launch and "
                "no traffic.",
            )


def _with_method(network: Network, positions: Positions, kept: str, method: str) -> Edit:
    attribute = at_end_of_init(network, positions, [f"self.{kept} = {{}}"])
    lines = [
        f"def {method}(self, name, parameter, convert):",
        '    """convert(parameter), computed again only when the parameter has changed."""',
        "    state = (parameter.data_ptr(), parameter._version, parameter.dtype, parameter.device)",
        f"    if name not in self.{kept} or self.{kept}[name][0] != state:",
        f"        self.{kept}[name] = (state, convert(parameter))",
        f"    return self.{kept}[name][1]",
    ]
    after = after_init(network, positions, lines)
    return Edit(attribute.start, attribute.end, attribute.text + after.text)


def _own_parameters(network: Network) -> set[str]:
    """Attributes that `__init__` makes parameters or buffers."""
    found = set()
    for node in ast.walk(network.init):
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
            made = ast.unparse(node.value.func).rsplit(".", 1)[-1]
            if made == "Parameter":
                found |= {t.attr for t in node.targets if isinstance(t, ast.Attribute)}
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "self.register_buffer" and node.args:
            first = node.args[0]
            found |= {first.value} if isinstance(first, ast.Constant) and isinstance(first.value, str) else set()
    return found


def _chains(statement: ast.stmt, parameters: set[str]) -> Iterator[tuple[ast.Call, ast.Attribute]]:
    """The longest chains of methods on parameters that copy something, with the parameter."""
    waiting: list[ast.AST] = [statement]
    while waiting:
        node = waiting.pop(0)
        found = _chain(node, parameters) if isinstance(node, ast.Call) else None
        if found is not None and isinstance(node, ast.Call):
            yield node, found
        elif not isinstance(node, (ast.Lambda, ast.ListComp, ast.GeneratorExp)):
            waiting += ast.iter_child_nodes(node)


def _chain(node: ast.Call, parameters: set[str]) -> ast.Attribute | None:
    copies = False
    inner: ast.expr = node
    while isinstance(inner, ast.Call):
        if not isinstance(inner.func, ast.Attribute) or inner.func.attr not in _COPYING | _VIEWING:
            return None
        if not all(_is_fixed(a) for a in [*inner.args, *(k.value for k in inner.keywords)]):
            return None
        copies |= inner.func.attr in _COPYING
        inner = inner.func.value
    if not copies or not isinstance(inner, ast.Attribute):
        return None
    root: ast.expr = inner
    while isinstance(root, ast.Attribute):
        root = root.value
    if not isinstance(root, ast.Name) or root.id != "self":
        return None
    direct = isinstance(inner.value, ast.Name)
    return inner if (inner.attr in parameters if direct else inner.attr in ("weight", "bias")) else None


def _is_fixed(node: ast.expr) -> bool:
    """An argument that is the same on every call: numbers, `torch.float16`, sizes that `__init__` set."""
    if isinstance(node, ast.UnaryOp):
        return _is_fixed(node.operand)
    if isinstance(node, ast.Attribute):
        return ast.unparse(node).startswith("torch.")
    return isinstance(node, ast.Constant)
