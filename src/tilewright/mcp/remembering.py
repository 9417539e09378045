"""Tools and resources of what is stored: the history of a run, its best kernel, and what was learned."""

from __future__ import annotations

from contextlib import closing
from typing import Annotated

from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ResourceError
from mcp_types import ToolAnnotations
from pydantic import Field

from tilewright.analysis.limit import fields_of
from tilewright.errors import UsageError
from tilewright.hardware import known_as
from tilewright.mcp.answers import BestKernel, History, Learned
from tilewright.mcp.explaining import explained
from tilewright.mcp.project import Project, short
from tilewright.mcp.running import Name_of_run, best_of
from tilewright.records import Run
from tilewright.report.history import history
from tilewright.reporting import Format, report
from tilewright.scores import best
from tilewright.store import FILE, existing_store

LOOKS = ToolAnnotations(read_only_hint=True, open_world_hint=False)


def add_tools(server: MCPServer[None], project: Project) -> None:
    @server.tool(title="Read a run's best kernel", annotations=LOOKS)
    @explained()
    def best_kernel(run: Name_of_run) -> BestKernel:
        """The best kernel so far with its source. Attempt 0 is the one that the run began with."""
        loaded = _load(project, run)
        source, found = _best_source(loaded), best_of(loaded)
        assert found is not None
        return BestKernel(run=loaded.id, source=source, **found.model_dump())

    @server.tool(title="Read a run's history", annotations=LOOKS)
    @explained()
    def run_history(
        run: Name_of_run,
        first: Annotated[int, Field(ge=0, description="The attempt to begin with.")] = 0,
        count: Annotated[int, Field(ge=1, le=100)] = 20,
    ) -> History:
        """What was tried in a run, why, what changed in the source, and what became of it."""
        loaded = _load(project, run)
        entries = history(loaded, fields_of)
        for entry in entries:
            del entry["evaluation"]  # the whole record; what matters of it stands in the other fields
        return History(
            run=loaded.id, attempts=entries[first : first + count], left_out=max(0, len(entries) - first - count)
        )

    @server.tool(title="Read lessons", annotations=LOOKS)
    @explained()
    def lessons(count: Annotated[int, Field(ge=1, le=200)] = 30) -> list[Learned]:
        """What language models learned in earlier runs, the newest first, each with the condition it holds under."""
        if not (project.results / FILE).exists():
            return []
        with closing(existing_store(project.results)) as store:
            rows = store.lessons()[:count]
        return [
            Learned(id=i, run=run, text=one.text, condition=one.condition, ratio=one.ratio, gpu=one.gpu)
            for i, run, one in rows
        ]

    @server.resource("tilewright://runs/{run}/best.py", mime_type="text/x-python")
    @explained(ResourceError)
    def best_of_run(run: str) -> str:
        """The best kernel of a run."""
        return _best_source(_load(project, run))

    @server.resource("tilewright://runs/{run}/report.md", mime_type="text/markdown")
    @explained(ResourceError)
    def report_of_run(run: str) -> str:
        """What a run did, to be read."""
        return _report(project, run, "md")

    @server.resource("tilewright://runs/{run}/report.html", mime_type="text/html")
    @explained(ResourceError)
    def page_of_run(run: str) -> str:
        """What a run did, as a page that needs no network."""
        return _report(project, run, "html")


def _load(project: Project, name: str) -> Run:
    with closing(existing_store(project.results)) as store:
        return store.load(store.find(short("run", name)))


def _report(project: Project, name: str, form: Format) -> str:
    with closing(existing_store(project.results)) as store:
        run = store.find(short("run", name))
        with known_as(store.gpu(run)):
            return report(store.load(run), store.interactions(run), form)


def _best_source(run: Run) -> str:
    holder = best(run)
    if holder is None:
        raise UsageError(f"run {run.id} has no right kernel yet. See: run_history")
    return holder.candidate.source
