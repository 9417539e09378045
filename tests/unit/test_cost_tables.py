"""Tables of what commands cost."""

from __future__ import annotations

from typing import Any

from benchmarks.cost_tables import analyzing_table, checking_table, compiling_table

WHERE = {"gpu": "H100", "cores": 2, "commit": "abc1234"}


def analysed(kernel: str, seconds: float, how: str = "warm") -> dict[str, Any]:
    return {"kernel": kernel, "seconds": seconds, "cpu_s": seconds + 1, "how": how, "device_functions": 1, **WHERE}


def checked(kernel: str, seconds: float, peak_mb: int) -> dict[str, Any]:
    spent = {"seconds": seconds, "cpu_s": 2 * seconds, "gates": {"compile": seconds / 2}}
    return {"kernel": kernel, "outcome": "passed", "peak_mb": peak_mb, **spent, **WHERE}


def test_the_costliest_analyses_come_first_and_imports_are_told_apart() -> None:
    rows = [analysed("1_1", 3.0), analysed("3_43", 9.0), analysed("1_2", 4.0), analysed("1_1", 14.0, "command")]
    table = analyzing_table(rows)
    assert "at abc1234: 3 kernels of the corpus" in table and "Seconds: median 4.0" in table
    assert "all processes: median 5.0" in table and "2 within 5 s" in table
    lines = ("| 3_43 | 1 | 9.0 | 10.0 |", "| 1_2 | 1 | 4.0 | 5.0 |", "| 1_1 | 1 | 3.0 | 4.0 |")
    assert sorted(lines, key=table.index) == list(lines)
    assert "As a command, imports included: median 14.0 s of 1." in table


def test_a_check_is_told_with_its_spread_its_memory_and_the_product() -> None:
    product = {"kernel": "product of 2048 x 2048 in fp16", "seconds": 0.23, "cpu_s": 0.4, **WHERE}
    table = checking_table([checked("1_1", 1.0, 900), checked("1_54", 7.0, 2100), product])
    assert "2 kernels of the corpus" in table and "Seconds: median 4.0" in table and "At most 2.1 GB." in table
    assert "The product of 2048 x 2048 in fp16, executed: 0.23 s." in table
    assert table.index("| 1_54 | passed | 7.0 | 14.0 | 3.5 | 2100 |") < table.index("| 1_1 |")


def test_of_compiling_the_medians_are_told() -> None:
    rows = [
        {"set": name, "how": how, "seconds": seconds, "cpu_s": 2 * seconds, "versions": {"nvcc": "13.0.88"}, **WHERE}
        for name in ("settings", "corpus")
        for how in ("one by one", "together", "at the gate")
        for seconds in (1.0, 0.5, 9.0)
    ]
    table = compiling_table(rows)
    assert "nvcc 13.0.88" in table and table.count("| 1.00 | 2.00 |") == 6
