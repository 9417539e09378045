"""Which headers of the C++ library may nvcc read in short, since kernels need next to nothing of them?

CUTLASS's and TileLang's headers include iostream, algorithm, memory and the like for functions of the host. Reading
them is a quarter to 40 % of what nvcc does for a kernel, and the PTX is the same without. Where something is missing
in a short header, nvcc says so, and the kernel has to be compiled as usual."""

from __future__ import annotations

from pathlib import Path

_IN_SHORT = {
    "algorithm": ("bits/stl_algobase.h",),
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


def write_short_headers(folder: Path) -> str:
    """The option for nvcc that makes it read them from there."""
    for name, parts in _IN_SHORT.items():
        short = "".join(f"#include <{part}>\n" for part in parts)
        text = f"#pragma once\n#ifdef __GLIBCXX__\n{short}#else\n#include_next <{name}>\n#endif\n"
        Path(folder, name).write_text(text, encoding="utf-8")
    return f"-I{folder}"
