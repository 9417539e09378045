"""Which operations does a PyTorch reference compute, in order, and of which families are they?

Read from the syntax alone, so a shape that decides (a product that is a matrix times a vector) is not seen.
"""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass

from tilewright.source.imported import Imports


@dataclass(frozen=True)
class Operation:
    """`name` as PyTorch spells it, in lower case and without underscores: `nn.LogSoftmax`, `F.log_softmax` and
    `x.log_softmax()` are all `logsoftmax`."""

    name: str
    family: str


FAMILIES = {
    "matmul": "matmul mm bmm linear addmm baddbmm addbmm mv dot einsum tensordot bilinear",
    "conv": "conv",
    "transposed conv": "convtranspose",
    "attention": "scaleddotproductattention multiheadattention transformerencoderlayer",
    "recurrent": "rnn lstm gru rnncell lstmcell grucell",
    "pooling": "maxpool avgpool adaptivemaxpool adaptiveavgpool lppool fractionalmaxpool",
    "normalisation": "batchnorm layernorm groupnorm instancenorm rmsnorm localresponsenorm normalize",
    "softmax": "softmax logsoftmax softmin logsumexp",
    "reduction": "sum mean max min amax amin prod argmax argmin norm vectornorm matrixnorm std var median",
    "scan": "cumsum cumprod cummax cummin logcumsumexp",
    "loss": "mseloss l1loss smoothl1loss huberloss crossentropy crossentropyloss nllloss bcewithlogitsloss bceloss "
    "binarycrossentropy binarycrossentropywithlogits kldiv kldivloss cosinesimilarity cosineembeddingloss "
    "tripletmarginloss marginrankingloss hingeembeddingloss multimarginloss poissonnllloss",
    "indexing": "embedding gather scatter scatteradd indexselect indexadd take topk sort",
    "elementwise": "add sub mul div neg abs pow square sqrt rsqrt exp exp2 log sin cos tanh sigmoid relu relu6 silu "
    "gelu elu selu celu prelu leakyrelu hardtanh hardsigmoid hardswish softplus softsign mish clamp clip threshold "
    "maximum minimum where maskedfill reciprocal lerp addcmul addcdiv erf floor ceil round logsigmoid sign "
    "dropout triu tril diag flip",
}
DEPTHWISE = "depthwise conv"
MADE_OF_PRODUCTS = frozenset({"attention", "recurrent"})
HEAVY = frozenset({"matmul", "conv", "transposed conv", DEPTHWISE}) | MADE_OF_PRODUCTS
LIGHT = frozenset({"elementwise", "indexing"})

_FAMILY_OF = {name: family for family, names in FAMILIES.items() for name in names.split()}
_OPERATORS: dict[type[ast.operator], str] = {
    ast.Add: "add",
    ast.Sub: "sub",
    ast.Mult: "mul",
    ast.Div: "div",
    ast.Pow: "pow",
    ast.MatMult: "matmul",
}


def operations(source: str, entry_point: str = "Model") -> tuple[Operation, ...]:
    """The operations of one forward, inner ones first; empty for a source that can't be read.

    Layers count where they are called. What several operations make together follows them as one operation more:
    a value divided by its own reduction is a normalisation, two tensors reduced to a number a loss, products around
    a softmax attention.
    """
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return ()
    reader = _Reader(tree)
    body, arguments = reader.entry(entry_point)
    found = [each for node in body for each in reader.evaluated(node)]
    return (*found, *_composed(found, arguments))


def main_family(source: str, entry_point: str = "Model") -> str:
    """The family that a reference is known by: its heaviest operation's, else that of what all its steps make."""
    families = [each.family for each in operations(source, entry_point)]
    ranked = (
        [family for family in families if family in MADE_OF_PRODUCTS],
        [family for family in families if family in HEAVY],
        [family for family in reversed(families) if family not in LIGHT],
        families,
    )
    return next((found[0] for found in ranked if found), "other")


def name_of(spelled: str) -> str:
    return spelled.replace("_", "").lower()


class _Reader:
    """The classes and functions of one file."""

    def __init__(self, tree: ast.Module) -> None:
        self._imports = Imports(tree)
        self._defined = {n.name: n for n in tree.body if isinstance(n, (ast.ClassDef, ast.FunctionDef))}
        self._layers: dict[str, ast.expr] = {}
        """What `self.NAME` was set to, over all classes of the file."""
        for node in ast.walk(tree):
            if isinstance(node, ast.Assign):
                for target in node.targets:
                    if isinstance(target, ast.Attribute):
                        self._layers[target.attr] = node.value
        self._locals = {
            target.id: node.value
            for node in ast.walk(tree)
            if isinstance(node, (ast.Assign, ast.AugAssign))
            for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
            if isinstance(target, ast.Name)
        }
        self._within: set[str] = set()
        """Names that are being followed, so that none is followed into itself."""

    def entry(self, name: str) -> tuple[list[ast.stmt], int]:
        """The statements of one forward and the number of its arguments."""
        node = self._defined.get(name)
        function = _forward(node) if isinstance(node, ast.ClassDef) else node
        if function is None:
            return [], 0
        arguments = [a.arg for a in function.args.args if a.arg != "self"]
        return function.body, len(arguments)

    def evaluated(self, node: ast.AST) -> Iterator[Operation]:
        for child in ast.iter_child_nodes(node):
            yield from self.evaluated(child)
        if isinstance(node, (ast.BinOp, ast.AugAssign)) and type(node.op) in _OPERATORS and _on_values(node):
            name = _OPERATORS[type(node.op)]
            yield Operation(name, _FAMILY_OF[name])
        elif isinstance(node, ast.Call):
            yield from self._called(node)

    def _called(self, node: ast.Call) -> Iterator[Operation]:
        function = node.func
        dotted = self._imports.canonical(function)
        last = dotted.rpartition(".")[2]
        if dotted.startswith("torch."):
            yield from _torch(last, node)
        elif isinstance(function, ast.Name):
            yield from self._followed(function.id)
        elif isinstance(function, ast.Attribute):
            if isinstance(function.value, ast.Name) and function.value.id == "self":
                yield from self._followed(function.attr)
            elif not dotted:
                yield from _torch(function.attr, node)

    def _followed(self, name: str) -> Iterator[Operation]:
        """A layer, block, local list of layers or function of the file that is called."""
        if name in self._within:
            return
        self._within.add(name)
        defined = self._defined.get(name)
        if isinstance(defined, ast.ClassDef):
            defined = _forward(defined)
        if defined is not None:
            for statement in defined.body:
                yield from self.evaluated(statement)
        elif name in self._layers:
            yield from self._built(self._layers[name])
        self._within.discard(name)

    def _built(self, value: ast.expr) -> Iterator[Operation]:
        """The operations of a layer, or of the layers of an `nn.Sequential`, by the expression that makes it."""
        for node in ast.walk(value):
            if isinstance(node, ast.Call):
                dotted = self._imports.canonical(node.func)
                if dotted.startswith("torch.nn."):
                    yield from _torch(dotted.rpartition(".")[2], node)
                elif isinstance(node.func, ast.Name):
                    yield from self._followed(node.func.id)
            elif isinstance(node, ast.Starred) and isinstance(node.value, ast.Name):
                yield from self._appended(node.value.id)

    def _appended(self, name: str) -> Iterator[Operation]:
        """What was put into a local list of layers."""
        value = self._locals.get(name)
        if value is not None and name not in self._within:
            self._within.add(name)
            yield from self._built(value)
            self._within.discard(name)


def _forward(node: ast.ClassDef) -> ast.FunctionDef | None:
    return next((n for n in node.body if isinstance(n, ast.FunctionDef) and n.name == "forward"), None)


def _torch(spelled: str, node: ast.Call) -> Iterator[Operation]:
    name = name_of(spelled)
    kind = re.sub(r"[123]d$", "", name)
    family = _FAMILY_OF.get(kind)
    if family == "conv" and _filters_each_channel(node):
        family = DEPTHWISE
    if family == "reduction" and not _reduced(node):
        name = f"full{name}"
    if family:
        yield Operation(name, family)


def _filters_each_channel(node: ast.Call) -> bool:
    """`nn.Conv2d(channels, ..., groups=channels)`."""
    named = {k.arg: ast.dump(k.value) for k in node.keywords}
    channels = ast.dump(node.args[0]) if node.args else named.get("in_channels")
    return "groups" in named and named["groups"] == channels


def _reduced(node: ast.Call) -> bool:
    """Whether a reduction names its dimensions: `x.sum(1)`, `torch.sum(x, 1)`, `x.mean(dim=...)`."""
    is_method = isinstance(node.func, ast.Attribute) and not (
        isinstance(node.func.value, ast.Name) and node.func.value.id in ("torch", "F")
    )
    return any(k.arg in ("dim", "axis") for k in node.keywords) or len(node.args) > (0 if is_method else 1)


def _on_values(node: ast.BinOp | ast.AugAssign) -> bool:
    """Whether arithmetic has a variable in it: `2.0 / math.pi` has none."""
    names = {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}
    return bool(names - {"math", "self"})


def _composed(found: list[Operation], arguments: int) -> Iterator[Operation]:
    families = [each.family for each in found]
    heavy_or_row = [f for f in families if f not in LIGHT]
    for first, second, third in zip(heavy_or_row, heavy_or_row[1:], heavy_or_row[2:]):
        if (first, second, third) == ("matmul", "softmax", "matmul"):
            yield Operation("attention", "attention")
    if not HEAVY & set(families) and "reduction" in families:
        after = [each.name for each in itertools.dropwhile(lambda each: each.family != "reduction", found)]
        if arguments > 1 and found[-1].name in ("fullmean", "fullsum"):
            yield Operation("loss", "loss")
        elif {"div", "mul"} & set(after):
            yield Operation("normalisation", "normalisation")
