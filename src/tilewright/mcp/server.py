"""What does `tilewright mcp` serve? Tools to look, to judge, to run and to remember, for one project folder."""

from __future__ import annotations

import difflib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError
from mcp_types import CallToolResult, InputRequiredResult, Resource, Tool
from pydantic import ValidationError

from tilewright import __version__
from tilewright.mcp import judging, looking, remembering, running
from tilewright.mcp.bench import Bench
from tilewright.mcp.project import Project
from tilewright.mcp.runs import Runs
from tilewright.wording.instructions import instructions

LISTED = 20
"""Runs whose files are listed as resources, the newest; those of any other are read by its id."""


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

    server = _Server(
        "tilewright",
        title="tilewright",
        version=__version__,
        instructions=instructions("agents"),
        lifespan=session,
        log_level="WARNING",
    )
    server.project = project
    looking.add_tools(server, project)
    judging.add_tools(server, project, bench)
    running.add_tools(server, project, bench, runs)
    remembering.add_tools(server, project)
    return server


class _Server(MCPServer[None]):
    """Refuses arguments that a tool doesn't know, which the SDK drops, and lists what the stored runs left."""

    project: Project

    async def list_tools(self) -> list[Tool]:
        closed = {"additionalProperties": False}
        return [
            tool.model_copy(update={"input_schema": {**tool.input_schema, **closed}})
            for tool in await super().list_tools()
        ]

    async def call_tool(
        self, name: str, arguments: dict[str, Any], context: Context[Any, Any] | None = None
    ) -> CallToolResult | InputRequiredResult:
        tools = {tool.name: tool for tool in await self.list_tools()}
        if name not in tools:
            raise ToolError(f"no tool {name!r}{_like(name, list(tools))}")
        known = list(tools[name].input_schema["properties"])
        for argument in arguments:
            if argument not in known:
                raise ToolError(f"{name} has no argument {argument!r}{_like(argument, known)}")
        try:
            return await super().call_tool(name, arguments, context)
        except ToolError as error:
            if isinstance(error.__cause__, ValidationError):
                raise ToolError(f"{name}: {_in_words(error.__cause__)}") from error
            raise

    async def list_resources(self) -> list[Resource]:
        names = await anyio.to_thread.run_sync(running.stored_names, self.project)
        templates = await self.list_resource_templates()
        return [
            Resource(
                uri=template.uri_template.replace("{run}", run),
                name=f"{run}/{template.uri_template.rpartition('/')[2]}",
                description=template.description,
                mime_type=template.mime_type,
            )
            for run in names[:LISTED]
            for template in templates
        ]


def _like(name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, 1)
    meant = f" Did you mean {near[0]!r}?" if near else ""
    return f"; known: {', '.join(known)}.{meant}"


def _in_words(error: ValidationError) -> str:
    """What is wrong with each argument."""
    return "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors(include_url=False))
