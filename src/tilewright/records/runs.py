"""What is asked of proposers and evaluators, and what is remembered of a run."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import Literal

from tilewright.records.facts import Evidence, Finding
from tilewright.records.outcomes import Evaluation
from tilewright.records.tasks import Candidate, Problem, content_id

Effort = Literal["quick", "full", "confirm"]


@dataclass(frozen=True)
class Baseline:
    """What a candidate is timed against.

    "eager" is the reference as it is; "compile" and "max-autotune" the reference under `torch.compile` in its default
    mode and in that one; "seed" and "file:NAME" are other kernels for the same problem.
    """

    name: str
    kernel: Candidate | None = None


@dataclass(frozen=True)
class Job:
    """What an evaluator is handed. The first of `baselines` is the headline's."""

    candidate: Candidate
    problem: Problem
    evidence: Evidence = Evidence()
    effort: Effort = "full"
    gpu: str = ""
    incumbent_ratio: float | None = None
    deadline_s: float = 120.0
    policy: Literal["report", "own-kernels"] = "report"
    baselines: tuple[Baseline, ...] = (Baseline("eager"),)
    error_factor: float = 16.0
    """An error may be this many times PyTorch's own; another factor than 16 lowers the trust grade."""
    backward: bool = False
    """Whether the gradients of floating-point inputs and parameters are verified and timed too."""
    seeds: tuple[int, ...] = ()
    """Of an earlier evaluation whose draws are to be repeated, one a workload; drawn secretly where there is none."""


@dataclass(frozen=True)
class Cost:
    seconds: float = 0.0
    gpu_seconds: float = 0.0
    usd: float = 0.0
    tokens: int = 0


@dataclass(frozen=True)
class Message:
    """One message of a prompt. `role` is "system", "user" or "assistant"."""

    role: str
    text: str


@dataclass(frozen=True)
class Interaction:
    """One exchange with a language model. Keys were taken out of its texts before it was made."""

    purpose: str
    model: str
    messages: tuple[Message, ...]
    answer: str
    tokens_in: int | None
    """None where nobody counted: a person's answer, a repeated one, a call that failed."""
    tokens_out: int | None
    usd: float | None
    """None where it isn't known, which isn't nothing; 0 for answers that come without a call."""
    seconds: float
    when: str
    rollout_id: int = 0
    finish: str = ""
    """Why the answer ended: "stop", "length" where it was cut off, or another word of the provider's."""
    error: str = ""
    """Why there is no answer, or what was wrong with it."""

    @property
    def prompt_id(self) -> str:
        """Identity of what was asked, whoever was asked."""
        return prompt_id(self.messages)


def prompt_id(messages: tuple[Message, ...]) -> str:
    """Identity of a prompt: its roles and texts."""
    return content_id([[message.role, message.text] for message in messages])


@dataclass(frozen=True)
class Attempt:
    """One candidate's way through gates and evaluator. `evaluation` is None when it was abandoned."""

    index: int
    turn: int
    phase: Literal["seed", "structure", "knobs"]
    candidate: Candidate
    evaluation: Evaluation | None
    evidence: Evidence = Evidence()
    findings: tuple[Finding, ...] = ()
    cost: Cost = Cost()
    error: str = ""
    """Why the attempt was abandoned: the machinery's failure, not the candidate's."""
    shared_with: int | None = None
    """The earlier attempt whose evaluation this is, where both surely do the same work on the GPU."""


@dataclass(frozen=True)
class Lesson:
    """What an attempt taught, with the condition under which it holds."""

    text: str
    condition: str
    ratio: float | None = None
    gpu: str = ""


@dataclass(frozen=True)
class Run:
    """An ordered list of attempts at one problem, and why it stopped."""

    id: str
    problem: Problem
    kernel_path: str
    settings: tuple[tuple[str, str], ...]
    """Option and value as JSON; `tilewright.config` reads them back."""
    evaluator: str
    gpu: str
    started: str
    attempts: tuple[Attempt, ...] = ()
    stop_reason: str = ""
    stop_detail: str = ""
    seconds: float = 0.0
    notes: tuple[str, ...] = ()
    line_offset: int = 0
    """Added to a line of the seed's source to get the kernel file's, whose header says more."""
    baselines: tuple[Baseline, ...] = (Baseline("eager"),)


@dataclass(frozen=True)
class Judged:
    """An evaluation with all that is needed to repeat it. `job` is without the evidence."""

    job: Job
    evaluation: Evaluation
    where: Literal["local", "offline", "cpu"]
    """On a GPU, by an estimate for one, or natively (TileLang interpreted) on a CPU."""
    kernel_path: str
    gpu: str
    versions: tuple[tuple[str, str], ...]
    when: str

    @property
    def id(self) -> str:
        """Short: what a person types to have it repeated."""
        content = [self.evaluation.outcome, asdict(self.evaluation)]
        return content_id(self.job.candidate.id, self.job.problem.id, content)[:10]


@dataclass(frozen=True)
class Before:
    """The kernel that a faster one grew from, with its own ratio over PyTorch eager where it was measured."""

    source: str
    speedup_ratio: float | None = None


@dataclass(frozen=True)
class Example:
    """A kernel shown to a proposer, with what was measured of it.

    `score` is how well it fits, 0 upwards; `why` says that in words. `speedup_ratio` is over PyTorch eager on `gpu`.
    `techniques` are the names of those found in it (`data/techniques.toml`), what helps most first.
    """

    path: str
    problem: str
    source: str
    score: float
    speedup_ratio: float | None = None
    gpu: str = ""
    before: Before | None = None
    techniques: tuple[str, ...] = ()
    why: str = ""


@dataclass(frozen=True)
class Told:
    """What a brief says beyond its run: fixed once a turn, so that a run which is resumed tells the same."""

    examples: tuple[Example, ...] = ()
    guidelines: tuple[str, ...] = ()
    lessons: tuple[Lesson, ...] = ()
    standing: tuple[str, ...] = ()
    terms: tuple[str, ...] = ()


@dataclass(frozen=True)
class Brief:
    """What a proposer is told. `parent` is the attempt to grow from, `history` all before it, in order."""

    problem: Problem
    parent: Attempt
    history: tuple[Attempt, ...]
    turn: int
    phase: Literal["structure", "knobs"]
    gpu: str
    limit: int
    """How many candidates are wanted at most."""
    examples: tuple[Example, ...] = ()
    guidelines: tuple[str, ...] = ()
    lessons: tuple[Lesson, ...] = field(default=())
    standing: tuple[str, ...] = ()
    """How far the parent is from what the GPU allows, in short lines."""
    terms: tuple[str, ...] = ()
    """What this run asks of a candidate beyond the rules, in sentences."""

    def with_told(self, told: Told) -> Brief:
        return replace(
            self,
            examples=told.examples,
            guidelines=told.guidelines,
            lessons=told.lessons,
            standing=told.standing,
            terms=told.terms,
        )
