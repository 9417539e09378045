"""What is a proposer told that its run alone doesn't say: similar kernels, guidelines, lessons, the distance to the
limit."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tilewright.analysis.limit import share_reached
from tilewright.analysis.runfacts import with_runs
from tilewright.analysis.standing import standings
from tilewright.guidelines import create_optimization_guidelines
from tilewright.hardware import Gpu
from tilewright.protocols import Retriever
from tilewright.records import Brief, Example, Lesson, Told
from tilewright.scores import score
from tilewright.wording import kernels, teaching

LESSONS = 8
"""Of all that were learned, the ones that a proposer is told; the newest."""
_LOOKED_AT, _ALIKE = 3, 0.5
"""So many times the examples wanted are looked at; as relevant as the first is one with this share of its score."""


class Informer:
    """For one run. `lessons` gives what was learned so far, the newest first; lessons of another GPU are marked.
    `terms` are what the run asks of a candidate beyond the rules."""

    def __init__(
        self,
        gpu: Gpu,
        retriever: Retriever,
        examples: int,
        lessons: Callable[[], Sequence[Lesson]],
        terms: Sequence[str] = (),
    ) -> None:
        self._gpu, self._retriever, self._examples, self._lessons = gpu, retriever, examples, lessons
        self._terms = tuple(terms)

    def __call__(self, brief: Brief) -> Told:
        parent, problem = brief.parent, brief.problem
        reached = score(parent.evaluation)
        found = self._retriever.retrieve(problem, parent.candidate, _LOOKED_AT * self._examples, parent.findings)
        examples = _worth_showing(found)[: self._examples]
        guidelines: Sequence[str] = ()
        if reached is not None and reached.kind == "measured":  # an estimate is no speedup
            guidelines = create_optimization_guidelines(
                reached.value,
                brief.turn,
                precision=problem.precision,
                share_of_limit=share_reached(parent, brief.gpu),
                gpu=brief.gpu,
            )
        evidence = with_runs(parent.evidence, parent.evaluation)
        rows = standings(evidence, problem, self._gpu, reached is not None)
        standing = [kernels.standing(one) for one in rows]
        return Told(
            tuple(examples), tuple(guidelines), tuple(self._lessons()[:LESSONS]), tuple(standing), self._terms
        )


def _worth_showing(found: Sequence[Example]) -> Sequence[Example]:
    """Slow kernels would be imitated, so they are shown only where nothing else is about as relevant."""
    others = [one for one in found if not teaching.only_slow(one)]
    return others if any(one.score >= _ALIKE * found[0].score for one in others) else found
