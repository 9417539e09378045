"""What stands in machine code is counted as often as the traffic says that it runs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from analysis_facts import elementwise_kernel, facts, gemm_kernel

from tilewright.analysis.executed import Executed, bytes_per_access, executed, loads_standing
from tilewright.analysis.model import expected_time
from tilewright.hardware import load_gpu
from tilewright.records import Instructions, KernelFacts

H100 = load_gpu("H100")
WIDE = ((128, 1),)
NARROW = ((16, 8),)
STRAIGHT = Instructions(total=60, global_loads=WIDE, global_stores=WIDE, barriers=2)


def streaming(whole: Instructions | None, loop: Instructions | None = None, **more: Any) -> KernelFacts:
    """Each of 2 Mi threads moves 32 bytes: one wide load, one wide store."""
    return elementwise_kernel(2**24, 2048, 256, instructions=whole, loop_instructions=loop or Instructions(0), **more)


def ms(kernel: KernelFacts, instructions: bool = True) -> float:
    return expected_time(facts([kernel], elements=2**24), H100, instructions=instructions).total_ms


def test_code_without_loops_runs_once() -> None:
    assert executed(streaming(STRAIGHT)) == Executed(60, 2)


def test_a_loop_runs_as_often_as_its_body_must_to_move_a_threads_share() -> None:
    body = Instructions(total=40, global_loads=WIDE, global_stores=WIDE, barriers=1)
    twice = streaming(STRAIGHT, body, grid=(2**24 // 2048 // 2,))
    assert executed(twice) == Executed(60 + 40, 2 + 1)


def test_a_loop_that_moves_nothing_runs_as_often_as_the_sources() -> None:
    assert executed(streaming(STRAIGHT, Instructions(total=10), serial_depth=5.0)) == Executed(60 + 4 * 10, 2)


def test_what_is_not_known_is_not_guessed() -> None:
    assert executed(streaming(None)) is None
    assert executed(gemm_kernel(instructions=STRAIGHT)) is None
    assert bytes_per_access(streaming(None)) == 16.0 and loads_standing(streaming(None)) == 0.0


def test_widths_are_those_in_the_code() -> None:
    assert bytes_per_access(streaming(STRAIGHT)) == 16.0
    assert bytes_per_access(streaming(replace(STRAIGHT, global_loads=NARROW, global_stores=NARROW))) == 2.0
    assert loads_standing(streaming(STRAIGHT, Instructions(9, global_loads=NARROW))) == 16.0


@pytest.mark.parametrize(
    "worse",
    [
        replace(STRAIGHT, global_loads=NARROW, global_stores=NARROW),
        replace(STRAIGHT, barriers=72),
        replace(STRAIGHT, total=3000),
    ],
    ids=["narrow loads", "barriers", "instructions"],
)
def test_what_only_the_binary_shows_costs_time(worse: Instructions) -> None:
    assert ms(streaming(worse)) > 1.02 * ms(streaming(STRAIGHT))
    assert ms(streaming(worse), instructions=False) == ms(streaming(STRAIGHT), instructions=False)


@pytest.mark.parametrize("share", [0.5, 0.01])
def test_less_work_is_never_slower_with_instructions(share: float) -> None:
    body = Instructions(total=40, global_loads=NARROW, global_stores=WIDE, barriers=1)
    for kernel in (streaming(STRAIGHT), streaming(STRAIGHT, body, serial_depth=64.0, grid=(64,))):
        for name in ("global_bytes", "flops", "serial_depth", "atomics"):
            assert ms(replace(kernel, **{name: (getattr(kernel, name) or 0.0) * share})) <= ms(kernel)
