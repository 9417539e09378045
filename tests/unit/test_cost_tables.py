"""Tables of what commands cost."""

from __future__ import annotations

from typing import Any

from benchmarks.cost_tables import analyzing_table


def row(kernel: str, cpu_s: float, how: str = "warm") -> dict[str, Any]:
    return {"kernel": kernel, "cpu_s": cpu_s, "how": how, "gpu": "H100", "cores": 2, "device_functions": 1}


def test_the_costliest_analyses_come_first_and_imports_are_told_apart() -> None:
    table = analyzing_table([row("1_1", 3.0), row("3_43", 9.0), row("1_2", 4.0), row("1_1", 14.0, "command")])
    assert "3 kernels of the corpus" in table and "Median 4.0" in table and "2 within 5" in table
    assert table.index("| 3_43 | 1 | 9.0 |") < table.index("| 1_2 | 1 | 4.0 |") < table.index("| 1_1 | 1 | 3.0 |")
    assert "As a command, imports included: median 14.0 of 1." in table
