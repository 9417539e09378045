"""Kernel files: finding them, reading them into candidates, writing results beside them."""

from __future__ import annotations

import ast
import difflib
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tilewright import header
from tilewright.errors import KernelFileError, KernelNotFound
from tilewright.records import Candidate, Form, SupportFile

_HERE = Path(__file__).resolve().parent


@dataclass(frozen=True)
class KernelFile:
    """A kernel on disk. `line_offset` is added to a candidate's line numbers to get the file's."""

    path: Path
    text: str
    header: header.Header
    candidate: Candidate
    line_offset: int
    level: int | None
    problem_id: int | None


def corpus_root() -> Path:
    """Where the shipped kernels are: inside the wheel, or in the clone."""
    in_wheel = _HERE / "data" / "corpus"
    return in_wheel if in_wheel.is_dir() else _HERE.parent / "prompts" / "correct_tilelang"


def find_kernel(name: str) -> Path:
    """A path as given, else relative to the corpus: `level2/2_10.py`, `2_10.py`, `2_10`."""
    given = Path(name).expanduser()
    if given.is_file():
        return given
    root = corpus_root()
    stem = given.name.removesuffix(".py")
    level = stem.split("_")[0]
    for path in (root / given, root / given.with_name(stem + ".py"), root / f"level{level}" / f"{stem}.py"):
        if path.is_file():
            return path
    raise KernelNotFound(_not_found(name, stem, root))


def split_entry_point(argument: str) -> tuple[str, str | None]:
    """`my.py:matmul` -> ("my.py", "matmul"); a path without an entry point is left alone."""
    path, colon, entry = argument.rpartition(":")
    return (path, entry) if colon and entry.isidentifier() and path else (argument, None)


def load_kernel(argument: str, include: tuple[Path, ...] = (), text: str | None = None) -> KernelFile:
    """Read `PATH` (a module with ModelNew) or `PATH:FUNCTION` (a function or TileLang factory).

    `text` is what stands in the file's place: another kernel for the same problem."""
    name, entry = split_entry_point(argument)
    path = find_kernel(name)
    text = _read(path) if text is None else text
    form: Form = "function" if entry else "module"
    source, dropped = header.without_result(text)
    _check_entry_point(path, source, entry or "ModelNew", form)
    support = support_files(path, source, include)
    level, problem_id = numbers_in_name(path)
    candidate = Candidate(source, form=form, entry_point=entry or "ModelNew", support=support)
    return KernelFile(path, text, header.read_header(text, path.stem), candidate, dropped, level, problem_id)


def numbers_in_name(path: Path) -> tuple[int | None, int | None]:
    """(level, problem id) of `2_10.py`, `2_10_large.py`, `2_10_optimized_1.2x.py`."""
    parts = path.stem.split("_")
    if len(parts) >= 2 and parts[0].isdigit() and parts[1].isdigit():
        return int(parts[0]), int(parts[1])
    return None, None


def support_files(path: Path, source: str, include: tuple[Path, ...] = ()) -> tuple[SupportFile, ...]:
    """The modules beside `path`, or under an included folder, that it imports, and what those import."""
    found: dict[str, str] = {}
    waiting = [source]
    while waiting:
        for module in _imported_names(waiting.pop()):
            relative = module.replace(".", "/")
            for root in (path.resolve().parent, *include):
                for file in (root / f"{relative}.py", root / relative / "__init__.py"):
                    name = str(file.relative_to(root)) if file.is_file() else ""
                    if name and name not in found and file.resolve() != path.resolve():
                        found[name] = _read(file)
                        waiting.append(found[name])
    return tuple(SupportFile(name, text) for name, text in sorted(found.items()))


def write_new(folder: Path, stem: str, text: str, suffix: str = ".py") -> Path:
    """Write `folder/stem.py`, or `stem_2.py`, ... : never over anything, never half a file.

    A file with this very text is the one, and not written again."""
    folder.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=folder, prefix=f".{stem}.", suffix=".tmp")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)
        number = 1
        while True:
            path = folder / (f"{stem}{suffix}" if number == 1 else f"{stem}_{number}{suffix}")
            try:
                os.link(temporary, path)
                return path
            except FileExistsError:
                if path.read_bytes() == text.encode("utf-8"):
                    return path
                number += 1
    finally:
        os.unlink(temporary)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise KernelFileError(f"{path}: not UTF-8 text ({error.reason} at byte {error.start})") from error
    except OSError as error:
        raise KernelFileError(f"{path}: can't be read: {error.strerror}") from error


def _check_entry_point(path: Path, source: str, entry: str, form: Form) -> None:
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError) as error:
        where = f" line {error.lineno}:" if isinstance(error, SyntaxError) else ""
        raise KernelFileError(f"{path}:{where} not Python: {error}") from error
    names = [n.name for n in tree.body if isinstance(n, (ast.ClassDef, ast.FunctionDef))]
    names += [t.id for n in tree.body if isinstance(n, ast.Assign) for t in n.targets if isinstance(t, ast.Name)]
    names += [a.asname or a.name for n in tree.body if isinstance(n, (ast.ImportFrom, ast.Import)) for a in n.names]
    if entry in names:
        return
    kind = "class" if form == "module" else "function"
    classes = [n.name for n in tree.body if isinstance(n, ast.ClassDef if form == "module" else ast.FunctionDef)]
    found = f" (found: {', '.join(classes)})" if classes else ""
    hint = (
        "Rename the kernel's class, or name a function with PATH:FUNCTION."
        if form == "module"
        else "Name one that the file defines."
    )
    raise KernelFileError(f"{path}: no {kind} {entry}{found}. {hint}")


def _imported_names(source: str) -> list[str]:
    names: list[str] = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.ImportFrom):
            names += [alias.name for alias in node.names]
    return names


def _not_found(name: str, stem: str, root: Path) -> str:
    stems = {path.stem: path for path in sorted(root.glob("level*/*.py"))}
    near = difflib.get_close_matches(stem, stems, n=3, cutoff=0.5)
    hint = f" Near: {', '.join(str(stems[n].relative_to(root)) for n in near)}." if near else ""
    return f"Could not find kernel file {name!r} (looked here and in {root}).{hint} `tilewright list` shows all."


def replace_file(path: Path, text: str) -> None:
    """Replace a file's text in one step, so that a kill leaves the old or the new one."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.chmod(temporary, path.stat().st_mode & 0o777)
    os.replace(temporary, path)
