"""What do commands cost on a CPU? As tables of RESULTS.md."""

from __future__ import annotations

import itertools
import statistics
from typing import Any

ENOUGH_S = 5.0
_SHOWN = 8


def analyzing_table(rows: list[dict[str, Any]]) -> str:
    """Of warm processes and of commands; the kernels that take most."""
    warm = sorted((row for row in rows if row["how"] == "warm"), key=lambda row: -row["seconds"])
    command = [row["seconds"] for row in rows if row["how"] == "command"]
    spent = [row["seconds"] for row in warm]
    lines = [
        "## What an analysis costs without a GPU",
        "",
        f"`python -m benchmarks.analyzing` at {warm[0]['commit']}: {len(warm)} kernels of the corpus, each compiled "
        f"for an {warm[0]['gpu']} for the first time, on {warm[0]['cores']} cores, after imports. {_spread(warm)} "
        f"{sum(one <= ENOUGH_S for one in spent)} within {ENOUGH_S:g} s.",
        "",
        "| kernel | device functions | s | CPU s |",
        "|---|---|---|---|",
        *(
            f"| {r['kernel']} | {r['device_functions']} | {r['seconds']:.1f} | {r['cpu_s']:.1f} |"
            for r in warm[:_SHOWN]
        ),
    ]
    if command:
        lines += ["", f"As a command, imports included: median {statistics.median(command):.1f} s of {len(command)}."]
    return "\n".join(lines) + "\n"


def checking_table(rows: list[dict[str, Any]]) -> str:
    """Of `check` without its imports; the kernels that take most, and the product in one process."""
    kernels = sorted((row for row in rows if "gates" in row), key=lambda row: -row["seconds"])
    products = [row for row in rows if "gates" not in row]
    lines = [
        "## What a check costs without a GPU",
        "",
        f"`python -m benchmarks.checking` at {kernels[0]['commit']}: {len(kernels)} kernels of the corpus through "
        "all gates one after another, at a reduced batch, compiled for an H100 and executed on a CPU of two cores, "
        f"after imports. {_spread(kernels)} At most {max(row['peak_mb'] for row in kernels) / 1000:.1f} GB.",
        *(f"The {row['kernel']}, executed: {row['seconds']:.2f} s." for row in products),
        "",
        "| kernel | verdict | s | CPU s | compiler s | MB |",
        "|---|---|---|---|---|---|",
        *(
            f"| {row['kernel']} | {row['outcome']} | {row['seconds']:.1f} | {row['cpu_s']:.1f} "
            f"| {row['gates'].get('compile', 0.0):.1f} | {row['peak_mb']} |"
            for row in kernels[:_SHOWN]
        ),
    ]
    return "\n".join(lines) + "\n"


def compiling_table(rows: list[dict[str, Any]]) -> str:
    """Medians over the rounds, a kernel or a candidate."""
    sets = {"settings": "settings of one matrix product", "corpus": "kernels of the corpus"}
    ways = {
        "one by one": "one by one, with library and instructions",
        "together": "in one call, with library and instructions",
        "at the gate": "side by side at the gate of `check`",
    }
    lines = [
        "## What compiling costs",
        "",
        f"`python -m benchmarks.compiling` at {rows[0]['commit']}: eight candidates each, for an {rows[0]['gpu']}, "
        f"on {rows[0]['cores']} cores, nvcc {rows[0]['versions']['nvcc']}, after imports, from an empty cache. "
        "Seconds of the clock and of the CPU for each of them.",
        "",
        "| eight | how | s | CPU s |",
        "|---|---|---|---|",
    ]
    for name, how in itertools.product(sets, ways):
        chosen = [row for row in rows if (row["set"], row["how"]) == (name, how)]
        spent = [f"{statistics.median(row[field] for row in chosen):.2f}" for field in ("seconds", "cpu_s")]
        lines.append(f"| {sets[name]} | {ways[how]} | {' | '.join(spent)} |")
    return "\n".join(lines) + "\n"


def _spread(rows: list[dict[str, Any]]) -> str:
    def said(name: str) -> str:
        spent = sorted(row[name] for row in rows)
        return f"median {statistics.median(spent):.1f}, nine in ten within {spent[int(0.9 * (len(spent) - 1))]:.1f}"

    return f"Seconds: {said('seconds')}; CPU seconds of all processes: {said('cpu_s')}."
