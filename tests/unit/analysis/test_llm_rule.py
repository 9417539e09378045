"""What a language model says holds a kernel back, as findings."""

from __future__ import annotations

from dataclasses import replace

from analysis_facts import elementwise_kernel, evidence, facts

from samples import measured, timing
from tilewright.analysis.limit import limit
from tilewright.analysis.llm_rule import LlmRule
from tilewright.hardware import load_gpu
from tilewright.lm import Model, Question, scripted
from tilewright.protocols import Rule
from tilewright.records import Attempt, Brief, Candidate, Evidence, Finding, Problem

PROBLEM = Problem("p", "class Model: pass\n")
SOURCE = "import tilewright_nothing\n\n\ndef kernel():\n    for k in T.serial(4096):\n        pass\n"
SAID = """[[ ## findings ## ]]
### 1. One thread walks through the whole row.
Category: Algorithmic
Saves: 60 to 80%
Line: `for k in T.serial(4096):`
Evidence: 4096 dependent steps
Do: Share the row among the block's threads.

### 2. It feels slow
Category: karma
"""


def test_its_findings_have_category_saving_line_and_action() -> None:
    rule = LlmRule(Model([scripted([SAID])]))
    assert isinstance(rule, Rule)
    first, second = rule.find(Candidate(SOURCE), PROBLEM, Evidence())
    assert first == Finding(
        "llm", "algorithmic", "critical", "One thread walks through the whole row.",
        "Share the row among the block's threads.",
        (("shown", "4096 dependent steps"), ("estimate", "the model's own")), 5, 0.6,
    )  # fmt: skip
    assert (second.category, second.severity, second.saves, second.line) == ("algorithmic", "low", 0.0, None)


def test_it_is_told_what_the_rules_found_and_what_to_look_at() -> None:
    asked: list[Question] = []

    def answering(question: Question) -> str:
        asked.append(question)
        return SAID

    found = Finding("few-threads", "parallelism", "low", "64 threads a block", "Use more.", (), None, 0.05)
    parent = Attempt(0, 0, "seed", Candidate(SOURCE), measured(0.5), Evidence(), (found,))
    brief = Brief(PROBLEM, parent, (parent,), 3, "structure", "H100", 3)
    LlmRule(Model([scripted(answering)]), "bank conflicts").of_brief(brief)
    [question] = asked
    text = question.messages[1].text
    assert "1. 64 threads a block (rule few-threads" in text and "[[ ## focus ## ]]\nbank conflicts" in text
    assert "Measured on H100: 0.50x" in text
    assert (question.purpose, question.rollout_id) == ("analyse turn 3", 300)


def test_it_is_told_what_was_tried_so_that_it_advises_nothing_that_was_refuted() -> None:
    asked: list[Question] = []

    def answering(question: Question) -> str:
        asked.append(question)
        return SAID

    seed = Attempt(0, 0, "seed", Candidate(SOURCE), measured(0.5))
    wider = Candidate(SOURCE + "x = 1\n", parent=seed.candidate.id, proposer="llm", hypothesis="More rows a block.")
    slower = Attempt(1, 1, "structure", wider, measured(0.2))
    brief = Brief(PROBLEM, seed, (seed, slower), 2, "structure", "H100", 3)
    LlmRule(Model([scripted(answering)])).of_brief(brief)
    text = asked[0].messages[1].text
    assert "More rows a block.\n-> 0.20x" in text and "[[ ## knobs ## ]]\nNo other values were tried" in text


def test_a_share_of_what_another_finding_leaves_stays_one() -> None:
    said = """[[ ## findings ## ]]
### 1. The row is read twice
Saves: 50%
### 2. Loads are narrow
Saves: 40%
After: 1
Evidence: 16 bits
### 3. Few blocks
Saves: 30% of what is left once 2 is done
### 4. Many launches
Saves: 10%
After: known 1
### 5. Never read
Saves: 10%
"""
    known = Finding("atomics", "memory", "high", "many atomics", "Add up first.", saves=0.8)
    parent = Attempt(0, 0, "seed", Candidate(SOURCE), measured(0.5), Evidence(), (known,))
    brief = Brief(PROBLEM, parent, (parent,), 1, "structure", "H100", 3)
    found = LlmRule(Model([scripted([said])])).of_brief(brief)
    assert [one.saves for one in found] == [0.5, 0.2, 0.09, 0.02]
    left = "of what is left once this is mended"
    assert [dict(one.evidence).get("counted") for one in found] == [
        None, f"40% {left}: The row is read twice", f"30% {left}: Loads are narrow", f"10% {left}: many atomics",
    ]  # fmt: skip
    assert dict(found[1].evidence)["shown"] == "16 bits"


def test_no_claim_promises_more_than_lies_above_the_limit() -> None:
    near = facts([elementwise_kernel()])
    gpu = load_gpu("H100")
    candidate_ms = 1.25 * limit(near, gpu).floor_ms
    timed = measured(0.5, timings=(replace(timing(0.5), candidate_ms=candidate_ms),))
    parent = Attempt(0, 0, "seed", Candidate(SOURCE), timed, evidence(near))
    brief = Brief(PROBLEM, parent, (parent,), 1, "structure", "H100", 3)
    first, _ = LlmRule(Model([scripted([SAID])])).of_brief(brief)
    assert (first.severity, round(first.saves, 4)) == ("medium", 0.2)
    assert dict(first.evidence)["estimate"] == "the model's own of 60%, where 20% of the time lies above the limit"


def test_nobody_is_asked_where_there_is_no_kernel_yet() -> None:
    parent = Attempt(0, 0, "seed", Candidate(PROBLEM.source), None)
    brief = Brief(PROBLEM, parent, (parent,), 1, "structure", "H100", 3)
    assert LlmRule(Model([scripted([])])).of_brief(brief) == ()
