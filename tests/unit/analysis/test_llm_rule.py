"""What a language model says holds a kernel back, as findings."""

from __future__ import annotations

from samples import measured
from tilewright.analysis.llm_rule import LlmRule
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
        "Share the row among the block's threads.", (("shown", "4096 dependent steps"),), 5, 0.6,
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
    assert "1. 64 threads a block (few-threads" in text and "[[ ## focus ## ]]\nbank conflicts" in text
    assert "Measured on H100: 0.50x" in text
    assert (question.purpose, question.rollout_id) == ("analyse turn 3", 300)


def test_nobody_is_asked_where_there_is_no_kernel_yet() -> None:
    parent = Attempt(0, 0, "seed", Candidate(PROBLEM.source), None)
    brief = Brief(PROBLEM, parent, (parent,), 1, "structure", "H100", 3)
    assert LlmRule(Model([scripted([])])).of_brief(brief) == ()
