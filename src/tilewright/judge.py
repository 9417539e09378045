"""Kernels judged one by one, outside a run: check, evaluate, brief."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from tilewright import __version__, jsonform, wiring
from tilewright.channel import WorkerHost
from tilewright.config import OptimizationConfig, resolve
from tilewright.errors import UsageError
from tilewright.header import with_result
from tilewright.kernelfile import KernelFile, load_kernel, replace_file
from tilewright.problems import problem_for
from tilewright.protocols import Gate, Verdict
from tilewright.records import (
    Attempt,
    Brief,
    Candidate,
    CompileFailed,
    Effort,
    Evaluation,
    Job,
    Measured,
    Problem,
    Reason,
    Rejected,
    Verified,
    Wrong,
)
from tilewright.report import words
from tilewright.report.briefing import brief_text
from tilewright.report.output import measured_lines
from tilewright.search.gating import through

SEED_BUDGET_S = 60.0


@dataclass(frozen=True)
class Case:
    """A kernel with the problem it answers, ready to be judged."""

    kernel: KernelFile
    candidate: Candidate
    problem: Problem
    notes: tuple[str, ...]

    @property
    def line_offset(self) -> int:
        return self.kernel.line_offset


def check(kernels: Sequence[str], *, gpu: str, budget: float, **where: Any) -> Iterator[dict[str, Any]]:
    """Gates alone, on any machine. One record a kernel, in the order given (DESIGN: `check --json`)."""
    cases = [_case(name, **where) for name in kernels]
    target = wiring.Target("offline", gpu, "check")
    with wiring.workers(target) as host, ThreadPoolExecutor(os.cpu_count() or 2) as pool:
        gates = wiring.gates_for(target, host, budget)
        for case, future in [(case, pool.submit(_timed, gates, case)) for case in cases]:
            verdict, seconds = future.result()
            yield _check_record(case, verdict, seconds)


def evaluate(
    kernels: Sequence[str],
    *,
    device: Literal["cuda", "cpu"] | None,
    gpu: str | None,
    evaluator: str,
    policy: Literal["report", "own-kernels"],
    effort: Effort,
    write_header: bool,
    samples: Path | None,
    **where: Any,
) -> Iterator[dict[str, Any]]:
    """Verify and time kernels. One record a kernel (DESIGN: `evaluate --json`), with `text` for people."""
    cases = [_case(name, **where) for name in kernels]
    config = OptimizationConfig()
    config.kernel_file, config.model, config.evaluator = kernels[0], "none", evaluator
    if gpu:
        config.gpu = gpu
    judging = _Judging(_target(config, device), policy, effort)
    with judging as evaluated, ThreadPoolExecutor(os.cpu_count() or 2) as pool:
        for case, future in [(case, pool.submit(evaluated, case)) for case in cases]:
            clock = time.monotonic()
            evaluation = future.result()
            if write_header and isinstance(evaluation, Measured):
                _write_header(case, evaluation)
            if samples:
                _append_sample(samples, case, evaluation)
            yield _evaluation_record(case, evaluation, time.monotonic() - clock)


def brief(config: OptimizationConfig) -> str:
    """What a proposer would be told of a kernel before the first turn."""
    settings = resolve(config)
    kernel, problem = wiring.load_task(settings)
    candidate, _ = wiring.up_to_date(kernel)
    target = wiring.choose_target(settings)
    with wiring.workers(target) as host:
        verdict = through(wiring.gates_for(target, host, SEED_BUDGET_S), candidate, problem)
        evaluation: Evaluation | None = verdict.failure
        if evaluation is None:
            job = Job(candidate, problem, verdict.evidence, gpu=target.gpu)
            evaluation = wiring.evaluator_for(target, host).submit(job).result()
    findings = tuple(wiring.analyzer().analyze(candidate, problem, verdict.evidence, evaluation))
    attempt = Attempt(0, 0, "seed", candidate, evaluation, verdict.evidence, findings)
    return brief_text(Brief(problem, attempt, (attempt,), 1, "structure", target.gpu, settings.candidates))


def _case(
    name: str,
    *,
    reference: str | None,
    problems: Path | None,
    inputs: str | None,
    precision: str,
    workload: tuple[str, ...] = (),
) -> Case:
    kernel = load_kernel(name)
    problem = problem_for(
        kernel,
        reference=reference,
        problems=problems,
        inputs=inputs,
        precision=precision,  # type: ignore[arg-type]
        workloads=workload,
    )
    candidate, notes = wiring.up_to_date(kernel)
    return Case(kernel, candidate, problem, notes)


def _timed(gates: Sequence[Gate], case: Case) -> tuple[Verdict, float]:
    clock = time.monotonic()
    return through(gates, case.candidate, case.problem), time.monotonic() - clock


def _check_record(case: Case, verdict: Verdict, seconds: float) -> dict[str, Any]:
    execution = verdict.evidence.execution
    reasons = _reasons(verdict.failure) if verdict.failure else verdict.evidence.warnings
    skipped = (*verdict.evidence.not_checked, *(execution.not_checked if execution else ()))
    if verdict.failure is not None:
        answer = "rejected"
    elif execution is None or skipped:
        answer = "not_checked"
    else:
        answer = "passed"
    return {
        "kernel": str(case.kernel.path),
        "verdict": answer,
        "reasons": [_reason(case, r) for r in reasons] + [_note(n) for n in (*case.notes, *skipped)],
        "executed": {
            "blocks": execution.blocks,
            "of": execution.of,
            "batch_reduced": execution.batch_reduced,
            "error_ratio": execution.error_ratio,
        }
        if execution
        else None,
        "seconds": round(seconds, 3),
    }


def _reasons(failure: Evaluation) -> tuple[Reason, ...]:
    match failure:
        case Rejected(reasons=reasons):
            return reasons
        case Wrong(mismatch=m):
            return (Reason("mismatch", m.message, action=m.cause),)
        case CompileFailed(message=message, line=number, action=action):
            return (Reason("compile", message, number, action),)
    return (Reason(failure.outcome, words.outcome(failure)),)


def _reason(case: Case, reason: Reason) -> dict[str, Any]:
    line = reason.line + case.line_offset if reason.line else None
    message = f"{reason.message} {reason.action}".strip()
    return {"rule": reason.rule, "message": message, "line": line}


def _note(text: str) -> dict[str, Any]:
    return {"rule": "note", "message": text, "line": None}


Judged = Callable[[Case], Evaluation]


class _Judging:
    """Opens worker processes and gives a function that judges one case; closes them again."""

    def __init__(
        self, target: wiring.Target | None, policy: Literal["report", "own-kernels"], effort: Effort
    ) -> None:
        self._target, self._policy, self._effort = target, policy, effort

    def __enter__(self) -> Judged:
        wiring.check_packages()
        target = self._target or wiring.Target("local", "", "cpu")
        on_gpu = self._target is not None and target.evaluator == "local"
        self._host = WorkerHost("cuda" if on_gpu else "cpu", target.gpu)
        self._gates = wiring.gates_for(target, self._host, SEED_BUDGET_S) if self._target else ()
        self._evaluator = wiring.evaluator_for(target, self._host)
        self._gpu = target.gpu
        return self._judge

    def __exit__(self, *_: object) -> None:
        self._host.close()

    def _judge(self, case: Case) -> Evaluation:
        verdict = through(self._gates, case.candidate, case.problem)
        if verdict.failure is not None:
            return verdict.failure
        job = Job(
            case.candidate,
            case.problem,
            verdict.evidence,
            effort=self._effort,
            gpu=self._gpu,
            policy=self._policy,
        )
        return self._evaluator.submit(job).result()


def _target(config: OptimizationConfig, device: str | None) -> wiring.Target | None:
    """Where to judge; None for modules that run natively on the CPU."""
    if device == "cpu":
        return None
    target = wiring.choose_target(resolve(config))
    if device == "cuda" and target.evaluator != "local":
        raise UsageError(
            f"--device cuda: {target.reason}. Without a GPU: --device cpu, or leave it out for estimates."
        )
    return target


def _write_header(case: Case, evaluation: Measured) -> None:
    lines = measured_lines(evaluation.measurement, case.problem, case.candidate.id)
    text = with_result(case.kernel.text, case.problem.name, case.kernel.header.workload or "", lines)
    replace_file(case.kernel.path, text)


def commit() -> str:
    """The commit that this tilewright runs from, where it runs from a clone; else its version."""
    here = Path(__file__).resolve().parent
    try:
        command = ["git", "-C", str(here), "rev-parse", "--short", "HEAD"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return __version__
    return done.stdout.strip() or __version__


def _append_sample(path: Path, case: Case, evaluation: Evaluation) -> None:
    record = {
        "kernel": str(case.kernel.path.name),
        "candidate": case.candidate.id,
        "problem": case.problem.name,
        "problem_id": case.problem.id,
        "commit": commit(),
        "evaluation": jsonform.to_plain(evaluation),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "a", encoding="utf-8") as file:
        file.write(json.dumps(record) + "\n")


def _evaluation_record(case: Case, evaluation: Evaluation, seconds: float) -> dict[str, Any]:
    measurement = evaluation.measurement if isinstance(evaluation, Measured) else None
    error = measurement.error_ratio if measurement else None
    record: dict[str, Any] = {
        "kernel": str(case.kernel.path),
        "outcome": evaluation.outcome,
        "reasons": [] if measurement else [_reason(case, r) for r in _reasons_or_none(evaluation)],
        "speedup_ratio": measurement.speedup_ratio if measurement else None,
        "interval": [measurement.low, measurement.high] if measurement else None,
        "latency_ratio": None,
        "baselines": {measurement.baseline: measurement.speedup_ratio} if measurement else {},
        "error_ratio": evaluation.error_ratio if isinstance(evaluation, Verified) else error,
        "trust": measurement.trust if measurement else None,
        "seconds": round(seconds, 3),
        "text": words.outcome(evaluation),
    }
    if isinstance(evaluation, Verified):
        record["cpu_ratio"] = evaluation.cpu_ratio
    if measurement:
        record["text"] += f" ({words.measured_times(measurement)}; {measurement.device}; trust {measurement.trust})"
    return record


def _reasons_or_none(evaluation: Evaluation) -> tuple[Reason, ...]:
    return () if evaluation.outcome in ("verified", "estimated", "measured") else _reasons(evaluation)
