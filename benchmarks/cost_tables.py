"""What do commands cost on a CPU? As tables of RESULTS.md."""

from __future__ import annotations

import statistics
from typing import Any

ENOUGH_S = 5.0
_SHOWN = 8


def analyzing_table(rows: list[dict[str, Any]]) -> str:
    """Of warm processes and of commands; the kernels that take most."""
    warm = sorted((row for row in rows if row["how"] == "warm"), key=lambda row: -row["cpu_s"])
    command = [row["cpu_s"] for row in rows if row["how"] == "command"]
    spent = sorted(row["cpu_s"] for row in warm)
    lines = [
        "## What an analysis costs without a GPU",
        "",
        f"`python -m benchmarks.analyzing`: {len(warm)} kernels of the corpus, each compiled for an {warm[0]['gpu']} "
        f"for the first time, on {warm[0]['cores']} cores that others used, too: CPU seconds of all processes, after "
        f"imports. Median {statistics.median(spent):.1f}, nine in ten within "
        f"{spent[int(0.9 * (len(spent) - 1))]:.1f}; {sum(one <= ENOUGH_S for one in spent)} within {ENOUGH_S:g}.",
        "",
        "| kernel | device functions | CPU s |",
        "|---|---|---|",
        *(f"| {row['kernel']} | {row['device_functions']} | {row['cpu_s']:.1f} |" for row in warm[:_SHOWN]),
    ]
    if command:
        lines += ["", f"As a command, imports included: median {statistics.median(command):.1f} of {len(command)}."]
    return "\n".join(lines) + "\n"
