"""Tools that start, watch and stop whole optimisations. Starting answers at once with the run's id."""

from __future__ import annotations

import time
from contextlib import closing
from typing import Annotated, Any

import anyio
from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp_types import ToolAnnotations
from pydantic import Field

from tilewright.config import OptimizationConfig
from tilewright.errors import UsageError
from tilewright.lm.models import parse_models
from tilewright.mcp.answers import Best, RunState, Tried
from tilewright.mcp.answers import Runs as RunList
from tilewright.mcp.bench import Bench
from tilewright.mcp.explaining import explained, for_agents
from tilewright.mcp.judging import (
    PATIENCE_S,
    Inputs,
    Name,
    Precision,
    Problems,
    Reference,
    Wait,
    Workload,
    short_or_none,
)
from tilewright.mcp.project import Project, short
from tilewright.mcp.runs import Child, Runs
from tilewright.records import Attempt, Run
from tilewright.report import words
from tilewright.scores import best, gain, score
from tilewright.store import FILE, existing_store

WORKS = ToolAnnotations(read_only_hint=False, destructive_hint=False, open_world_hint=True)
LOOKS = ToolAnnotations(read_only_hint=True, open_world_hint=False)
Name_of_run = Annotated[str, Field(description="A run's id, the beginning of one, its kernel's path, or last.")]
SHOWN = 10
"""Attempts in a run's state."""
_LOOK_S = 0.2


def add_tools(server: MCPServer[None], project: Project, bench: Bench, runs: Runs) -> None:
    @server.tool(title="Start an optimisation", annotations=WORKS)
    @explained()
    def start_run(
        kernel: Name,
        model: Annotated[
            str,
            Field(
                description="none: built-in rewrites and knob search. file:DIR: its questions become files in DIR "
                "that you answer. Else a provider's model, which costs money: give max_usd."
            ),
        ] = "none",
        target_speedup: Annotated[float, Field(gt=0, description="Stop at this speedup over PyTorch eager.")] = 1.5,
        max_iterations: Annotated[int, Field(ge=1, le=50, description="Turns at most.")] = 5,
        tune_budget: Annotated[int, Field(ge=0, le=500, description="Knob settings tried per turn.")] = 24,
        candidates: Annotated[int, Field(ge=0, le=50, description="Structure changes tried per turn.")] = 4,
        max_evaluations: Annotated[int | None, Field(ge=1, description="Candidates judged at most.")] = None,
        max_gpu_seconds: Annotated[float | None, Field(gt=0, description="Of the GPU, for timing.")] = None,
        max_wall: Annotated[float | None, Field(gt=0, description="Seconds the run may take.")] = None,
        max_usd: Annotated[float | None, Field(gt=0, description="What the model may cost.")] = None,
        reference: Reference = None,
        problems: Problems = None,
        inputs: Inputs = None,
        precision: Precision = "fp16",
        workload: Workload = None,
    ) -> RunState:
        """Make a kernel faster, turn by turn. Answers at once; `watch_run` says how it goes.

        What is better is written beside the kernel (never over it), unless it is a shipped one.
        """
        path = project.kernel(kernel)
        folder = project.folder(problems, "problems")
        config = _config(project, bench)
        config.kernel_file, config.model = path, _model(model, max_usd, project)
        config.target_speedup, config.max_iterations = target_speedup, max_iterations
        config.tune_budget, config.candidates = tune_budget, candidates
        config.max_evaluations, config.max_gpu_seconds = max_evaluations, max_gpu_seconds
        config.max_wall, config.max_usd = max_wall, max_usd
        config.reference, config.problems = project.reference(reference), str(folder) if folder else None
        config.inputs, config.precision = short_or_none(inputs), precision
        config.workload = tuple(workload or ())
        config.no_save = not project.is_ours(path)
        return _state(project, runs, runs.start(config).run)

    @server.tool(title="Go on with a run", annotations=WORKS)
    @explained()
    def resume_run(run: Name_of_run) -> RunState:
        """Go on with a run that was stopped, was killed, or waits for the answers in its files."""
        name = _find(project, run)
        child = runs.of(name)
        if child and not child.ended:
            raise UsageError(f"run {name} goes on already. See: watch_run")
        config = OptimizationConfig()
        config.results = str(project.results)
        return _state(project, runs, runs.start(config, resume=name).run)

    @server.tool(title="Watch a run", annotations=LOOKS)
    async def watch_run(run: Name_of_run, context: Context[Any, Any], wait_s: Wait = PATIENCE_S) -> RunState:
        """How a run goes. Waits until it has ended or the time is over, and reports what it does meanwhile."""
        with explained():
            name = await anyio.to_thread.run_sync(_find, project, run)
            child, began = runs.of(name), time.monotonic()
            tried, doing = 0, ""
            while child is not None:
                news = child.tried[tried:]
                tried += len(news)
                if child.doing != doing:
                    doing = child.doing
                    news.append(doing)
                for text in news:  # each with a larger number than the one before, as the protocol wants it
                    await context.report_progress(time.monotonic() - began, None, text)
                if child.ended or time.monotonic() - began >= wait_s:
                    break
                await anyio.sleep(_LOOK_S)
            return await anyio.to_thread.run_sync(_state, project, runs, name)

    @server.tool(title="Stop a run", annotations=WORKS)
    @explained()
    def stop_run(run: Name_of_run) -> RunState:
        """End a run; nothing finished is lost, and `resume_run` goes on with it."""
        name = _find(project, run)
        runs.stop(name, PATIENCE_S)
        return _state(project, runs, name)

    @server.tool(title="List runs", annotations=LOOKS)
    @explained()
    def list_runs(count: Annotated[int, Field(ge=1, le=100)] = 10) -> RunList:
        """The stored runs, the newest first."""
        names = stored_names(project)
        return RunList(
            runs=[_state(project, runs, name, shown=0) for name in names[:count]],
            left_out=max(0, len(names) - count),
        )


def stored_names(project: Project) -> tuple[str, ...]:
    """The runs in the project's store, the newest first; none where there is no store yet."""
    if not (project.results / FILE).exists():
        return ()
    with closing(existing_store(project.results)) as store:
        return store.runs()


def _config(project: Project, bench: Bench) -> OptimizationConfig:
    config = OptimizationConfig()
    config.evaluator, config.results = bench.evaluator, str(project.results)
    if bench.gpu:
        config.gpu = bench.gpu
    return config


def _model(text: str, max_usd: float | None, project: Project) -> str:
    """Folders of questions and answers lie in the project; what costs has a limit."""
    names = []
    for spec in parse_models(short("model", text)):
        if spec.kind == "provider" and max_usd is None:
            raise UsageError(f"model {spec} costs money: say how much at most with max_usd, or take model none.")
        inside = spec.kind == "file"
        names.append(f"file:{project.written(spec.name, 'the folder of model')}" if inside else str(spec))
    return ",".join(names) or "none"


def _find(project: Project, run: str) -> str:
    with closing(existing_store(project.results)) as store:
        return store.find(short("run", run))


def _state(project: Project, runs: Runs, name: str, shown: int = SHOWN) -> RunState:
    with closing(existing_store(project.results)) as store:
        run = store.load(name)
    child = runs.of(name)
    going = child is not None and not child.ended
    return RunState(
        run=run.id,
        kernel=run.kernel_path,
        state="running" if going else "ended" if run.stop_reason else "unfinished",
        stop_reason=run.stop_reason,
        stop_detail=for_agents(run.stop_detail or (child.failed if child else "")),
        doing=child.doing if child and going else "",
        attempts=len(run.attempts),
        last=[_tried(attempt) for attempt in run.attempts[max(0, len(run.attempts) - shown) :]],
        best=best_of(run),
        saved=child.saved if child else None,
        seconds=round(run.seconds, 1),
        next=_next(run, child, going),
    )


def _next(run: Run, child: Child | None, going: bool) -> str:
    if going:
        ends = "It was asked to stop and ends with the kernel in hand. " if child and child.asked_to_stop else ""
        return f"{ends}Call watch_run with run {run.id}."
    if run.stop_reason == "awaiting_answers":
        return f"Answer the prompts (stop_detail names them), then call resume_run with run {run.id}."
    if not run.stop_reason or run.stop_reason == "interrupted":
        return f"Call resume_run with run {run.id} to go on with it."
    return f"Call best_kernel with run {run.id} for the source, run_history for what was tried."


def _tried(attempt: Attempt) -> Tried:
    return Tried(
        attempt=attempt.index,
        turn=attempt.turn,
        phase=attempt.phase,
        hypothesis=attempt.candidate.hypothesis,
        outcome=attempt.evaluation.outcome if attempt.evaluation else "abandoned",
        text=words.attempted(attempt),
    )


def best_of(run: Run) -> Best | None:
    """None where nothing was right yet."""
    holder, gained = best(run), gain(run)
    value = score(holder.evaluation) if holder else None
    if holder is None or value is None:
        return None
    measured = value.kind == "measured"
    return Best(
        attempt=holder.index,
        candidate=holder.candidate.id,
        outcome=words.attempted(holder),
        speedup_ratio=value.value if measured else None,
        interval=(value.low, value.high) if measured else None,
        estimated_ms=None if measured else 1 / value.value,
        over_seed=gained[2] if gained else None,
    )
