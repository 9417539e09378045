"""Finding a part by name: the built-in table, then entry points, then "package.module:Name"."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any

from tilewright.errors import ConfigError, MissingDependency


def find(role: str, name: str, builtin: Mapping[str, str]) -> Any:
    """The class or function that `name` stands for in a `role` such as "evaluator".

    `builtin` maps short names to "package.module:Name". Entry points are looked up in the group
    `tilewright.<role>s`.
    """
    if name in builtin:
        return _load(role, name, builtin[name])
    for point in entry_points(group=f"tilewright.{role}s"):
        if point.name == name:
            return point.load()
    if ":" in name:
        return _load(role, name, name)
    near = difflib.get_close_matches(name, builtin, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    raise ConfigError(f"unknown {role} {name!r}; known: {', '.join(builtin)}.{hint}")


def _load(role: str, name: str, target: str) -> Any:
    module, _, attribute = target.partition(":")
    try:
        return getattr(import_module(module), attribute)
    except ImportError as error:
        raise MissingDependency(f"{role} {name!r} can't be loaded: {error}.") from error
    except AttributeError as error:
        raise ConfigError(f"{role} {name!r}: {module} has no {attribute!r}") from error
