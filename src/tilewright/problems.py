"""Finding PyTorch references and turning them into problems."""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path
from typing import Any

from tilewright.errors import ProblemError
from tilewright.kernelfile import KernelFile, split_entry_point, support_files
from tilewright.records import InputSpec, Precision, Problem, Workload

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_HERE = Path(__file__).resolve().parent
_DTYPES = ("fp16", "bf16", "fp32", "int8", "int32", "int64", "bool")
_PRECISIONS: tuple[Precision, ...] = ("fp16", "bf16", "fp32")


def problems_root() -> Path:
    """Where the shipped references are: inside the wheel, or in the clone."""
    in_wheel = _HERE / "data" / "problems"
    return in_wheel if in_wheel.is_dir() else _HERE.parent.parent / "problems"


def find_reference(level: int, problem_id: int, root: Path | None = None) -> Path:
    """The reference of a KernelBench problem.

    `root` may be a KernelBench checkout (v0 and v0.1 keep `KernelBench/level2/10_*.py`) or any folder
    that holds `level2/10_*.py` or `level2/2_10_*.py`.
    """
    root = root or problems_root()
    folders = [root / part / f"level{level}" for part in ("", "KernelBench", "KernelBench/KernelBench")]
    for folder in folders:
        matches = sorted(path for path in folder.glob("*.py") if _number(path.stem, level) == problem_id)
        if matches:
            return matches[0]
    looked = ", ".join(str(f) for f in folders if f.is_dir()) or str(root)
    raise ProblemError(
        f"No reference for problem {level}_{problem_id}: no file {problem_id}_*.py or {level}_{problem_id}_*.py in "
        f"{looked}. "
        "Name one with --reference FILE, or a KernelBench checkout with --problems DIR."
    )


def load_problem(path: Path, precision: Precision = "fp16", workloads: tuple[str, ...] = ()) -> Problem:
    """Read a reference module (`Model`, `get_inputs`, `get_init_inputs`).

    A reference may name other sizes of itself: `WORKLOADS = {"large": {"batch_size": 2048}}` sets module
    constants. Without `workloads` the problem is asked at its own size alone.
    """
    source = _read(path)
    tree = _parse(path, source)
    defined = {n.name for n in tree.body if isinstance(n, (ast.ClassDef, ast.FunctionDef))}
    missing = [name for name in ("Model", "get_inputs", "get_init_inputs") if name not in defined]
    if missing:
        raise ProblemError(
            f"{path}: no {', '.join(missing)}. A reference defines Model, get_inputs and get_init_inputs; "
            "for a plain function use --reference FILE:FUNCTION with --inputs."
        )
    in_folder = re.fullmatch(r"level(\d+)", path.parent.name)
    level = int(in_folder.group(1)) if in_folder else None
    return Problem(
        name=path.stem,
        source=source,
        level=level,
        problem_id=_number(path.stem, level) if level is not None else None,
        precision=precision,
        workloads=_named_workloads(path, tree, workloads),
        support=support_files(path, source),
    )


def load_function_problem(
    argument: str, inputs: str | None, precision: Precision = "fp16", workloads: tuple[Workload, ...] = ()
) -> Problem:
    """Read `FILE:FUNCTION` as a reference, at the shapes of `inputs` ("fp16[4096,4096] fp16[4096]")."""
    name, entry = split_entry_point(argument)
    path = Path(name)
    source = _read(path)
    tree = _parse(path, source)
    defined = [n.name for n in tree.body if isinstance(n, ast.FunctionDef)]
    if entry not in defined:
        raise ProblemError(f"{path}: no function {entry} (found: {', '.join(defined) or 'none'}).")
    if not workloads:
        if not inputs:
            raise ProblemError('A function needs its shapes: --inputs "fp16[4096,4096] fp16[4096,4096]".')
        workloads = (Workload(inputs=parse_inputs(inputs)),)
    return Problem(
        name=f"{path.stem}_{entry}",
        source=source,
        precision=precision,
        workloads=workloads,
        form="function",
        entry_point=str(entry),
        support=support_files(path, source),
    )


def problem_for(
    kernel: KernelFile,
    *,
    reference: str | None = None,
    problems: Path | None = None,
    inputs: str | None = None,
    precision: Precision = "fp16",
    workloads: tuple[str, ...] = (),
) -> Problem:
    """The problem that a kernel file answers: named, or found by its header and its number."""
    if not workloads and kernel.header.workload:
        workloads = (kernel.header.workload,)
    if reference and (split_entry_point(reference)[1] or kernel.candidate.form == "function"):
        return load_function_problem(reference, inputs, precision)
    if reference:
        return load_problem(Path(reference), precision, workloads)
    if kernel.candidate.form == "function":
        raise ProblemError(f"{kernel.path} is a function: say what it computes with --reference FILE:FUNCTION.")
    if inputs:
        raise ProblemError(
            f"--inputs gives a function its shapes; {kernel.path} is a module, whose reference makes its own inputs. "
            "Leave it out, or name another size of the reference with --workload."
        )
    level, number = kernel.level, kernel.problem_id
    if level is None or number is None:
        named = re.match(r"(?:level)?(\d+)[_/](\d+)", kernel.header.problem or "")
        in_folder = re.fullmatch(r"level(\d+)", kernel.path.resolve().parent.name)
        by_header = _number(kernel.header.problem or "", int(in_folder.group(1))) if in_folder else None
        if in_folder and by_header is not None:
            level, number = int(in_folder.group(1)), by_header
        elif named:
            level, number = int(named.group(1)), int(named.group(2))
    if level is None or number is None:
        raise ProblemError(
            f"{kernel.path}: can't tell which problem this solves. Call it LEVEL_ID.py (2_10.py), "
            "or name the reference with --reference FILE."
        )
    return load_problem(find_reference(level, number, problems), precision, workloads)


def parse_inputs(text: str) -> tuple[InputSpec, ...]:
    """`fp16[4096,4096] int64[128]` -> shapes and dtypes."""
    specs = []
    for word in text.split():
        match = re.fullmatch(r"([a-z0-9]+)\[([0-9, ]*)\]", word)
        if not match or match.group(1) not in _DTYPES:
            raise ProblemError(
                f"--inputs: {word!r} is no input. Write DTYPE[SIZE,SIZE] with a dtype of {', '.join(_DTYPES)}; "
                "no spaces inside the brackets."
            )
        sizes = tuple(int(size) for size in match.group(2).split(",") if size.strip())
        specs.append(InputSpec(sizes, match.group(1)))
    return tuple(specs)


def parse_precision(value: str) -> Precision:
    for precision in _PRECISIONS:
        if value == precision:
            return precision
    raise ProblemError(f"unknown precision {value!r}; known: {', '.join(_PRECISIONS)}")


def read_task(path: Path) -> dict[str, Any]:
    """A task file: `kernel`, `reference`, `precision`, and `[[workloads]]` with name, weight, inputs."""
    try:
        task: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ProblemError(f"{path}: no readable task file: {error}") from error
    unknown = set(task) - {"kernel", "reference", "precision", "workloads"}
    if unknown or "kernel" not in task or "reference" not in task:
        raise ProblemError(
            f"{path}: a task file has kernel, reference, precision and [[workloads]]"
            + (f"; unknown: {', '.join(sorted(unknown))}" if unknown else "")
        )
    return task


def task_workloads(task: dict[str, Any], path: Path) -> tuple[Workload, ...]:
    workloads = []
    for number, row in enumerate(task.get("workloads", [])):
        if not isinstance(row.get("inputs"), str):
            raise ProblemError(f'{path}: workload {number + 1} needs inputs = "fp16[4096,4096] ..."')
        name, weight = str(row.get("name", f"workload{number + 1}")), float(row.get("weight", 1.0))
        if weight <= 0:
            raise ProblemError(f"{path}: workload {name!r} has weight {weight}; weights are above 0")
        workloads.append(Workload(name, weight, inputs=parse_inputs(row["inputs"])))
    if not workloads:
        raise ProblemError(f"{path}: no [[workloads]]")
    return tuple(workloads)


def _number(name: str, level: int) -> int | None:
    """The 14 of `14_Matmul` and, in level 1, of `1_14_Matmul`."""
    match = re.match(rf"(?:{level}_)?(\d+)_", name)
    return int(match.group(1)) if match else None


def _named_workloads(path: Path, tree: ast.Module, names: tuple[str, ...]) -> tuple[Workload, ...]:
    if not names:
        return (Workload(),)
    table: dict[str, dict[str, int]] = {"default": {}}
    for node in tree.body:
        target = node.targets[0] if isinstance(node, ast.Assign) else None
        if isinstance(node, ast.Assign) and isinstance(target, ast.Name) and target.id == "WORKLOADS":
            try:
                table.update(ast.literal_eval(node.value))
            except ValueError as error:
                raise ProblemError(f"{path}: WORKLOADS must be written out as literals") from error
    unknown = [name for name in names if name not in table]
    if unknown:
        raise ProblemError(f"{path}: no workload {unknown[0]!r}; known: {', '.join(table)}")
    return tuple(Workload(name, 1.0, tuple(sorted(table[name].items()))) for name in names)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ProblemError(f"reference {path} can't be read: {error}") from error


def _parse(path: Path, source: str) -> ast.Module:
    try:
        return ast.parse(source)
    except (SyntaxError, ValueError) as error:
        raise ProblemError(f"reference {path} is not Python: {error}") from error
