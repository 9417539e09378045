"""What a candidate is timed against: from the words of `--baselines` to what an evaluator is handed."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from pathlib import Path

from tilewright.errors import ConfigError, KernelFileError
from tilewright.header import without_result
from tilewright.kernelfile import find_kernel, load_kernel, split_entry_point, support_files
from tilewright.records import Baseline, Candidate, Problem
from tilewright.source.migrate import migrate


def baselines_for(
    names: Sequence[str], problem: Problem, seed: Candidate | None, include: tuple[Path, ...] = ()
) -> tuple[Baseline, ...]:
    """In the order given. `seed` is the kernel that a run begins with, None where there is no run."""
    if "seed" in names and seed is None:
        raise ConfigError(
            "--baselines seed: only a run (optimize, tune) has a seed. Name the file instead: file:PATH"
        )
    made = tuple(_baseline(name, problem, seed, include) for name in names)
    labels = [baseline.name for baseline in made]
    twice = [label for label in labels if labels.count(label) > 1]
    if twice:
        raise ConfigError(f"--baselines: two files are called {twice[0].removeprefix('file:')}; rename one")
    return made


def _baseline(name: str, problem: Problem, seed: Candidate | None, include: tuple[Path, ...]) -> Baseline:
    if name == "seed":
        return Baseline(name, seed)
    if not name.startswith("file:"):
        return Baseline(name)
    argument = name.removeprefix("file:")
    kernel = _kernel(argument, problem, include)
    return Baseline(f"file:{Path(split_entry_point(argument)[0]).name}", kernel)


def _kernel(argument: str, problem: Problem, include: tuple[Path, ...]) -> Candidate:
    """`PATH:FUNCTION`, or a file with ModelNew, Model, or a function called like the problem's."""
    named, entry = split_entry_point(argument)
    path = find_kernel(named)
    if entry is None:
        wanted = ("ModelNew", "Model") if problem.form == "module" else (problem.entry_point,)
        entry = next((name for name in wanted if name in _defined(path)), None)
        if entry is None:
            raise KernelFileError(
                f"--baselines file:{argument}: the file defines no {' or '.join(wanted)}. Name a function with "
                "file:PATH:FUNCTION."
            )
    if entry == "Model":  # a reference of another make, and so no kernel file
        source = without_result(path.read_text(encoding="utf-8"))[0]
        return Candidate(source, entry_point=entry, proposer="baseline", support=support_files(path, source, include))
    argument = str(path) if entry == "ModelNew" else f"{path}:{entry}"
    found = load_kernel(argument, include).candidate
    return Candidate(migrate(found.source).source, found.form, entry, proposer="baseline", support=found.support)


def _defined(path: Path) -> set[str]:
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"))
    except (OSError, SyntaxError, ValueError) as error:
        raise KernelFileError(f"--baselines file:{path}: no readable Python: {error}") from error
    return {node.name for node in tree.body if isinstance(node, (ast.ClassDef, ast.FunctionDef))}
