"""What is missing comes with what to do; how far candidates are locked in is tried out."""

from __future__ import annotations

import sys

import pytest

from tilewright.doctor import examine


@pytest.mark.skipif(sys.platform != "linux", reason="kernels run on Linux alone")
def test_programs_have_a_fix_where_they_are_missing_and_the_rung_of_isolation_is_named() -> None:
    items = {item.name: item for item in examine()}
    for program in ("nvcc", "nvdisasm"):
        assert items[program].works != bool(items[program].fix)
    assert items["isolation"].detail.startswith(("R0:", "R1:", "R2:", "R3:"))
