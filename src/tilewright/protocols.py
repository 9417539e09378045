"""The roles of the system: who proposes, checks, evaluates, finds and retrieves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from tilewright.records import (
    Attempt,
    Brief,
    Candidate,
    CompileFailed,
    Crashed,
    Evaluation,
    Evidence,
    Example,
    Finding,
    Job,
    Lesson,
    Problem,
    Rejected,
    Run,
    TimedOut,
    Unscorable,
    Wrong,
)

Failure = Rejected | CompileFailed | Wrong | Crashed | TimedOut | Unscorable


@dataclass(frozen=True)
class Verdict:
    """A gate's answer: what it found out, and the failure that ends the candidate's way, if any."""

    evidence: Evidence = Evidence()
    failure: Failure | None = None


@runtime_checkable
class Proposer(Protocol):
    """Makes candidates from a brief. Stateless: the same brief gives the same proposals, so that a
    run resumes where it was killed."""

    name: str

    def propose(self, brief: Brief) -> Sequence[Candidate]: ...


@runtime_checkable
class Repairer(Protocol):
    """A proposer that mends what it proposed. `failed` are attempts of this turn that gates or the evaluator refused;
    the answer may leave some out. A candidate's parent is the one that it mends."""

    name: str

    def repair(self, brief: Brief, failed: Sequence[Attempt]) -> Sequence[Candidate]: ...


@runtime_checkable
class Reflector(Protocol):
    """A proposer that learns from what became of a turn's attempts."""

    name: str

    def reflect(self, brief: Brief, tried: Sequence[Attempt]) -> Sequence[Lesson]: ...


@runtime_checkable
class Gate(Protocol):
    """A check that costs no GPU time. `evidence` is what the gates before it found out."""

    name: str

    def check(self, candidate: Candidate, problem: Problem, evidence: Evidence) -> Verdict: ...


@runtime_checkable
class Evaluator(Protocol):
    """Turns jobs into evaluations.

    The future's result is an `Evaluation` for all that is the candidate's doing; it raises
    `MachineryError` for what is not, and only then may be tried again. `close` ends all processes.
    """

    name: str

    def submit(self, job: Job) -> Future[Evaluation]: ...

    def close(self) -> None: ...


@runtime_checkable
class Wide(Protocol):
    """An evaluator that makes use of several jobs at a time; others are asked for one after the other."""

    @property
    def at_once(self) -> int: ...


def at_once(evaluator: Evaluator) -> int:
    return max(1, evaluator.at_once) if isinstance(evaluator, Wide) else 1


@runtime_checkable
class Rule(Protocol):
    """Reads evidence and says what holds a kernel back. Touches no GPU."""

    name: str

    def find(self, candidate: Candidate, problem: Problem, evidence: Evidence) -> Sequence[Finding]: ...


@runtime_checkable
class Retriever(Protocol):
    """Finds kernels like the one at hand."""

    name: str

    def retrieve(
        self, problem: Problem, candidate: Candidate, k: int, findings: Sequence[Finding] = ()
    ) -> Sequence[Example]: ...


class Watcher(Protocol):
    """Is told what happens in a run, as it happens; shows it or writes it down."""

    def started(self, run: Run) -> None: ...

    def trying(self, candidate: Candidate, phase: str, turn: int) -> None: ...

    def tried(self, run: Run, attempt: Attempt) -> None: ...

    def note(self, message: str) -> None: ...

    def stopped(self, run: Run) -> None: ...


Select = Callable[[Run], Attempt]
"""Which attempt to grow from."""
Keep = Callable[[Run, Attempt], bool]
"""Whether an attempt is the new best of a run that holds it."""
Stop = Callable[[Run], "tuple[str, str] | None"]
"""The reason to stop and its detail, or None."""
