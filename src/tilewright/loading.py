"""Which kernel and which problem do a run's options mean, and what of the kernel does the installed TileLang take?"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from tilewright.config import Settings
from tilewright.generating import kernel_to_be, reference_problem
from tilewright.kernelfile import KernelFile, load_kernel
from tilewright.problems import problem_for, read_task, task_workloads
from tilewright.records import Candidate, Problem
from tilewright.source.migrate import migrate


def load_task(settings: Settings) -> tuple[KernelFile, Problem]:
    """The kernel and its problem, from a kernel file, a task file, or the reference that is to get a kernel."""
    if settings.generate:
        problem = reference_problem(settings.kernel_file, settings.inputs, settings.precision, settings.workloads)
        return kernel_to_be(problem, settings.out), problem
    if settings.kernel_file.endswith(".toml"):
        path = Path(settings.kernel_file)
        task = read_task(path)
        kernel = load_kernel(str(path.parent / task["kernel"]), settings.include)
        problem = problem_for(
            kernel,
            reference=str(path.parent / task["reference"]),
            inputs=task["workloads"][0]["inputs"] if task.get("workloads") else None,
            precision=task.get("precision", settings.precision),
        )
        return kernel, replace(problem, workloads=task_workloads(task, path))
    kernel = load_kernel(settings.kernel_file, settings.include)
    problem = problem_for(
        kernel,
        reference=settings.reference,
        problems=settings.problems,
        inputs=settings.inputs,
        precision=settings.precision,
        workloads=settings.workloads,
    )
    return kernel, problem


def up_to_date(kernel: KernelFile) -> tuple[Candidate, tuple[str, ...]]:
    """The kernel as a candidate, rewritten for the installed TileLang where it was written for an older one."""
    migration = migrate(kernel.candidate.source)
    if not migration.changes:
        return kernel.candidate, ()
    changes = "; ".join(f"line {c.line + kernel.line_offset}: {c.what}" for c in migration.changes[:4])
    note = f"brought up to the installed TileLang ({changes}); `tilewright migrate {kernel.path}` shows the diff"
    return replace(kernel.candidate, source=migration.source), (note,)
