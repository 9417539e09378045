"""Records to JSON and back.

A record becomes an object with one member per field; an `Evaluation` also carries its `outcome`, which
says which record to build when it is read. Unknown members are ignored (a newer tilewright may have
written them); a missing member without a default, or one of the wrong shape, raises `RecordError`.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import math
import types
import typing
from typing import Any, Literal, TypeVar, Union

from tilewright import records
from tilewright.errors import RecordError

T = TypeVar("T")
_OUTCOMES: dict[str, type] = {kind.outcome: kind for kind in records.EVALUATIONS}  # type: ignore[attr-defined]


def dumps(record: object) -> str:
    """One line of JSON; infinities and NaN become strings, so that any JSON reader takes it."""
    return json.dumps(to_plain(record), ensure_ascii=False, allow_nan=False)


def loads(kind: type[T], text: str) -> T:
    try:
        plain = json.loads(text)
    except ValueError as error:
        raise RecordError(f"not JSON: {error}") from error
    return typing.cast(T, from_plain(kind, plain))


def to_plain(value: object) -> Any:
    """Dataclasses to dicts, tuples to lists, recursively."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        plain = {f.name: to_plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
        outcome = getattr(value, "outcome", None)
        return {"outcome": outcome, **plain} if outcome else plain
    if isinstance(value, (list, tuple)):
        return [to_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value


def from_plain(kind: Any, plain: Any) -> Any:
    """Build a `kind` (a record class, or a type such as ``tuple[int, ...]``) from parsed JSON."""
    if kind is records.Evaluation:
        outcome = plain.get("outcome") if isinstance(plain, dict) else None
        if outcome not in _OUTCOMES:
            raise RecordError(f"unknown outcome {outcome!r}; known: {', '.join(_OUTCOMES)}")
        kind = _OUTCOMES[outcome]
    if dataclasses.is_dataclass(kind):
        return _record(typing.cast(type, kind), plain)
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (Union, types.UnionType):
        return _union(arguments, plain)
    if origin is tuple:
        return _tuple(arguments, plain)
    if origin is Literal:
        if plain not in arguments:
            raise RecordError(f"{plain!r} is none of {arguments}")
        return plain
    return _scalar(kind, plain)


def _record(kind: type, plain: Any) -> Any:
    if not isinstance(plain, dict):
        raise RecordError(f"{kind.__name__} wants an object, got {type(plain).__name__}")
    hints = _hints(kind)
    values = {name: from_plain(hint, plain[name]) for name, hint in hints.items() if name in plain}
    try:
        return kind(**values)
    except TypeError as error:
        raise RecordError(f"{kind.__name__}: {error}") from error


@functools.cache
def _hints(kind: type) -> dict[str, Any]:
    hints = typing.get_type_hints(kind)
    return {f.name: hints[f.name] for f in dataclasses.fields(kind)}


def _union(arguments: tuple[Any, ...], plain: Any) -> Any:
    if plain is None and type(None) in arguments:
        return None
    if set(arguments) - {type(None)} <= set(records.EVALUATIONS):
        return from_plain(records.Evaluation, plain)
    failures = []
    for argument in arguments:
        try:
            return from_plain(argument, plain)
        except RecordError as error:
            failures.append(str(error))
    raise RecordError(f"{plain!r} fits none: {'; '.join(failures)}")


def _tuple(arguments: tuple[Any, ...], plain: Any) -> Any:
    if not isinstance(plain, list):
        raise RecordError(f"expected a list, got {type(plain).__name__}")
    if len(arguments) == 2 and arguments[1] is Ellipsis:
        return tuple(from_plain(arguments[0], item) for item in plain)
    if len(arguments) != len(plain):
        raise RecordError(f"expected {len(arguments)} items, got {len(plain)}")
    return tuple(from_plain(argument, item) for argument, item in zip(arguments, plain))


def _scalar(kind: Any, plain: Any) -> Any:
    if kind is float and isinstance(plain, (int, float)) and not isinstance(plain, bool):
        return float(plain)
    if kind is float and plain in ("inf", "-inf", "nan"):
        return float(plain)
    if kind is type(None) and plain is None:
        return None
    if isinstance(kind, type) and type(plain) is kind:
        return plain
    raise RecordError(f"expected {getattr(kind, '__name__', kind)}, got {plain!r}")
