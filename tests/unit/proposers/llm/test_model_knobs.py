"""A model chooses knobs, under a schema."""

from __future__ import annotations

import json
from dataclasses import replace

from samples import attempt, measured
from tilewright.hardware import load_gpu
from tilewright.lm import Model, Question, scripted
from tilewright.proposers.llm.knobs import KnobChooser
from tilewright.proposers.tuner import KnobTuner
from tilewright.records import Attempt, Brief, Candidate, Problem
from tilewright.source.knobs import values_of

KERNEL = Candidate(
    """import tilelang
import tilelang.language as T

TUNABLES = {"block": (128, 256, 512), "threads": (128, 256)}


@tilelang.jit(out_idx=[-1])
def scale(n, block=128, threads=128):
    @T.prim_func
    def main(x: T.Tensor((n,), "float16"), y: T.Tensor((n,), "float16")):
        with T.Kernel(T.ceildiv(n, block), threads=threads) as bx:
            for i in T.Parallel(block):
                y[bx * block + i] = x[bx * block + i] * 2

    return main
"""
)


def brief(*history: Attempt) -> Brief:
    parent = attempt(0, measured(0.5), 0, "seed")
    parent = replace(parent, candidate=KERNEL)
    return Brief(Problem("p", ""), parent, (parent, *history), 1, "knobs", "H100", 3)


def chooser(answer: dict[str, object] | str, notes: list[str] | None = None) -> tuple[KnobChooser, list[Question]]:
    asked: list[Question] = []

    def answering(question: Question) -> str:
        asked.append(question)
        return answer if isinstance(answer, str) else json.dumps(answer)

    told = notes if notes is not None else []
    search = KnobTuner(load_gpu("H100"), 20)
    return KnobChooser(search, Model([scripted(answering)]), told.append), asked


def test_the_model_begins_and_the_search_goes_on() -> None:
    proposer, asked = chooser({"block": 512, "threads": 256})
    found = proposer.propose(brief())
    assert values_of(found[0].source) == {"block": 512, "threads": 256}
    assert found[0].proposer == "llm" and found[0].structure == KERNEL.id and len(found) == 3
    assert len(asked) == 1


def test_it_is_asked_once_a_structure() -> None:
    proposer, asked = chooser({"block": 512, "threads": 256})
    tried = replace(attempt(1, measured(0.6), 1, "knobs"), candidate=proposer.propose(brief())[0])
    proposer.propose(brief(tried))
    assert len(asked) == 1


def test_what_is_no_choice_costs_that_setting_alone() -> None:
    notes: list[str] = []
    proposer, _ = chooser({"block": 7, "threads": 256}, notes)
    assert all(candidate.proposer == "tuner" for candidate in proposer.propose(brief()))
    assert notes


def test_the_setting_that_is_there_is_not_tried_again() -> None:
    notes: list[str] = []
    proposer, _ = chooser({"block": 128, "threads": 128}, notes)
    assert all(candidate.proposer == "tuner" for candidate in proposer.propose(brief()))
    assert "it is the one there is" in notes[0]
