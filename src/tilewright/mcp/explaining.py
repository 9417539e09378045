"""How does an agent learn what went wrong? By the words of our own errors; the SDK hides those of any other.

They are written for people at a command line, so commands and options in them become tools and arguments.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from mcp.server.mcpserver.exceptions import MCPServerError, ToolError

from tilewright.errors import TilewrightError

TOOLS = {
    "tilewright list": "list_kernels with slow_only=false",
    "tilewright optimize KERNEL --model none": "start_run",
    "tilewright resume --waiting": "resume_run",
    "tilewright resume": "resume_run",
    "tilewright brief": "brief_kernel",
    "tilewright analyze": "analyze_kernel",
    "tilewright check": "evaluate_candidate",
    "tilewright evaluate": "evaluate_candidate",
}
ARGUMENTS = (
    "reference", "problems", "inputs", "precision", "workload", "model", "baselines", "candidates", "max-usd",
    "max-wall", "max-evaluations", "max-gpu-seconds", "max-iterations", "target-speedup", "tune-budget",
)  # fmt: skip
"""Options that are arguments of tools. Any other is one of the server's own, or of the command line alone."""

_COMMAND = re.compile("|".join(rf"`?{re.escape(command)}\b`?" for command in sorted(TOOLS, key=len, reverse=True)))
_OPTION = re.compile(rf"--({'|'.join(sorted(ARGUMENTS, key=len, reverse=True))})(?![\w-])")


@contextmanager
def explained(kind: type[MCPServerError] = ToolError) -> Iterator[None]:
    """Decorates a tool, or is entered in one that is asynchronous."""
    try:
        yield
    except TilewrightError as error:
        raise kind(for_agents(str(error))) from error


def for_agents(text: str) -> str:
    """With the names of tools and arguments in place of commands and options."""
    text = _COMMAND.sub(lambda match: TOOLS[match[0].strip("`")], text)
    return _OPTION.sub(lambda match: match[1].replace("-", "_"), text)
