"""The command line: one file a verb, loaded when that verb is used."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING

import click

from tilewright import __version__
from tilewright.errors import TilewrightError

if TYPE_CHECKING:
    from tilewright.config import OptimizationConfig

VERBS = {
    "optimize": "Make a kernel faster, turn by turn.",
    "batch": "Make many kernels faster under one budget.",
    "resume": "Go on with a run that was stopped or killed.",
    "generate": "Write a first kernel for a PyTorch reference.",
    "tune": "Search a kernel's knobs alone.",
    "evaluate": "Verify and time kernels as they are.",
    "recheck": "Repeat a stored verdict with the same draws.",
    "analyze": "Say what holds kernels back, and how far from the limit they are.",
    "check": "Look for mistakes in kernels without a GPU.",
    "retrieve": "Show how similar kernels were made fast.",
    "report": "Report what a run did as a page, Markdown or JSON.",
    "serve": "Show all runs in a browser while they go on.",
    "bundle": "Pack what a bug report needs about a run, without keys.",
    "compare": "Compare search policies over kernels under equal budgets.",
    "techniques": "Say which techniques helped where in stored runs.",
    "compile-prompts": "Better a model's instructions by what came of its answers.",
    "lessons": "Show and edit what was learned in runs.",
    "regress": "Measure kernels again and say which became slower or wrong.",
    "store": "Merge the stores of several machines.",
    "list": "Show kernels and their measured speedups.",
    "brief": "Show what is known about a kernel: why it is slow and what may be changed.",
    "migrate": "Bring kernels up to the installed TileLang.",
    "calibrate": "Fit the time model to what was measured on a GPU here.",
    "mcp": "Serve coding agents (Model Context Protocol).",
    "doctor": "Say what this machine can do and what is missing.",
}


class _Verbs(click.Group):
    """Loads a verb's module when it is asked for, so that --help stays quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in VERBS:
            return None
        command: click.Command = import_module(f"tilewright.cli.{name.replace('-', '_')}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(VERBS.items()))


@click.group(cls=_Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="tilewright")
def _tilewright() -> None:
    """You have a TileLang kernel that is right but slow: tilewright makes it faster and proves it."""


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; ends the process with the documented exit code."""
    sys.exit(_guarded(lambda: _tilewright.main(arguments, standalone_mode=False)))


def run_config(config: OptimizationConfig) -> int:
    """Optimise as `config` says and show it like the command does; the exit code, 0 when it did what was asked."""
    from tilewright.cli.optimize import run

    code = _guarded(lambda: run(config, False, None))
    if code:
        sys.exit(code)
    return code


def _guarded(command: Callable[[], int | None]) -> int:
    """Errors in words, and the exit code that stands for them."""
    try:
        return command() or 0
    except click.ClickException as error:
        error.show()
        return 2
    except click.Abort:
        return 130
    except TilewrightError as error:
        click.echo(str(error), err=True)
        return error.exit_code
    except BrokenPipeError:
        sys.stderr.close()
        return 0
