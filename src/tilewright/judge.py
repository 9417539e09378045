"""Kernels judged one by one, outside a run: check, evaluate, analyze, brief."""

from __future__ import annotations

import json
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from copy import deepcopy
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import Any, Literal

from tilewright import __version__, jsonform, targets, wiring
from tilewright.analysis.runfacts import with_counters, with_runs
from tilewright.analysis.standing import standings
from tilewright.analysis.unknown import not_known
from tilewright.baselines import baselines_for
from tilewright.channel import WorkerHost
from tilewright.config import OptimizationConfig, Settings, baseline_names, check_error_factor, gpu_name, resolve
from tilewright.errors import MissingDependency, UsageError
from tilewright.hardware import cores, load_gpu
from tilewright.header import with_result
from tilewright.informing import Informer
from tilewright.judged import Case, checked, evaluation_record, limit_fields
from tilewright.kernelfile import load_kernel, replace_file
from tilewright.loading import load_task, up_to_date
from tilewright.problems import problem_for
from tilewright.proposing import retriever_for
from tilewright.protocols import Evaluator, Gate, Verdict
from tilewright.records import (
    Analysis,
    Attempt,
    Brief,
    Effort,
    Evaluation,
    Evidence,
    Job,
    Judged,
    Measured,
    Unscorable,
)
from tilewright.report.checked import Checked
from tilewright.report.output import measured_lines
from tilewright.search.gating import through
from tilewright.wording.task import terms
from tilewright.worker.timing.counters import read as read_counters

SEED_BUDGET_S = 60.0
DEADLINE_S = 120.0
"""How long one kernel may take with one baseline."""


def check(kernels: Sequence[str], *, gpu: str, budget: float, **where: Any) -> Iterator[Checked]:
    """Gates alone, on any machine. One answer a kernel, in the order given."""
    cases = [case_of(name, **where) for name in kernels]
    target = targets.Target("offline", gpu_name(gpu), "check")
    with targets.workers(target) as host, ThreadPoolExecutor(max(2, cores())) as pool:
        gates = targets.gates_for(target, host, budget, instructions=False)
        for case, future in [(case, pool.submit(_timed, gates, case)) for case in cases]:
            verdict, seconds = future.result()
            yield checked(case, verdict, seconds)


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
    baselines: str = "eager",
    error_factor: float = 16.0,
    backward: bool = False,
    results: Path = Path("results"),
    note: Callable[[str], None] = lambda text: None,
    **where: Any,
) -> Iterator[dict[str, Any]]:
    """Verify and time kernels. One record a kernel (DESIGN: `evaluate --json`), with `text` for people.

    Each evaluation is stored as soon as it is done; its `id` is what `tilewright recheck` takes. `note` is told what
    of the things asked for can't be had here.
    """
    cases = [case_of(name, **where) for name in kernels]
    jobs = [
        job_for(
            case,
            effort=effort,
            policy=policy,
            baselines=baselines,
            error_factor=error_factor,
            backward=backward,
        )
        for case in cases
    ]
    target = target_for(config_for(kernels[0], evaluator, gpu), device)
    for text in wiring.ignored(target, baseline_names(baselines), effort) if target else ():
        note(text)
    storing = threading.Lock()
    with (
        closing(wiring.open_store(results)) as store,
        judging(target) as judge,
        ThreadPoolExecutor(max(2, cores())) as pool,
    ):

        def judged_and_stored(case: Case, job: Job) -> Judged:
            judged = judge.judge(job, str(case.kernel.path))
            with storing:
                store.keep(without_evidence(judged))
            return judged

        waiting = [pool.submit(judged_and_stored, case, job) for case, job in zip(cases, jobs)]
        for case, future in zip(cases, waiting):
            clock = time.monotonic()
            judged = future.result()
            if write_header and isinstance(judged.evaluation, Measured):
                _write_header(case, judged.evaluation)
            if samples:
                _append_sample(samples, case, judged)
            yield evaluation_record(case, judged, time.monotonic() - clock)


def analyze(
    kernels: Sequence[str], *, gpu: str | None, evaluator: str, counters: bool, **where: Any
) -> Iterator[Analysis]:
    """Why kernels are as fast as they are: facts, and a measurement where there is a GPU. In the order given.

    `counters` asks for hardware counters, outside of the sandbox. Without what runs kernels the source alone is read.
    """
    cases = [case_of(name, **where) for name in kernels]
    try:
        targets.check_packages()
    except MissingDependency as error:
        yield from (_from_source(case, str(error).splitlines()[0]) for case in cases)
        return
    target = targets.choose_target(resolve(config_for(kernels[0], evaluator, gpu)))
    with judging(target) as judge:
        yield from (analyzed(case, judge, target, counters) for case in cases)


def brief(config: OptimizationConfig) -> Brief:
    """What a proposer would be told of a kernel before the first turn. No model is asked."""
    config = deepcopy(config)  # as a copy made anew it would forget what was set to its default
    config.model = "none"
    settings = resolve(config)
    target = targets.choose_target(settings)
    with judging(target) as judge:
        return briefed(settings, judge, target)


def briefed(settings: Settings, judge: Judging, target: targets.Target) -> Brief:
    """`brief`, by processes that are there already."""
    kernel, problem = load_task(settings)
    candidate, _ = up_to_date(kernel)
    verdict = through(judge.gates, candidate, problem)
    evaluation: Evaluation | None = verdict.failure
    if evaluation is None:
        job = Job(
            candidate,
            problem,
            verdict.evidence,
            gpu=target.gpu,
            policy=settings.policy,
            error_factor=settings.error_factor,
            backward=settings.backward,
        )
        evaluation = judge.evaluator.submit(job).result()
    findings = tuple(wiring.analyzer().analyze(candidate, problem, verdict.evidence, evaluation))
    attempt = Attempt(0, 0, "seed", candidate, evaluation, verdict.evidence, findings)
    made = Brief(problem, attempt, (attempt,), 1, "structure", target.gpu, settings.candidates)
    lessons = wiring.stored_lessons(settings.results)
    gpu = load_gpu(target.gpu)
    asked = terms(settings.policy, settings.backward, settings.error_factor)
    inform = Informer(gpu, retriever_for(settings, gpu), settings.rag_k, lambda: lessons, asked)
    return made.with_told(inform(made))


def analyzed(case: Case, judge: Judging, target: targets.Target, counters: bool = False) -> Analysis:
    """Where there is no GPU the gates say what is known, and no time is taken."""
    clock = time.monotonic()
    candidate, problem = case.candidate, case.problem
    evaluation: Evaluation | None
    if target.evaluator == "local":
        looking = replace(judge, gates=judge.cheap_gates, last_gates=())
        judged = looking.judge(Job(candidate, problem, deadline_s=DEADLINE_S), str(case.kernel.path))
        evidence, evaluation = judged.job.evidence, judged.evaluation
    else:
        verdict = through(judge.cheap_gates, candidate, problem)
        evidence, evaluation = verdict.evidence, verdict.failure
    evidence = with_runs(evidence, evaluation)
    if counters and evidence.runs:
        evidence = replace(
            evidence, runs=with_counters(evidence.runs, *read_counters(candidate, problem, target.devices[0]))
        )
    # What is wrong has no time worth expecting; a reference that fails says nothing against the kernel.
    unrefuted = evaluation is None or isinstance(evaluation, (Measured, Unscorable))
    return Analysis(
        path=str(case.kernel.path),
        line_offset=case.line_offset,
        problem=problem.name,
        gpu=target.gpu,
        evidence=evidence,
        evaluation=evaluation,
        findings=tuple(wiring.analyzer().analyze(candidate, problem, evidence, evaluation)),
        standings=standings(evidence, problem, load_gpu(target.gpu), estimating=unrefuted),
        notes=case.notes,
        not_known=not_known(evidence, evaluation, target.evaluator == "local", target.reason, counters),
        seconds=time.monotonic() - clock,
    )


def _from_source(case: Case, why: str) -> Analysis:
    """Where nothing can be compiled or run."""
    findings = tuple(wiring.analyzer().analyze(case.candidate, case.problem, Evidence()))
    unknown = (f"everything but what the source says: {why}",)
    path, name = str(case.kernel.path), case.problem.name
    return Analysis(path, case.line_offset, name, "", Evidence(), None, findings, (), case.notes, unknown)


def config_for(kernel: str, evaluator: str, gpu: str | None = None) -> OptimizationConfig:
    """Of a kernel that is only judged."""
    config = OptimizationConfig()
    config.kernel_file, config.model, config.evaluator = kernel, "none", evaluator
    if gpu:
        config.gpu = gpu
    return config


def case_of(
    name: str,
    *,
    reference: str | None = None,
    problems: Path | None = None,
    inputs: str | None = None,
    precision: str = "fp16",
    workload: tuple[str, ...] = (),
    source: str | None = None,
) -> Case:
    """A kernel file with the problem that it answers. `source` is a kernel to be judged in its place."""
    kernel = load_kernel(name)
    problem = problem_for(
        kernel,
        reference=reference,
        problems=problems,
        inputs=inputs,
        precision=precision,  # type: ignore[arg-type]
        workloads=workload,
    )
    if source is not None:
        kernel = load_kernel(name, text=source)
    candidate, notes = up_to_date(kernel)
    return Case(kernel, candidate, problem, notes)


def job_for(
    case: Case,
    *,
    effort: Effort = "full",
    policy: Literal["report", "own-kernels"] = "report",
    baselines: str = "eager",
    error_factor: float = 16.0,
    backward: bool = False,
) -> Job:
    """What an evaluator is asked about one kernel."""
    check_error_factor(error_factor)
    names = baseline_names(baselines)
    return Job(
        case.candidate,
        case.problem,
        effort=effort,
        deadline_s=DEADLINE_S * len(names),
        policy=policy,
        baselines=baselines_for(names, case.problem, None),
        error_factor=error_factor,
        backward=backward,
    )


def without_evidence(judged: Judged) -> Judged:
    """As it is stored."""
    return replace(judged, job=replace(judged.job, evidence=Evidence()))


def _timed(gates: Sequence[Gate], case: Case) -> tuple[Verdict, float]:
    clock = time.monotonic()
    return through(gates, case.candidate, case.problem), time.monotonic() - clock


@contextmanager
def judging(target: targets.Target | None) -> Iterator[Judging]:
    """The worker processes of a target while the block is open.

    Without a target modules run natively on the CPU, and TileLang's kernels are interpreted.
    """
    targets.check_packages(target)
    with closing(targets.host_for(target) if target else WorkerHost("cpu")) as host:
        gates = targets.gates_for(target, host, SEED_BUDGET_S) if target else ()
        last = targets.last_gates_for(target, host) if target else ()
        cheap = targets.cheap_gates_for(target, host) if target else ()
        with closing(targets.evaluator_for(target or targets.Target("local", "", "cpu"), host)) as evaluator:
            yield Judging(target, gates, evaluator, last, cheap)


@dataclass(frozen=True)
class Judging:
    """Takes one job through gates and evaluator."""

    target: targets.Target | None
    gates: Sequence[Gate]
    evaluator: Evaluator
    last_gates: Sequence[Gate] = ()
    """For what was measured, unless it was only a quick look."""
    cheap_gates: Sequence[Gate] = ()
    """Static rules and the compiler: what an analysis needs."""

    def judge(self, job: Job, kernel_path: str) -> Judged:
        """The job comes back with the evidence that its gates gathered."""
        gpu = self.target.gpu if self.target else ""
        verdict = through(self.gates, job.candidate, job.problem)
        job = replace(job, evidence=verdict.evidence, gpu=gpu)
        evaluation = verdict.failure or self._evaluated(job)
        return Judged(
            job=job,
            evaluation=evaluation,
            where=self._where(),
            kernel_path=kernel_path,
            gpu=gpu,
            versions=evaluation.measurement.versions if isinstance(evaluation, Measured) else _versions(),
            when=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        )

    def _where(self) -> Literal["local", "offline", "cpu"]:
        if self.target is None:
            return "cpu"
        return "local" if self.target.evaluator == "local" else "offline"

    def _evaluated(self, job: Job) -> Evaluation:
        if job.effort == "quick" or not self.last_gates:
            return self.evaluator.submit(job).result()
        with ThreadPoolExecutor(1) as pool:  # a CPU and a GPU are busy with it at the same time
            executed = pool.submit(through, self.last_gates, job.candidate, job.problem)
            evaluation = self.evaluator.submit(job).result()
            if not isinstance(evaluation, Measured):
                return evaluation
            return executed.result().failure or evaluation


def target_for(config: OptimizationConfig, device: str | None) -> targets.Target | None:
    """Where to judge; None for modules that run natively on the CPU."""
    if device == "cpu":
        return None
    target = targets.choose_target(resolve(config))
    if device == "cuda" and target.evaluator != "local":
        raise UsageError(
            f"--device cuda: {target.reason}. Without a GPU: --device cpu, or leave it out for estimates."
        )
    return target


def _versions() -> tuple[tuple[str, str], ...]:
    return tuple((name, metadata.version(name)) for name in ("tilelang", "torch"))


def _write_header(case: Case, evaluation: Measured) -> None:
    lines = measured_lines(evaluation.measurement, case.problem, case.candidate.id, case.kernel.text)
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


def _append_sample(path: Path, case: Case, judged: Judged) -> None:
    record = {
        "kernel": str(case.kernel.path.name),
        "candidate": case.candidate.id,
        "problem": case.problem.name,
        "problem_id": case.problem.id,
        "commit": commit(),
        **limit_fields(judged),
        "evaluation": jsonform.to_plain(judged.evaluation),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "a", encoding="utf-8") as file:
        file.write(json.dumps(record) + "\n")
