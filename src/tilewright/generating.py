"""A first kernel for a reference: which problem is meant, and where its kernel goes."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from tilewright.errors import ConfigError, MissingDependency, ProblemError
from tilewright.header import Header
from tilewright.kernelfile import KernelFile, split_entry_point, write_new
from tilewright.problems import find_reference, load_function_problem, load_problem
from tilewright.records import Candidate, Precision, Problem

CORPUS = Path("src/prompts/correct_tilelang")
"""Where the kernels of a clone lie, seen from its root."""
OUTSIDE = Path("kernels")
DATASET = "ScalingIntelligence/KernelBench"
"""On Hugging Face: one split a level, rows with `problem_id`, `name` and `code` (KernelBench's own documentation)."""

Source = Literal["local", "huggingface"]


def reference_file(
    level: int, problem_id: int, source: Source, problems: Path | None = None, results: Path = Path("results")
) -> Path:
    """The reference of a KernelBench problem; one from Hugging Face is kept under `results`."""
    if source == "local":
        return find_reference(level, problem_id, problems)
    folder = results / "problems" / f"level{level}"
    known = sorted(folder.glob(f"{problem_id}_*.py"))
    if known:
        return known[0]
    row = _downloaded(level, problem_id)
    return write_new(folder, str(row["name"]).removesuffix(".py"), str(row["code"]))


def reference_problem(
    reference: str, inputs: str | None, precision: Precision, workloads: tuple[str, ...] = ()
) -> Problem:
    """The problem that a reference module, or a plain function in one (FILE:FUNCTION), poses."""
    path, function = split_entry_point(reference)
    if not Path(path).is_file():
        raise ProblemError(f"{path}: no such file. Give a PyTorch reference: a module with Model and get_inputs.")
    return (
        load_function_problem(reference, inputs, precision)
        if function
        else load_problem(Path(path), precision, workloads)
    )


def kernel_to_be(problem: Problem, out: Path | None = None) -> KernelFile:
    """The kernel file that a run for `problem` is to write, its candidate the reference in a kernel's stead.

    `out` is a folder in the corpus's layout; the clone's corpus is the default, or `kernels` outside of a clone.
    """
    root = out or (CORPUS if CORPUS.is_dir() else OUTSIDE)
    numbered = problem.level is not None and problem.problem_id is not None
    place = f"level{problem.level}/{problem.level}_{problem.problem_id}.py" if numbered else f"{problem.name}.py"
    seed = Candidate(problem.source, proposer="reference", support=problem.support)
    return KernelFile(root / place, "", Header(problem=problem.name), seed, 0, problem.level, problem.problem_id)


def _downloaded(level: int, problem_id: int) -> dict[str, Any]:
    try:
        import datasets  # type: ignore[import-not-found,import-untyped,unused-ignore]
    except ModuleNotFoundError:
        raise MissingDependency(
            "datasets is not installed here; it fetches KernelBench from Hugging Face.",
            "pip install 'tilewright[huggingface]', or take the shipped problems: dataset_src=local",
        ) from None
    try:
        rows = datasets.load_dataset(DATASET, split=f"level_{level}")
    except Exception as error:  # whatever a download may raise, from many packages
        said = str(error).strip().split("\n")[0][:300]
        raise ConfigError(f"{DATASET} can't be read: {said}. Without a network: dataset_src=local") from error
    found = [row for row in rows if row["problem_id"] == problem_id]
    if not found:
        raise ProblemError(f"{DATASET} has no problem {problem_id} in level {level}")
    return dict(found[0])
