"""tilewright list [DIR]"""

from __future__ import annotations

import json
from pathlib import Path

import click

from tilewright.cli.showing import line, listing_of_slow
from tilewright.listing import list_kernels, slow_kernels


@click.command("list")
@click.argument("folder", required=False, type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@click.option("--slow", is_flag=True, help="Only kernels below --threshold, slowest first.")
@click.option("--threshold", default=0.8, show_default=True, help="Kernels below this speedup count as slow.")
def command(folder: Path | None, as_json: bool, slow: bool, threshold: float) -> int:
    """Show the kernels under FOLDER (the shipped ones by default) and their measured speedups."""
    if slow and not as_json:
        return listing_of_slow(threshold, folder)
    kernels = slow_kernels(threshold, folder).kernels if slow else list_kernels(folder)
    for kernel in kernels:
        if as_json:
            record = {
                "kernel": str(kernel.path),
                "level": kernel.level,
                "problem_id": kernel.problem_id,
                "problem": kernel.problem,
                "speedup_ratio": kernel.speedup_ratio,
                "category": kernel.category,
                "note": kernel.note or None,
            }
            line(json.dumps(record))
        else:
            ratio = f"{kernel.speedup_ratio:.3f}x" if kernel.speedup_ratio is not None else "-"
            line(f"{ratio:>9} {kernel.category:<10} {kernel.path} {kernel.problem}")
    counts = {name: sum(k.category == name for k in kernels) for name in ("SLOW", "MODERATE", "GOOD", "UNMEASURED")}
    changed = sum(bool(kernel.note) for kernel in kernels)
    why = f" ({changed} changed since measured)" if changed else ""
    click.echo(", ".join(f"{count} {name}" for name, count in counts.items()) + why, err=True)
    return 0
