"""The options of a run, made from the fields of OptimizationConfig, so that both always agree."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from tilewright.config import EVALUATORS, OF_ONE_COMMAND, OptimizationConfig, flags_of
from tilewright.errors import ConfigError

Command = Callable[..., Any]


def run_options(*, leave_out: Sequence[str] = (), of_a_run: bool = False) -> Callable[[Command], Command]:
    """Adds one option per configuration field to a command. `of_a_run`: what isn't given is a stored run's."""

    def decorate(command: Command) -> Command:
        for item in reversed(dataclasses.fields(OptimizationConfig)):
            if item.name not in leave_out:
                command = _option(item, of_a_run and item.name not in OF_ONE_COMMAND)(command)
        return command

    return decorate


def task_options(command: Command, precision_help: str = "Dtype of the task.") -> Command:
    """Adds what says which task a kernel has, where its file doesn't."""
    precision = click.Choice(["fp16", "bf16", "fp32"])
    for option in (
        click.option("--precision", type=precision, default="fp16", show_default=True, help=precision_help),
        click.option("--inputs", help='Shapes of a function: "fp16[4096,4096] fp16[4096,4096]".'),
        click.option("--problems", type=click.Path(path_type=Path), help="Folder with references."),
        click.option("--reference", help="PyTorch reference: FILE, or FILE:FUNCTION for a plain function."),
    ):
        command = option(command)
    return command


def evaluator_option(command: Command) -> Command:
    """Adds where kernels are judged by what is here."""
    said = "local: on a GPU here. offline: without one. auto: on one where there is one."
    choice = click.Choice(EVALUATORS)
    return click.option("--evaluator", type=choice, default="auto", show_default=True, help=said)(command)


def config_from(values: dict[str, Any]) -> OptimizationConfig:
    """A configuration in which only what was typed counts as set."""
    context = click.get_current_context()
    config = OptimizationConfig()
    for name, value in values.items():
        source = context.get_parameter_source(name)
        if source is not None and source is not click.core.ParameterSource.DEFAULT:
            setattr(config, name, value)
    return config


def with_dashes(arguments: Sequence[str]) -> list[str]:
    """`level=2` as `--level=2`: how scripts of the field take their options."""
    return [f"--{text}" if "=" in text and text.split("=")[0].isidentifier() else text for text in arguments]


def _option(item: dataclasses.Field[Any], of_a_run: bool) -> Callable[[Command], Command]:
    extra: dict[str, Any] = {}
    if item.default is False:
        extra["is_flag"] = True
    elif item.metadata.get("multiple"):
        extra.update(multiple=True, type=str)
    elif "choices" in item.metadata:
        extra["type"] = click.Choice(item.metadata["choices"], case_sensitive=False)
    else:
        extra["type"] = _kind(item)
    show = bool(item.default)
    return click.option(
        *flags_of(item),
        item.name,
        default=item.default,
        show_default="the run's" if show and of_a_run else show,
        help=item.metadata["help"],
        **extra,
    )


def _kind(item: dataclasses.Field[Any]) -> type:
    annotation = str(item.type)
    for kind in (float, int, str):
        if kind.__name__ in annotation:
            return kind
    raise ConfigError(f"option {item.name} has a type that the command line can't read: {annotation}")
