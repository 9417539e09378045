"""A small problem, its kernel, answers of a model about it, and whole runs with that model on a server here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from openai_server import Reply
from tilewright.config import OptimizationConfig
from tilewright.lm import Patience
from tilewright.records import Attempt, Candidate, Interaction, Lesson, Run
from tilewright.store import FILE, Store
from tilewright.targets import SharedWorkers
from tilewright.wiring import Outcome, main, resume, stored_lessons

NO_WAIT = Patience(repeats=2, first_wait_s=0.001, longest_wait_s=0.01)
KEY = "a-key-of-nobody-0123456789"
"""In the environment of these tests (see conftest.py)."""
REFERENCE = """
import torch


class Model(torch.nn.Module):
    def forward(self, x):
        return x * 2 + 1


def get_inputs():
    return [torch.randn(64, 512)]


def get_init_inputs():
    return []
"""
KERNEL = """import tilelang
import tilelang.language as T
import torch

TUNABLES = {"block": (128, 256)}


@tilelang.jit(out_idx=[-1])
def affine(n, block=128):
    @T.prim_func
    def main(x: T.Tensor((n,), "float16"), y: T.Tensor((n,), "float16")):
        with T.Kernel(T.ceildiv(n, block), threads=128) as bx:
            for i in T.Parallel(block):
                if bx * block + i < n:
                    y[bx * block + i] = x[bx * block + i] * T.float16(2) + T.float16(1)

    return main


class ModelNew(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.kernels = {}

    def forward(self, x):
        n = x.numel()
        if n not in self.kernels:
            self.kernels[n] = affine(n)
        return self.kernels[n](x.reshape(n)).reshape(x.shape)
"""
TWICE = KERNEL.replace("x[bx * block + i] * T.float16(2)", "(x[bx * block + i] + x[bx * block + i])")
THRICE = KERNEL.replace("T.float16(2)", "T.float16(3)")
MENDED = THRICE.replace("T.float16(3)", "T.float16(2.0)")
READS_KEYS = KERNEL.replace("import torch\n", "import os\nimport torch\n", 1).replace(
    "n = x.numel()", "raise RuntimeError(' '.join(f'{name}={value}' for name, value in os.environ.items()))"
)
PYTORCH_ONLY = """import torch


class ModelNew(torch.nn.Module):
    def forward(self, x):
        return x * 2 + 1
"""

FINDINGS = """[[ ## findings ## ]]
### 1. The launch takes longer than the work.
Category: host
Saves: 50%
Evidence: 64 KB in 4 us
Do: more work for each block

[[ ## completed ## ]]"""
PLAN = """[[ ## hypotheses ## ]]
### 1. Add instead of multiplying.
Gain: 1.1
How: x + x

### 2. One constant for both.
Gain: 1.2
How: T.float16(3)

[[ ## completed ## ]]"""
ONE_IDEA = PLAN.partition("### 2.")[0]


def module(source: str) -> str:
    return f"[[ ## module ## ]]\n```python\n{source.strip()}\n```\n\n[[ ## completed ## ]]"


GOOD_TURN: dict[str, str] = {
    "analyse": FINDINGS,
    "plan": PLAN,
    "rewrite 1": module(TWICE),
    "rewrite 2": module(THRICE),
    "repair": module(MENDED),
}


def question(prompt: str) -> str:
    """What a prompt asks for: "analyse", "plan", "rewrite 1" or "rewrite 2" (by the hypothesis), "repair"."""
    marks = {"focus": "analyse", "wanted": "plan", "failure": "repair", "hypothesis": "rewrite"}
    kind = next(kind for field, kind in marks.items() if f"[[ ## {field} ## ]]" in prompt)
    if kind != "rewrite":
        return kind
    hypothesis = prompt.split("[[ ## hypothesis ## ]]")[-1]
    return "rewrite 2" if "One constant" in hypothesis else "rewrite 1"


def asked(body: Mapping[str, Any]) -> str:
    return question("\n".join(message["content"] for message in body["messages"]))


def saying(answers: Mapping[str, str]) -> Callable[[dict[str, Any]], Reply]:
    """The same answer for the same kind of question."""
    return lambda body: Reply(answers[asked(body)])


@dataclass
class Workplace:
    """A folder with the problem, its kernel and what runs leave; runs there share worker processes."""

    folder: Path
    shared: SharedWorkers
    notes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        (self.folder / "reference.py").write_text(REFERENCE)
        (self.folder / "kernel.py").write_text(KERNEL)

    @property
    def results(self) -> Path:
        return self.folder / "results"

    def config(self, **options: object) -> OptimizationConfig:
        config = OptimizationConfig()
        config.kernel_file, config.reference = str(self.folder / "kernel.py"), str(self.folder / "reference.py")
        config.evaluator, config.results, config.gpu = "offline", str(self.results), "H100"
        config.model, config.hypotheses, config.candidates, config.max_iterations = "openai/gpt-4o", 2, 2, 1
        config.tune_budget, config.near_optimal, config.rag_k = 0, 0.0, 1
        for name, value in options.items():
            setattr(config, name, value)
        return config

    def run(self, **options: object) -> Outcome:
        return main(self.config(**options), self, self.shared, NO_WAIT)

    def resume(self, name: str = "last", **options: object) -> Outcome:
        config = OptimizationConfig()
        for option, value in {"results": str(self.results), **options}.items():
            setattr(config, option, value)
        return resume(name, config, self, self.shared, NO_WAIT)

    def load(self, name: str) -> Run:
        with closing(Store(self.results / FILE)) as store:
            return store.load(store.find(name))

    def interactions(self, run: Run) -> tuple[Interaction, ...]:
        with closing(Store(self.results / FILE)) as store:
            return store.interactions(run.id)

    def lessons(self) -> list[Lesson]:
        return stored_lessons(self.results)

    # What a watcher is told; only the notes are kept.

    def started(self, run: Run) -> None: ...

    def trying(self, candidate: Candidate, phase: str, turn: int) -> None: ...

    def tried(self, run: Run, attempt: Attempt) -> None: ...

    def note(self, message: str) -> None:
        self.notes.append(message)

    def stopped(self, run: Run) -> None: ...


def outcomes(run: Run) -> list[tuple[str, str]]:
    """Who proposed each attempt, and how it ended."""
    return [(a.candidate.proposer, a.evaluation.outcome if a.evaluation else "abandoned") for a in run.attempts]


def kinds(requests: list[dict[str, Any]]) -> Counter[str]:
    return Counter(asked(body) for body in requests)
