"""A turn of a language model: plan, modules, repairs, lessons; and what happens where it doesn't answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from llm_briefs import CACHED, KERNEL, SEED, attempt, brief, knob_attempt

from samples import estimated, measured
from tilewright.errors import AwaitingAnswers, ModelUnavailable
from tilewright.lm import Model, Question, open_model, parse_models, scripted
from tilewright.proposers.llm import LlmProposer
from tilewright.protocols import Proposer, Reflector, Repairer
from tilewright.records import CompileFailed, Finding, Unscorable

PLAN = """[[ ## hypotheses ## ]]
### 1. Keep the kernel: building it costs more than running it.
Gain: 10
How:
1. a dict
2. by size

### 2. More elements a thread.
Gain: 1.2
How: block 1024
"""
WIDER = KERNEL.replace("block=256", "block=1024")


def module(source: str) -> str:
    return f"[[ ## notes ## ]]\nas said\n\n[[ ## module ## ]]\n```python\n{source}```\n\n[[ ## completed ## ]]"


def proposer(
    answering: Callable[[Question], str] | Sequence[str], notes: list[str] | None = None, **more: object
) -> LlmProposer:
    told = [] if notes is None else notes
    return LlmProposer(Model([scripted(answering)]), on_note=told.append, **more)  # type: ignore[arg-type]


def by_purpose(answers: dict[str, str]) -> Callable[[Question], str]:
    """The answer whose key begins the question's purpose."""
    return lambda question: next(text for key, text in answers.items() if question.purpose.startswith(key))


def test_it_plays_all_three_parts() -> None:
    part = proposer([])
    assert isinstance(part, Proposer) and isinstance(part, Repairer) and isinstance(part, Reflector)


def test_each_hypothesis_of_the_plan_becomes_a_candidate() -> None:
    asked: list[Question] = []

    def answering(question: Question) -> str:
        asked.append(question)
        if question.purpose.startswith("plan"):
            return PLAN
        return module(
            CACHED if "Keep the kernel" in question.messages[1].text.split("## hypothesis ##")[1] else WIDER
        )

    first, second = proposer(answering).propose(brief(turn=2))
    assert (first.source, second.source) == (CACHED, WIDER)
    assert first.hypothesis == "Keep the kernel: building it costs more than running it."
    assert {(c.parent, c.proposer, c.entry_point) for c in (first, second)} == {(SEED.id, "llm", "ModelNew")}
    assert sorted(question.rollout_id for question in asked) == [200, 200, 201]


def test_the_same_brief_is_answered_the_same() -> None:
    answers = by_purpose({"plan": PLAN, "rewrite": module(CACHED)})
    assert proposer(answers).propose(brief()) == proposer(answers).propose(brief())


def test_no_more_hypotheses_are_written_than_candidates_are_wanted() -> None:
    answers = by_purpose({"plan": PLAN, "rewrite": module(CACHED)})
    assert len(proposer(answers).propose(brief(limit=1))) == 1


def test_findings_are_told_by_what_they_could_save_with_who_found_them() -> None:
    seen: list[str] = []
    found = [
        Finding("llm", "memory", "low", "loads are narrow", "Widen them.", saves=0.1),
        Finding("llm", "host", "high", "it waits for the host", "Don't.", saves=0.3),
    ]

    def answering(question: Question) -> str:
        seen.append(question.messages[1].text)
        return PLAN if question.purpose.startswith("plan") else module(CACHED)

    proposer(answering, analyse=lambda brief: found).propose(brief())
    for text in seen:
        assert "1. it waits for the host (said by a model, host, could save 30% of the time)" in text
        assert "2. kernel relu_kernel has 64 threads a block (rule few-threads, parallelism, could save 20%" in text
        assert "3. loads are narrow (said by a model, memory, could save 10% of the time)" in text


def test_a_question_without_an_answer_costs_that_candidate_alone() -> None:
    notes: list[str] = []
    answers = by_purpose({"plan": PLAN, "rewrite turn 2 hypothesis 1": "I can't.", "rewrite": module(WIDER)})
    [candidate] = proposer(answers, notes).propose(brief())
    assert candidate.source == WIDER and len(notes) == 1 and "hypothesis 1" in notes[0]


def test_a_plan_that_is_no_list_is_one_hypothesis() -> None:
    answers = by_purpose({"plan": "Keep the kernel in a dict.\nIt is slow to build.", "rewrite": module(CACHED)})
    [candidate] = proposer(answers).propose(brief())
    assert candidate.hypothesis == "Keep the kernel in a dict."


def test_tunables_that_name_nothing_are_told_to_the_model() -> None:
    asked: list[Question] = []

    def answering(question: Question) -> str:
        if question.purpose.startswith("plan"):
            return PLAN
        asked.append(question)
        return module('TUNABLES = {"nothing": (1, 2)}\n' + KERNEL if len(asked) == 1 else CACHED)

    proposer(answering, hypotheses=1).propose(brief())
    assert len(asked) == 2 and "TUNABLES names 'nothing'" in asked[1].messages[0].text


def test_nobody_there_ends_the_proposing() -> None:
    def answering(question: Question) -> str:
        if question.purpose.startswith("plan"):
            return PLAN
        raise ModelUnavailable("no key")

    with pytest.raises(ModelUnavailable, match="no key"):
        proposer(answering).propose(brief())


def test_all_prompts_are_written_before_answers_are_awaited(tmp_path: Path) -> None:
    part = LlmProposer(open_model(parse_models(f"file:{tmp_path}")))
    with pytest.raises(AwaitingAnswers):
        part.propose(brief())
    [plan] = tmp_path.glob("*.prompt.md")
    Path(str(plan).replace(".prompt.", ".answer.")).write_text(PLAN)
    with pytest.raises(AwaitingAnswers, match="2 prompts await answers") as waiting:
        part.propose(brief())
    assert [Path(prompt).name[:33] for prompt in waiting.value.prompts] == [
        "0002-rewrite-turn-2-hypothesis-1-", "0003-rewrite-turn-2-hypothesis-2-",
    ]  # fmt: skip
    for prompt in waiting.value.prompts:
        Path(prompt.replace(".prompt.", ".answer.")).write_text(module(CACHED))
    assert [candidate.source for candidate in part.propose(brief())] == [CACHED, CACHED]


def test_a_repair_is_told_the_failure_and_mends_that_candidate() -> None:
    asked: list[Question] = []

    def answering(question: Question) -> str:
        asked.append(question)
        return module(WIDER)

    failed = attempt(8, KERNEL.replace("T.max", "T.maxx"), CompileFailed("T.maxx is unknown", 12, "Use T.max."))
    [mended] = proposer(answering).repair(brief(), [failed])
    assert (mended.parent, mended.hypothesis, mended.source) == (failed.candidate.id, "idea 8", WIDER)
    text = asked[0].messages[1].text
    assert "T.maxx is unknown\nat line 12: `Y[bx * block + i] = T.maxx(" in text and "Hint: Use T.max." in text
    assert asked[0].rollout_id == 250


def test_what_the_machinery_failed_at_is_not_repaired() -> None:
    failed = [attempt(8, KERNEL, None), attempt(9, KERNEL, Unscorable("the reference fails"))]
    assert proposer([]).repair(brief(), failed) == []


LESSONS = """[[ ## lessons ## ]]
### 1. Building a kernel in forward hides all else.
When: small tensors

### 7. About nothing.
When: never
"""


def test_a_gain_beyond_noise_becomes_a_lesson_with_its_ratio() -> None:
    [lesson] = proposer([LESSONS]).reflect(brief(), [attempt(8, CACHED, measured(1.0))])
    assert lesson.text == "Building a kernel in forward hides all else."
    assert (lesson.condition, lesson.ratio, lesson.gpu) == ("small tensors", 2.0, "H100")


def test_an_idea_that_made_it_slower_is_a_lesson_too() -> None:
    [lesson] = proposer([LESSONS]).reflect(brief(), [attempt(8, CACHED, measured(0.3))])
    assert lesson.ratio == 0.6


@pytest.mark.parametrize("evaluation", [measured(0.505), estimated(0.1), measured(1.0, trust="C"), None])
def test_noise_estimates_and_doubtful_numbers_teach_nothing(evaluation: object) -> None:
    assert proposer([]).reflect(brief(), [attempt(8, CACHED, evaluation)]) == ()  # type: ignore[arg-type]


def test_a_search_of_knobs_alone_teaches_nothing() -> None:
    assert proposer([]).reflect(brief(), [knob_attempt(8, "block=256", "block=512", measured(2.0))]) == ()
