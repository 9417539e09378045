"""Small real records that several tests start from."""

from __future__ import annotations

from tilewright.records import (
    Attempt,
    Candidate,
    Estimate,
    Estimated,
    Measured,
    Measurement,
    Problem,
    Run,
    WorkloadEstimate,
    WorkloadTiming,
)

PROBLEM = Problem("p", "class Model: pass")


def measured(ratio: float, spread: float = 0.01, **more: object) -> Measured:
    values = {
        "speedup_ratio": ratio,
        "low": ratio - spread,
        "high": ratio + spread,
        "timings": (timing(ratio, spread),),
        "baseline": "eager",
        "gpu": "H100",
        "device": "NVIDIA H100",
        "versions": (("torch", "2"),),
        "clock": "events",
        "checked_calls": 5,
        "error_ratio": 0.5,
        "trust": "B",
    }
    return Measured(Measurement(**{**values, **more}))  # type: ignore[arg-type]


def timing(ratio: float, spread: float = 0.01) -> WorkloadTiming:
    return WorkloadTiming("default", 1.0, ((1.0, ratio),), ratio, ratio - spread, ratio + spread, 1.0, ratio)


def estimated(ms: float) -> Estimated:
    row = WorkloadEstimate("default", 1.0, ms, ms / 2, ms * 2, 0.01, "memory")
    return Estimated(Estimate((row,), "H100", "roofline", False))


def candidate(name: str, parent: str | None = None) -> Candidate:
    source = f'"""Problem Name: p"""\n# {name}\nclass ModelNew: pass\n'
    return Candidate(source, parent=parent, proposer="test", hypothesis=name)


def attempt(index: int, evaluation: object, turn: int = 1, phase: str = "structure", **more: object) -> Attempt:
    return Attempt(index, turn, phase, candidate(f"c{index}"), evaluation, **more)  # type: ignore[arg-type]


def run(*attempts: Attempt) -> Run:
    return Run("r1", PROBLEM, "k.py", (), "replay", "H100", "2026-01-01T00:00:00Z", attempts)
