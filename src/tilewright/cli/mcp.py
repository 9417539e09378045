"""tilewright mcp"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import click

from tilewright.cli.options import evaluator_option
from tilewright.config import GPU_HELP, RESULTS_HELP
from tilewright.errors import MissingDependency, UsageError


@click.command("mcp")
@click.option(
    "--project",
    type=click.Path(path_type=Path),
    default=".",
    show_default=True,
    help="The folder whose kernels are served; nothing beyond it is read.",
)
@click.option("--results", type=click.Path(path_type=Path), default="results", show_default=True, help=RESULTS_HELP)
@evaluator_option
@click.option("--gpu", help=f"Where there is none to measure on: {GPU_HELP}")
def command(project: Path, results: Path, evaluator: str, gpu: str | None) -> None:
    """Serve coding agents over standard input and output (Model Context Protocol).

    An agent starts it itself; in its configuration: {"command": "tilewright", "args": ["mcp", "--project", "DIR"]}.
    """
    if find_spec("mcp") is None:
        raise MissingDependency("mcp is not installed here; it serves agents.", "pip install 'tilewright[mcp]'")
    if not project.is_dir():
        raise UsageError(f"--project {project}: no such folder")
    from tilewright.mcp.project import Project
    from tilewright.mcp.server import make_server

    make_server(Project(project, results), evaluator, gpu).run()
