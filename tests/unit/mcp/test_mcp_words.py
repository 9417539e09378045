"""What is written for a command line is told to an agent in the names of its tools and their arguments."""

from __future__ import annotations

from pathlib import Path

import pytest

anyio = pytest.importorskip("anyio")
pytest.importorskip("mcp.server", reason="the extra mcp is not installed")

from tilewright.mcp.explaining import ARGUMENTS, TOOLS, for_agents  # noqa: E402
from tilewright.mcp.project import Project  # noqa: E402
from tilewright.mcp.server import make_server  # noqa: E402


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("`tilewright list` shows all.", "list_kernels with slow_only=false shows all."),
        ("Start one: tilewright optimize KERNEL --model none", "Start one: start_run"),
        ("Go on with: tilewright resume 1123", "Go on with: resume_run 1123"),
        ("name it with --reference FILE.", "name it with reference FILE."),
        ("see --max-gpu-seconds", "see max_gpu_seconds"),
        ("a server (--api-base URL)", "a server (--api-base URL)"),
        ("--model-like", "--model-like"),
        ("See: tilewright lists", "See: tilewright lists"),
    ],
)
def test_commands_and_options_become_tools_and_arguments_where_there_are_such(said: str, told: str) -> None:
    assert for_agents(said) == told


def test_every_name_that_is_told_is_one_that_the_server_has(tmp_path: Path) -> None:
    tools = {tool.name: tool for tool in anyio.run(make_server(Project(tmp_path, Path("results"))).list_tools)}
    assert {told.split()[0] for told in TOOLS.values()} <= set(tools)
    arguments = {name for tool in tools.values() for name in tool.input_schema["properties"]}
    assert {name.replace("-", "_") for name in ARGUMENTS} <= arguments
