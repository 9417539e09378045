"""What is a run made of?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from tilewright.protocols import Evaluator, Gate, Proposer, Verdict, Watcher
from tilewright.records import (
    Attempt,
    Brief,
    Candidate,
    Evaluation,
    Evidence,
    Finding,
    Problem,
    Run,
    Told,
)
from tilewright.search.policies import Policy
from tilewright.search.policies.greedy import Greedy
from tilewright.search.reflecting import Notebook
from tilewright.search.stopping import StopRules
from tilewright.search.underway import Stages

Phase = Literal["seed", "structure", "knobs"]
Analyze = Callable[[Candidate, Problem, Evidence, "Evaluation | None"], Sequence[Finding]]
EqualWork = Callable[[Problem, Candidate, Evidence, Candidate, Evidence], bool]
"""Whether two candidates surely do the same work on the GPU, given what compiling each found out."""


class Memory(Notebook, Protocol):
    """What the loop needs of the store."""

    def append(self, run_id: str, attempt: Attempt) -> None: ...
    def remember(self, run_id: str, place: str, candidates: Sequence[Candidate]) -> None: ...
    def remembered(self, run_id: str, place: str) -> tuple[Candidate, ...] | None: ...
    def tell(self, run_id: str, place: str, told: Told) -> None: ...
    def keep_verdict(self, run_id: str, candidate_id: str, gates: str, verdict: Verdict) -> None: ...
    def verdict(self, run_id: str, candidate_id: str, gates: str) -> Verdict | None: ...
    def keep_evaluation(self, run_id: str, candidate_id: str, job: str, evaluation: Evaluation) -> None: ...
    def evaluation(self, run_id: str, candidate_id: str, job: str) -> Evaluation | None: ...
    def finish(self, run: Run) -> None: ...


@dataclass(frozen=True)
class Parts:
    """The parts a run is made of; `wiring` chooses them."""

    gates: Sequence[Gate]
    evaluator: Evaluator
    analyze: Analyze
    structure_proposers: Sequence[Proposer]
    tuner: Proposer | None
    memory: Memory
    watcher: Watcher
    stop: StopRules
    candidates_per_turn: int
    tune_budget: int
    search: Policy = Greedy()
    workers: int = 2
    deadline_s: float = 180.0
    gates_version: str = ""
    """What `gates` said is used again by a run that goes on while this is the same; "" asks them anew."""
    last_gates: Sequence[Gate] = ()
    """While a new best is measured again."""
    policy: Literal["report", "own-kernels"] = "report"
    error_factor: float = 16.0
    backward: bool = False
    repair: bool = False
    from_nothing: bool = False
    """Whether the seed is the reference and no kernel: it is not judged, and what is right is a gain."""
    repairs: int = 2
    """How often a proposer that can may mend what failed of a turn's structures."""
    inform: Callable[[Brief], Told] = lambda brief: Told()
    """What is known beyond the run: examples, guidelines, lessons, the distance to the limit."""
    equal_work: EqualWork | None = None
    """Work is shared only by what this says; None measures every candidate."""
    before_turn: Callable[[Run], None] = lambda run: None
    """May let other runs go first; the time that it takes isn't the run's."""
    called_off: Callable[[], tuple[str, str] | None] = lambda: None
    """A reason to stop that isn't the run's own."""
    under_way: Callable[[Stages], None] = lambda stages: None
    """Is told how many candidates are where, from several threads."""
