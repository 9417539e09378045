"""A run among others waits for its turn, and stops when all are called off."""

from __future__ import annotations

import time
from dataclasses import replace

from samples import candidate, measured
from search.test_loop import SEED, Scripted, parts
from tilewright.records import Run
from tilewright.search.loop import continue_run
from tilewright.search.stopping import StopRules
from tilewright.store import Store

TURNS = {turn: [candidate(f"{turn} {number}") for number in range(2)] for turn in (1, 2)}
ANSWERS = {one.id: measured(0.5) for ones in TURNS.values() for one in ones} | {SEED.id: measured(0.5)}


def test_each_turn_waits_until_it_may_begin_and_that_time_is_not_the_run_s(store: Store) -> None:
    attempts: list[int] = []

    def wait(run: Run) -> None:
        attempts.append(len(run.attempts))
        time.sleep(0.3)

    made = replace(parts(store, Scripted(TURNS), ANSWERS, StopRules(9, 0.05, 9, 2)), before_turn=wait)
    clock = time.monotonic()
    ended = continue_run(store.load("r1"), SEED, made)
    assert attempts == [1, 3] and ended.stop_reason == "iterations"
    assert ended.seconds <= time.monotonic() - clock - 0.6


def test_what_is_called_off_ends_with_the_candidate_in_hand(store: Store) -> None:
    def called_off() -> tuple[str, str] | None:
        return ("gpu_seconds", "all are spent") if len(store.load("r1").attempts) > 1 else None

    made = replace(parts(store, Scripted(TURNS), ANSWERS), called_off=called_off)
    ended = continue_run(store.load("r1"), SEED, made)
    assert (ended.stop_reason, ended.stop_detail, len(ended.attempts)) == ("gpu_seconds", "all are spent", 2)
    assert store.load("r1").stop_reason == "gpu_seconds"
