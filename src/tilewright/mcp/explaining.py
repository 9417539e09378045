"""How does an agent learn what went wrong? By the words of our own errors; the SDK hides those of any other."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from mcp.server.mcpserver.exceptions import MCPServerError, ToolError

from tilewright.errors import TilewrightError


@contextmanager
def explained(kind: type[MCPServerError] = ToolError) -> Iterator[None]:
    """Decorates a tool, or is entered in one that is asynchronous."""
    try:
        yield
    except TilewrightError as error:
        raise kind(str(error)) from error
