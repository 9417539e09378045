"""Which values in a kernel's source may be changed, and how they are written in."""

from __future__ import annotations

import ast
import functools
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from tilewright.errors import KernelFileError
from tilewright.records import Knob, KnobValue
from tilewright.source.literals import Function, Module, Origin
from tilewright.source.splice import Edit, Positions, splice

Kind = Literal["tile", "threads", "stages", "swizzle", "flag", "other"]

# What kernel authors call their knobs. Names of sizes (N, M, K, batch_size, in_features) match none of them.
_THREADS = re.compile(r"^(n|num|block|kernel)?_?threads?(_?(num|per_?block|per_?cta|count|[xyz]))?$", re.I)
_STAGES = re.compile(r"^(n|num|pipeline|pipe)?_?(stages?)$", re.I)
_SWIZZLE = re.compile(r"^(panel_size|swizzle_(panel|size|panel_size))$", re.I)
_TILE = re.compile(r"^(block|blk|tile)(_?[a-z]{1,2}[0-9]?|_?size(_?[a-z]{1,2})?)?$", re.I)
_NAMED_TILE = re.compile(
    r"^(block|blk|tile)_(rows?|cols?|columns?|oc|ic|co|ci|hw|spatial|seq|dim|len|width|height)$", re.I
)
_SUFFIXED_TILE = re.compile(r"^(row|rows|col|cols|seq|inner|outer|[mnkhwc])_?(block|blk|tile)(_size)?$", re.I)
_SHORT_TILE = re.compile(r"^[bB][MNKmnk]$")
_SHARE = re.compile(r"^(num_)?[a-z]*_?per_(block|thread|warp|cta)$", re.I)
_DEPTH_TILE = re.compile(r"(?:_?k|[a-z]K)$", re.I)
_VECTOR = re.compile(
    r"^(vec|vec_?(size|len|width)|vector_?(size|len|width)|unroll(_factor)?|split_?k|num_splits?|(n|num)_?warps)$",
    re.I,
)
_FLAG = re.compile(r"swizzle|raster|tma|async|warp_speciali[sz]e|vectori[sz]e", re.I)

# Boolean pass configurations that change how code is made, never whether it is guarded or synchronised.
# The names are those of tilelang 0.1.15's transform/pass_config.py, in both of their spellings.
_SAFE_PASS_CONFIGS = re.compile(
    r"disable_(warp_specialized|tma_lower|wgmma|vectorize_256|shuffle_elect|shared_memory_reuse|vectorize)$"
    r"|enable_(aggressive_shared_memory_merge|async_copy|auto_warp_specialization|fast_math|lower_ldgstg)$",
    re.I,
)

_POWERS = tuple(2**exponent for exponent in range(14))


@functools.lru_cache(maxsize=256)
def find_knobs(source: str) -> tuple[Knob, ...]:
    """The knobs of a kernel file: those that `TUNABLES` declares in its order, then those found, by position.

    A parameter that the file's own calls set is turned where they set it, for that is the value that counts.
    KernelFileError for a source that is no Python and for `TUNABLES` that name nothing.
    """
    tree = _parsed(source)
    positions = Positions(source)
    module = Module(tree)
    declared = list(_declared(module, positions))
    taken = {knob.start for knob in declared}
    uses_gemm = _uses_gemm(tree)
    found: dict[int, Knob] = {}
    owners: dict[int, str] = {}
    for origin, kind, name in _candidates(module):
        start, end = positions.span(origin.node)
        if start in taken or start in found or not _plausible(kind, origin.value):
            continue
        choices = _choices(kind, name, origin.value, uses_gemm)
        found[start] = Knob(_label(origin), kind, origin.value, choices, origin.node.lineno, start, end)
        owners[start] = origin.owner
    discovered = [found[start] for start in sorted(found)]
    return (*declared, *_with_unique_names(discovered, owners, {knob.name for knob in declared}))


def values_of(source: str) -> dict[str, KnobValue]:
    """The present value of each knob, by name."""
    return {knob.name: knob.value for knob in find_knobs(source)}


def with_values(source: str, values: Mapping[str, KnobValue]) -> str:
    """The source with knobs set to values; all other bytes stay. KernelFileError for an unknown knob."""
    knobs = {knob.name: knob for knob in find_knobs(source)}
    unknown = [name for name in values if name not in knobs]
    if unknown:
        raise KernelFileError(f"no knob {unknown[0]!r} in this kernel; known: {', '.join(knobs) or 'none'}")
    edits = [
        Edit(knobs[name].start, knobs[name].end, repr(value))
        for name, value in values.items()
        if not _same(knobs[name].value, value)
    ]
    return splice(source, edits)


# ---------------------------------------------------------------- declared


@dataclass(frozen=True)
class _Declaration:
    name: str
    choices: tuple[int, ...]
    line: int


def _declared(module: Module, positions: Positions) -> Iterator[Knob]:
    for declaration in _declarations(module.tree):
        owner, _, short = declaration.name.rpartition(".")
        origins = [o for o in module.constants() if o.name == short and not owner]
        if not origins:
            functions = [
                f for f in module.functions if any(a.arg == short for a in ast.walk(f.args) if isinstance(a, ast.arg))
            ]
            functions = [f for f in functions if f.name == owner] if owner else _factories(functions) or functions
            origins = [o for f in functions for o in module.of_parameter(f, short)]
        if not origins:
            names = sorted({o.name for o, _, _ in _candidates(module)})
            raise KernelFileError(
                f"line {declaration.line}: TUNABLES names {declaration.name!r}, but this file has no module-level "
                "constant and no parameter with an int or bool default of that name; "
                f"it has: {', '.join(names) or 'none'}"
            )
        for index, origin in enumerate({o.node: o for o in origins}.values()):
            start, end = positions.span(origin.node)
            present = origin.value
            choices: tuple[int, ...] = declaration.choices
            if not any(_same(choice, present) for choice in choices):
                choices = (present, *choices)
            choices = tuple(sorted(choices))  # a search takes neighbours to be near in effect
            name = declaration.name if index == 0 else f"{declaration.name}@{origin.node.lineno}"
            yield Knob(name, _kind(short, present) or "other", present, choices, origin.node.lineno, start, end, True)


def _declarations(tree: ast.Module) -> Iterator[_Declaration]:
    for statement in tree.body:
        targets = statement.targets if isinstance(statement, ast.Assign) else []
        if isinstance(statement, ast.AnnAssign):
            targets = [statement.target]
        if not any(isinstance(target, ast.Name) and target.id == "TUNABLES" for target in targets):
            continue
        assert isinstance(statement, (ast.Assign, ast.AnnAssign))
        try:
            table = ast.literal_eval(statement.value) if statement.value else {}
        except ValueError:
            table = None
        if not isinstance(table, dict):
            raise KernelFileError(
                f"line {statement.lineno}: TUNABLES must be a dictionary of literals, such as "
                '{"block_M": (64, 128)}'
            )
        for name, choices in table.items():
            if not isinstance(name, str) or not isinstance(choices, (tuple, list)) or not choices:
                raise KernelFileError(
                    f"line {statement.lineno}: TUNABLES[{name!r}] must be a tuple of values, such as (64, 128), "
                    f"got {choices!r}"
                )
            if not all(isinstance(choice, (bool, int)) for choice in choices):
                raise KernelFileError(
                    f"line {statement.lineno}: TUNABLES[{name!r}] holds {choices!r}; its values must be int or bool"
                )
            yield _Declaration(name, tuple(choices), statement.lineno)


# ---------------------------------------------------------------- discovered


def _candidates(module: Module) -> list[tuple[Origin, Kind, str]]:
    """Every literal that may be a knob, what kind it is and by which name that was seen.

    The places where TileLang reads a value come first: a `block` that is passed as `threads=` is a thread count.
    """
    found: list[tuple[Origin, Kind, str]] = []
    for call in (node for node in ast.walk(module.tree) if isinstance(node, ast.Call)):
        for name, kind, value in _sinks(call):
            found += [(origin, kind, name) for origin in module.of(value, module.scope(call), name)]
        found += [(origin, "flag", origin.name) for origin in _pass_configs(call, module)]
    for function in _factories(module.functions):
        for argument in [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]:
            for origin in module.of_parameter(function, argument.arg):
                found += [(origin, kind, argument.arg) for kind in _kinds(argument.arg, origin.value)]
        for origin in module.locals_of(function):
            found += [(origin, kind, origin.name) for kind in _kinds(origin.name, origin.value)]
    for origin in module.constants():
        found += [(origin, kind, origin.name) for kind in _kinds(origin.name, origin.value)]
    return found


def _sinks(call: ast.Call) -> Iterator[tuple[str, Kind, ast.expr]]:
    """The arguments of `T.Kernel`, `T.Pipelined` and `T.use_swizzle` that are knobs by their meaning."""
    if not isinstance(call.func, ast.Attribute):
        return
    keywords = {keyword.arg: keyword.value for keyword in call.keywords}
    if call.func.attr == "Kernel" and "threads" in keywords:
        threads = keywords["threads"]
        many = isinstance(threads, (ast.Tuple, ast.List))
        for value in threads.elts if isinstance(threads, (ast.Tuple, ast.List)) else [threads]:
            yield ("threads_x" if many else "threads"), "threads", value
    elif call.func.attr == "Pipelined" and "num_stages" in keywords:
        yield "num_stages", "stages", keywords["num_stages"]
    elif call.func.attr == "use_swizzle":
        panel = keywords.get("panel_size", call.args[0] if call.args else None)
        if panel is not None:
            yield "panel_size", "swizzle", panel
        if "enable" in keywords:
            yield "enable_swizzle", "flag", keywords["enable"]


def _pass_configs(call: ast.Call, module: Module) -> Iterator[Origin]:
    scope = module.scope(call)
    for table in (keyword.value for keyword in call.keywords if keyword.arg == "pass_configs"):
        for key, value in zip(table.keys, table.values) if isinstance(table, ast.Dict) else ():
            name = key.attr if isinstance(key, ast.Attribute) else getattr(key, "value", None)
            is_switch = isinstance(value, ast.Constant) and isinstance(value.value, bool)
            if is_switch and isinstance(name, str) and _SAFE_PASS_CONFIGS.search(name):
                assert isinstance(value, ast.Constant)
                yield Origin(value, name, scope.name if scope else "")


def _factories(functions: Sequence[Function]) -> list[Function]:
    """The functions that hold a TileLang kernel; others only pass values on, and are reached from these."""
    return [f for f in functions if any(_is_launch(node) for node in ast.walk(f))]


def _is_launch(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "Kernel"


def _uses_gemm(tree: ast.Module) -> bool:
    return any(isinstance(node, ast.Attribute) and node.attr.endswith("gemm") for node in ast.walk(tree))


def _kinds(name: str, value: int | bool) -> list[Kind]:
    kind = _kind(name, value)
    return [kind] if kind else []


def _kind(name: str, value: int | bool) -> Kind | None:
    if isinstance(value, bool):
        return "flag" if _FLAG.search(name) else None
    if _THREADS.match(name):
        return "threads"
    if _STAGES.match(name):
        return "stages"
    if _SWIZZLE.match(name):
        return "swizzle"
    if _VECTOR.match(name):
        return "other"
    patterns = (_TILE, _NAMED_TILE, _SUFFIXED_TILE, _SHORT_TILE, _SHARE)
    return "tile" if any(pattern.match(name) for pattern in patterns) else None


def _plausible(kind: Kind, value: int | bool) -> bool:
    if kind == "flag":
        return isinstance(value, bool)
    return not isinstance(value, bool) and value >= (0 if kind == "stages" else 1)


def _choices(kind: Kind, name: str, present: int | bool, uses_gemm: bool) -> tuple[KnobValue, ...]:
    """Sensible values around the present one, sorted; what is legal is in `feasibility`."""
    if kind == "flag":
        return (False, True)
    if kind == "stages":
        values = set(range(6 if present >= 4 else 5))
    elif kind == "swizzle":
        values = {4, 8, 16}
    elif kind == "threads" and _is_one_of_several_axes(name):
        values = _around(present, 4, 1, 256)
    elif kind == "threads":
        values = {64, 128, 256, 512}
        values |= {32} if present <= 64 else set()
        values |= {1024} if present >= 512 or not uses_gemm else set()
    elif kind == "other":
        values = _around(present, 4, 1, 64)
    elif _is_flat(name) or present > 256:
        values = _around(present, 8, 64, 8192)
    elif _SHARE.match(name):
        values = _around(present, 8, 1, 256)
    elif _DEPTH_TILE.search(name):
        values = _around(present, 4, 16, 128)
    else:
        values = _around(present, 4, 16, 256)
    return tuple(sorted({present, *values}))


def _around(present: int, factor: int, low: int, high: int) -> set[int]:
    """Powers of two within a factor of the present value, inside [low, high] as far as it is inside itself."""
    low, high = min(low, present), max(high, present)
    return {p for p in _POWERS if max(low, present / factor) <= p <= min(high, present * factor)}


def _is_flat(name: str) -> bool:
    """A tile over a flattened tensor: it has no axis in its name."""
    return re.sub(r"[^a-z]", "", name.lower()) in ("block", "blocksize", "tile", "tilesize", "blk", "blksize")


def _is_one_of_several_axes(name: str) -> bool:
    return bool(re.search(r"_[xyz]$", name, re.I))


# ---------------------------------------------------------------- names


def _label(origin: Origin) -> str:
    return f"{origin.name}@{origin.node.lineno}" if origin.inline and not origin.owner else origin.name


def _with_unique_names(knobs: list[Knob], owners: Mapping[int, str], taken: set[str]) -> Iterator[Knob]:
    """`threads`, else `factory.threads`, else `factory.threads@12`, else `factory.threads@12#3` by its place."""
    namings: tuple[Callable[[Knob], str], ...] = (
        lambda knob: f"{owners[knob.start]}.{knob.name}" if owners[knob.start] else knob.name,
        lambda knob: knob.name if "@" in knob.name else f"{knob.name}@{knob.line}",
        lambda knob: f"{knob.name}#{[k.start for k in knobs].index(knob.start) + 1}",
    )
    renamed = list(knobs)
    for naming in namings:
        counts = Counter(knob.name for knob in renamed)
        renamed = [replace(k, name=naming(k)) if counts[k.name] > 1 or k.name in taken else k for k in renamed]
    yield from renamed


def _same(a: KnobValue, b: KnobValue) -> bool:
    return type(a) is type(b) and a == b


def _parsed(source: str) -> ast.Module:
    try:
        return ast.parse(source)
    except (SyntaxError, ValueError) as error:
        line = f"line {error.lineno}: " if isinstance(error, SyntaxError) else ""
        raise KernelFileError(f"{line}this is no Python: {error.args[0] if error.args else error}") from error
