"""What does `tilewright mcp` serve? Tools to look, to judge, to run and to remember, for one project folder."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from mcp.server import MCPServer

from tilewright import __version__
from tilewright.mcp import judging, looking, remembering, running
from tilewright.mcp.bench import Bench
from tilewright.mcp.project import Project
from tilewright.mcp.runs import Runs
from tilewright.wording.instructions import instructions


def make_server(project: Project, evaluator: str = "auto", gpu: str | None = None) -> MCPServer[None]:
    """`evaluator` and `gpu` are as on the command line. All processes end with the session."""
    bench, runs = Bench(evaluator, gpu), Runs(project.root)

    @asynccontextmanager
    async def session(server: MCPServer[None]) -> AsyncIterator[None]:
        try:
            yield None
        finally:
            runs.close()
            bench.close()

    server: MCPServer[None] = MCPServer(
        "tilewright",
        title="tilewright",
        version=__version__,
        instructions=instructions("agents"),
        lifespan=session,
        log_level="WARNING",
    )
    looking.add_tools(server, project)
    judging.add_tools(server, project, bench)
    running.add_tools(server, project, bench, runs)
    remembering.add_tools(server, project)
    return server
