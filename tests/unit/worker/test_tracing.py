"""What CUPTI recorded of a block, told apart by calls."""

from __future__ import annotations

import pytest
import torch

from tilewright.worker.running.cupti import Activities, Piece, Unavailable
from tilewright.worker.running.tracing import spans_ms
from tilewright.worker.timing.rounds import _agree, _calls_a_pair, _means
from tilewright.worker.timing.sides import Ran

FLUSH_NS, COPY_NS = 30_000, 900
FLUSHED = 100 << 20


def block(before: list[int], kernels: list[list[tuple[int, int]]], after: int) -> list[Piece]:
    """Copies and small launches, a flush, the kernels as (gap, length) in ns, copies of outputs; for each call."""
    pieces, now = [], 1000

    def put(length: int, gap: int = 500) -> None:
        nonlocal now
        pieces.append(Piece(now + gap, now + gap + length))
        now += gap + length

    for ahead, own in zip(before, kernels):
        for _ in range(ahead - 1):
            put(COPY_NS)
        put(FLUSH_NS)
        for gap, length in own:
            put(length, gap)
        for _ in range(after):
            put(COPY_NS)
    return pieces


def test_a_span_runs_from_the_first_kernel_of_a_call_to_its_last() -> None:
    before = [3, 9, 2]
    pieces = block(before, [[(2000, 1800), (700, 4000)]] * 3, after=2)
    assert spans_ms(pieces, before, [2, 2, 2], FLUSHED) == pytest.approx([0.0065] * 3)


def test_a_piece_too_few_or_too_many_leaves_no_spans() -> None:
    before = [3, 9, 2]
    pieces = block(before, [[(2000, 1800)]] * 3, after=1)
    assert spans_ms(pieces[:-1], before, [1, 1, 1], FLUSHED) == []
    assert spans_ms([*pieces, Piece(10**9, 10**9 + 5)], before, [1, 1, 1], FLUSHED) == []
    assert spans_ms([], before, [1, 1, 1], FLUSHED) == []
    assert spans_ms([], [], [], FLUSHED) == []


def test_calls_that_launch_differently_are_noticed_though_their_sum_fits() -> None:
    before = [2, 2, 2]
    pieces = block(before, [[(2000, 1800)], [(2000, 1800)] * 3, [(2000, 1800)] * 2], after=1)
    assert spans_ms(pieces, before, [1, 1, 1], FLUSHED) == []


def test_a_kernel_that_began_before_the_flush_is_noticed() -> None:
    pieces = block([2, 2], [[(2000, 1800)]] * 2, after=1)
    early = [Piece(1, 2), *(p for p in pieces if p is not pieces[2])]
    assert spans_ms(early, [2, 2], [1, 1], FLUSHED) == []


def test_kernels_on_several_streams_end_with_the_longest() -> None:
    pieces = [Piece(0, FLUSH_NS), Piece(40_000, 90_000), Piece(41_000, 42_000)]
    assert spans_ms(pieces, [1], [0], FLUSHED) == pytest.approx([0.05])


def test_a_record_that_leaves_out_what_the_events_saw_does_not_agree() -> None:
    def ran(span_us: float) -> Ran:
        return Ran([0.020] * 4, 1.0, True, [], [span_us / 1e3] * 4)

    honest, reference = ran(17.0), ran(16.8)
    assert _agree(honest, reference)
    assert not _agree(ran(12.0), reference)
    assert not _agree(Ran([0.02] * 4, 1.0, True, []), reference)


def test_short_calls_are_paired_by_their_means() -> None:
    assert [_calls_a_pair(ms, most=20) for ms in (0.0018, 0.014, 0.1, 0.5, 4.0)] == [20, 20, 3, 1, 1]
    assert _means([1.0, 3.0, 5.0, 7.0, 100.0], 2) == [2.0, 6.0]
    assert _means([1.0, 2.0], 10) == [1.5]


def test_the_device_is_not_asked_where_there_is_none() -> None:
    if torch.version.cuda is None:
        with pytest.raises(Unavailable):
            Activities()
