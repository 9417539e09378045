"""Which headers may nvcc read in short, since kernels need next to nothing of them?

CUTLASS's and TileLang's headers include iostream, algorithm, memory and the like for functions of the host; and they
write out a structure for each of a thousand shapes and types that Hopper's tensor cores take, of which a kernel uses
one or two. Reading them is a quarter to 60 % of what nvcc does for a kernel, and the PTX is the same without. Where
something is missing in a short header, nvcc says so, and the kernel has to be compiled as usual."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from threading import Lock

_IN_SHORT = {
    "algorithm": ("bits/stl_algobase.h",),
    "bits/specfun.h": (),
    "functional": ("type_traits", "bits/stl_function.h", "bits/refwrap.h"),
    "iomanip": (),
    "iostream": ("iosfwd",),
    "iterator": (
        "bits/stl_iterator_base_types.h",
        "bits/stl_iterator_base_funcs.h",
        "bits/stl_iterator.h",
        "bits/range_access.h",
    ),
    "memory": ("bits/stl_construct.h",),
    "mutex": (),
    "sstream": ("iosfwd",),
    "stdexcept": ("exception",),
    "vector": (),
}
"""What CUDA 13's, CUTLASS's and TileLang 0.1.15's headers need of them, by the names that GCC's library (libstdc++)
has for its parts. With another library the whole header is read."""

_PRODUCTS = "tl_templates/cuda/instruction/wgmma.h"
_SHAPES = ("cute/arch/mma_sm90_gmma.hpp", "cute/arch/mma_sm90_gmma_ext.hpp")
_NEEDS_SHAPES = re.compile(r"#include <tl_templates/cuda/(?:instruction/wgmma|intrin)\.h>")
_NEEDS_ALL_SHAPES = "#include <tl_templates/cuda/gemm"
_PRODUCT = re.compile(r"\btl::wgmma_[a-z]+\s*<(?:\s*tl::DataType::\w+\s*,){3}\s*\d+\s*,\s*(\d+)\s*,")
_ANY_PRODUCT = re.compile(r"\bwgmma_[sr]s\b")
_BETWEEN_SHAPES = re.compile(r"^(?=/{20,}$)", re.MULTILINE)
_SHAPE = re.compile(r"\bstruct MMA_64x(\d+)x")
_INSTANCE = re.compile(r"\bOP\((\d+)\)")


class ShortHeaders:
    """A folder of them, which has to be empty and to last as long as nvcc is run."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = Lock()
        for name, parts in _IN_SHORT.items():
            short = "".join(f"#include <{part}>\n" for part in parts)
            _write(folder / "library" / name, f"#ifdef __GLIBCXX__\n{short}#else\n#include_next <{name}>\n#endif\n")

    def options(self, sources: Iterable[str], options: Sequence[str]) -> list[str]:
        """Those for nvcc that make it read them for these sources, to be put before its other options."""
        given = [f"-I{self._folder / 'library'}"]
        columns = _columns(sources)
        if columns is not None:
            shapes = self._folder / "-".join(["shapes", *map(str, sorted(columns))])
            with self._lock:
                if not shapes.is_dir():
                    _write_shapes(shapes, columns, _searched(options))
            given.append(f"-I{shapes}")
        return given


def _columns(sources: Iterable[str]) -> set[int] | None:
    """How many columns the tensor cores' products have that these sources ask for; None where all shapes, or none,
    are to be read."""
    found: set[int] = set()
    needed = False
    for source in sources:
        columns = _PRODUCT.findall(source)
        if _NEEDS_ALL_SHAPES in source or len(columns) != len(_ANY_PRODUCT.findall(source)):
            return None
        needed = needed or _NEEDS_SHAPES.search(source) is not None
        found.update(map(int, columns))
    return found if needed else None


def _write_shapes(folder: Path, columns: set[int], searched: Sequence[Path]) -> None:
    """What the installed headers say of these shapes, line for line. Nothing where they aren't found."""
    for name in _SHAPES:
        whole = _found(name, searched)
        if whole is not None:
            kept = (_blank(text) if about and about.isdisjoint(columns) else text for about, text in _parts(whole))
            _write(folder / name, _at(whole) + "".join(kept))
    products = _found(_PRODUCTS, searched)
    if products is not None:
        text = products.read_text(encoding="utf-8").replace('"../common.h"', "<tl_templates/cuda/common.h>")
        text = _INSTANCE.sub(lambda one: one[0] if int(one[1]) in columns else " " * len(one[0]), text)
        _write(folder / _PRODUCTS, _at(products) + text)


def _found(name: str, searched: Sequence[Path]) -> Path | None:
    return next((folder / name for folder in searched if (folder / name).is_file()), None)


@functools.cache
def _parts(whole: Path) -> list[tuple[frozenset[int], str]]:
    """Of a header, each with the columns of the shapes that it is about; none where it is about something else too.
    The two headers are 3 MB: read by the zygote, they are read once."""
    found = []
    for text in _BETWEEN_SHAPES.split(whole.read_text(encoding="utf-8")):
        only = "#include" not in text and "namespace" not in text
        found.append((frozenset(map(int, _SHAPE.findall(text))) if only else frozenset[int](), text))
    return found


def read_shapes(options: Sequence[str]) -> None:
    """So that it is not to be done any more when they are needed."""
    for name in _SHAPES:
        whole = _found(name, _searched(options))
        if whole is not None:
            _parts(whole)


def _searched(options: Sequence[str]) -> list[Path]:
    return [Path(option[2:]) for option in options if option.startswith("-I")]


def _blank(part: str) -> str:
    return "\n" * part.count("\n")


def _at(whole: Path) -> str:
    return f'#line 1 "{whole}"\n'


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text if "#pragma once" in text else f"#pragma once\n{text}", encoding="utf-8")
