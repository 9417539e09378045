"""What of TVM's intermediate representation do the static counts rely on?

Written for TileLang 0.1.15, which bundles TVM with the `tirx` dialect; the functions are those that TileLang's parser
makes, before any lowering pass."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

import tilelang  # noqa: F401  (puts the bundled tvm on the import path)
from tvm import tirx

Kind = Literal["block", "thread", "serial", "parallel", "vector"]
Way = Literal["read", "written"]


@dataclass(frozen=True)
class Region:
    """A box of a buffer: where it starts and how long it is in each dimension, and whether it is read, written or
    both."""

    buffer: tirx.Buffer
    offsets: tuple[Any, ...]
    extents: tuple[Any, ...]
    ways: tuple[Way, ...]

    @staticmethod
    def of(call: tirx.Call) -> Region:
        """From tl.region(buffer[offsets], access, extents...)."""
        load = call.args[0]
        return Region(load.buffer, tuple(load.indices), tuple(call.args[2:]), _WAYS[int(call.args[1])])


def variables(exprs: Iterable[Any]) -> set[tirx.Var]:
    """All variables in some expressions."""
    return {node for expr in exprs for node in nodes(expr) if isinstance(node, tirx.Var)}


def nodes(root: Any) -> list[Any]:
    """Every node under an expression or a statement, children first."""
    if isinstance(root, (int, float)):
        return []
    found: list[Any] = []
    statement = root if isinstance(root, tirx.Stmt) else tirx.Evaluate(root)
    tirx.stmt_functor.post_order_visit(statement, found.append)
    return found


def op_name(call: tirx.Call) -> str:
    return str(getattr(call.op, "name", call.op))


def op_is(expr: Any, name: str) -> bool:
    return isinstance(expr, tirx.Call) and op_name(expr) == name


def is_launch(stmt: Any) -> bool:
    return isinstance(stmt, tirx.For) and stmt.kind == tirx.ForKind.THREAD_BINDING


def loop_kind(loop: tirx.For) -> Kind:
    """How a loop's iterations are run. An unrolled loop is serial."""
    return _KINDS[int(loop.kind)]


def is_zero(expr: Any) -> bool:
    return isinstance(expr, tirx.IntImm) and int(expr) == 0


def itemsize(dtype: Any) -> float:
    """Bytes of an element, from TVM's name of its type: "float16", "int4", "float8_e4m3fn", "bool"."""
    bits = re.search(r"\d+", str(dtype))
    return int(bits[0]) / 8 if bits else 1.0


_WAYS: dict[int, tuple[Way, ...]] = {1: ("read",), 2: ("written",), 3: ("read", "written")}
_KINDS: dict[int, Kind] = {
    int(tirx.ForKind.SERIAL): "serial",
    int(tirx.ForKind.PARALLEL): "parallel",
    int(tirx.ForKind.VECTORIZED): "vector",
    int(tirx.ForKind.UNROLLED): "serial",
    int(tirx.ForKind.THREAD_BINDING): "block",
}
