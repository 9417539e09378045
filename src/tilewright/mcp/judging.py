"""Tools that judge one kernel: why is it slow, what is known about it, is a rewritten one right and faster?"""

from __future__ import annotations

import time
from contextlib import closing
from typing import Annotated, Any, Literal

from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp_types import ToolAnnotations
from pydantic import Field

from tilewright import judge
from tilewright.analysis.limit import share_reached
from tilewright.config import resolve
from tilewright.errors import KernelFileError, UsageError
from tilewright.judged import Case, evaluation_record
from tilewright.kernelfile import load_kernel, split_entry_point
from tilewright.mcp.answers import Answer
from tilewright.mcp.bench import Bench
from tilewright.mcp.explaining import explained
from tilewright.mcp.project import Project, short, source_text
from tilewright.report import analysis
from tilewright.report.briefing import brief_text
from tilewright.wiring import analyzer, open_store
from tilewright.wording.instructions import instructions

JUDGES = ToolAnnotations(read_only_hint=False, destructive_hint=False, open_world_hint=False)
Name = Annotated[str, Field(description="A kernel file in the project, PATH:FUNCTION, or a shipped kernel: 2_10.")]
Reference = Annotated[
    str | None, Field(description="The PyTorch module, or FILE:FUNCTION with `inputs`, where the name doesn't tell.")
]
Problems = Annotated[str | None, Field(description="Folder with references in the project, such as KernelBench's.")]
Inputs = Annotated[
    str | None, Field(description="Of a function alone: its shapes, such as fp16[4096,4096] fp16[4096,4096].")
]
Precision = Literal["fp16", "bf16", "fp32"]
Workload = Annotated[
    list[str] | None, Field(description="Sizes that the reference names (WORKLOADS); its own where left out.")
]
Wait = Annotated[float, Field(ge=0, le=600, description="Seconds to wait; what isn't done by then goes on.")]
PATIENCE_S = 45.0
"""Clients give up on a call after a minute, unless told otherwise."""


def add_tools(server: MCPServer[None], project: Project, bench: Bench) -> None:
    def case_of(kernel: str, source: str | None, reference: str | None, problems: str | None, **more: Any) -> Case:
        path = project.kernel(kernel)
        if source is not None:
            project.check_imports(path, source_text(source))
            load_kernel(path)  # raises what is wrong with the file, not with what was sent in its place
        try:
            return judge.case_of(
                path,
                reference=project.reference(reference),
                problems=project.folder(problems, "problems"),
                source=source,
                **more,
            )
        except KernelFileError as error:
            if source is None:
                raise
            raise UsageError(str(error).replace(split_entry_point(path)[0], "source")) from error

    @server.tool(title="Analyse a kernel", annotations=JUDGES)
    async def analyze_kernel(
        kernel: Name,
        context: Context[Any, Any],
        reference: Reference = None,
        problems: Problems = None,
        inputs: Inputs = None,
        precision: Precision = "fp16",
        workload: Workload = None,
        wait_s: Wait = PATIENCE_S,
    ) -> Answer:
        """Why is a kernel slow? Findings with numbers and what to try, the hardware's limit, where the time goes.

        Times are measured where there is a GPU, else estimated and marked so.
        """
        with explained():
            case = case_of(kernel, None, reference, problems, **_more(inputs, precision, workload))

            def work() -> dict[str, Any]:
                judging, target = bench.judging()
                found = judge.analyzed(case, judging, target)
                fields = analysis.fields(found)
                del fields["facts"]  # many times as long as all the rest
                return fields | {"text": analysis.text(found)}

            return await bench.answer(bench.submit(work), wait_s, context)

    @server.tool(title="Brief on a kernel", annotations=JUDGES)
    async def brief_kernel(
        kernel: Name,
        context: Context[Any, Any],
        reference: Reference = None,
        problems: Problems = None,
        inputs: Inputs = None,
        precision: Precision = "fp16",
        workload: Workload = None,
        tilelang_notes: Annotated[bool, Field(description="Add how TileLang is written, in 120 lines.")] = False,
        wait_s: Wait = PATIENCE_S,
    ) -> Answer:
        """All that is known before rewriting a kernel: source, reference, findings, facts, knobs, advice."""
        with explained():
            config = judge.config_for(project.kernel(kernel), bench.evaluator, bench.gpu)
            folder = project.folder(problems, "problems")
            config.reference, config.problems = project.reference(reference), str(folder) if folder else None
            config.inputs, config.precision, config.results = short_or_none(inputs), precision, str(project.results)
            config.workload = tuple(workload or ())
            settings = resolve(config)

            def work() -> dict[str, Any]:
                made = judge.briefed(settings, *bench.judging())
                text = brief_text(made, share_reached(made.parent, made.gpu))
                return {"text": text, "tilelang": instructions("tilelang") if tilelang_notes else None}

            return await bench.answer(bench.submit(work), wait_s, context)

    @server.tool(title="Evaluate a candidate", annotations=JUDGES)
    async def evaluate_candidate(
        kernel: Name,
        context: Context[Any, Any],
        source: Annotated[
            str | None, Field(description="The whole rewritten file; the kernel as it is where left out.")
        ] = None,
        reference: Reference = None,
        problems: Problems = None,
        inputs: Inputs = None,
        precision: Precision = "fp16",
        workload: Workload = None,
        effort: Annotated[
            Literal["quick", "full", "confirm"], Field(description="How long it is measured; confirm before a claim.")
        ] = "full",
        baselines: Annotated[
            list[Literal["eager", "compile", "max-autotune"]],
            Field(min_length=1, description="PyTorch's ways to time against; `speedup_ratio` is over the first."),
        ] = ["eager"],  # noqa: B006  # the SDK reads it and hands out copies
        wait_s: Wait = PATIENCE_S,
    ) -> Answer:
        """Is a rewritten kernel right, and how fast is it? The same gates, verifier and clock as everywhere.

        `outcome` says what became of it; a failure comes with the reason, the place and what to try. `speedup_ratio`
        is null unless it was measured on a GPU; without one `estimated_ms` puts candidates in order.
        """
        with explained():
            case = case_of(kernel, source, reference, problems, **_more(inputs, precision, workload))
            job = judge.job_for(case, effort=effort, baselines=",".join(baselines))

            def work() -> dict[str, Any]:
                clock = time.monotonic()
                judged = bench.judging()[0].judge(job, str(case.kernel.path))
                with closing(open_store(project.results)) as store:
                    store.keep(judge.without_evidence(judged))
                found = analyzer().analyze(case.candidate, case.problem, judged.job.evidence, judged.evaluation)
                return evaluation_record(case, judged, time.monotonic() - clock) | {
                    "notes": list(case.notes),
                    "findings": [analysis.finding_fields(item, case.line_offset) for item in found],
                }

            return await bench.answer(bench.submit(work), wait_s, context)

    @server.tool(title="Get an answer", annotations=ToolAnnotations(read_only_hint=True, open_world_hint=False))
    async def get_answer(job: str, context: Context[Any, Any], wait_s: Wait = PATIENCE_S) -> Answer:
        """What a job found out that wasn't done in time."""
        with explained():
            return await bench.answer(short("job", job), wait_s, context)


def _more(inputs: str | None, precision: str, workload: list[str] | None) -> dict[str, Any]:
    return {"inputs": short_or_none(inputs), "precision": precision, "workload": tuple(workload or ())}


def short_or_none(inputs: str | None) -> str | None:
    return None if inputs is None else short("inputs", inputs)
