"""What a user may set, and what the code is told: OptimizationConfig -> resolve() -> Settings.

Every field of `OptimizationConfig` is an option of `tilewright optimize` with the same name; its help text
stands here once. Environment variables are read in `resolve` and nowhere else.
"""

from __future__ import annotations

import dataclasses
import difflib
import json
import math
import os
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from tilewright.errors import ConfigError, MissingDependency
from tilewright.hardware import add_gpus, all_gpus, load_gpu
from tilewright.lm.keys import keys_in
from tilewright.lm.models import DEFAULT_MODEL, ModelSpec, parse_models
from tilewright.problems import parse_precision
from tilewright.records import Precision
from tilewright.search.policies import Policy, policy_named
from tilewright.wording.instructions import of_program

GPUS_VARIABLE = "TILEWRIGHT_GPUS"
"""Names a file with GPUs of one's own, in the form of `data/gpus.toml`."""
API_KEY_VARIABLE = "TILEWRIGHT_API_KEY"
"""A key for the server of --api-base; OPENAI_API_KEY is for OpenAI's, or for that of OPENAI_BASE_URL."""
_OPENAI_KEY = "OPENAI_API_KEY"
GPUS = tuple(gpu.name for gpu in all_gpus())
EVALUATORS = ("auto", "local", "offline")
RUN_EVALUATORS = (*EVALUATORS, "modal", "ray")
"""Runs may have their candidates judged elsewhere."""
BASELINES = ("eager", "compile", "max-autotune", "seed")
BASELINES_HELP = (
    "What to time against, with commas, the headline first: eager, compile, max-autotune (torch.compile), seed (the "
    "kernel that the run begins with), file:PATH (another kernel for the problem)."
)
ERROR_FACTOR_HELP = "How many times PyTorch's own error an error may be; other than 16 lowers the trust grade."
RESULTS_HELP = "Folder for the store and the histories."
GPU_HELP = f"GPU to optimise for: {', '.join(GPUS)}, or one of the file that {GPUS_VARIABLE} names."
BACKWARD_HELP = "Verify and time the gradients too."
OF_ONE_COMMAND = ("results", "quiet", "verbose")
"""Where the store is and how much is said: what a run that goes on is told of these holds for that time."""
_KEYS = {"openai": _OPENAI_KEY, "anthropic": "ANTHROPIC_API_KEY", "gemini": "GEMINI_API_KEY"}


def option(default: Any, text: str, **more: Any) -> Any:
    """A field with its help text; `flags`, `choices` and `multiple` are read by the command line."""
    return field(default=default, metadata={"help": text, **more})


@dataclass
class OptimizationConfig:
    """One optimisation, as a person writes it down. A misspelt field raises `ConfigError`."""

    kernel_file: str | None = option(
        None, "Kernel to optimise: a path, level2/2_10.py or 2_10.", flags=("--kernel", "-k")
    )
    list_slow: bool = option(False, "List the kernels below the threshold and stop.", flags=("--list-slow", "-l"))
    threshold: float = option(0.8, "Kernels below this speedup count as slow.")
    target_speedup: float = option(1.5, "Stop at this speedup over eager PyTorch.")
    max_iterations: int = option(5, "Turns at most.")
    min_improvement: float = option(0.05, "Gain over the best so far that counts as progress (0.05 is 5 %).")
    model: str = option(
        DEFAULT_MODEL,
        "Language models with commas (they take turns), 'none' to search without one, file:DIR to be asked through "
        "files, replay:RUN to repeat a recorded run.",
    )
    temperature: float = option(0.7, "Sampling temperature of the model; reasoning models take none.")
    api_base: str | None = option(
        None, f"Address of a server that speaks OpenAI's protocol; its key is in {API_KEY_VARIABLE}."
    )
    hypotheses: int = option(3, "Changes that the model is asked for in a turn.")
    knobs: str = option(
        "search",
        "Whose knob setting is tried first: the search's, or the model's.",
        choices=("search", "model"),
    )
    repairs: int = option(2, "How often the model may mend what failed, per turn.")
    max_usd: float | None = option(None, "What the model may cost.")
    max_tokens: int | None = option(None, "Tokens that the model may use, in and out.")
    max_gpu_seconds: float | None = option(None, "Seconds of GPU time that timing may use.")
    corpus: tuple[str, ...] = option(
        (), "Folder of kernels to learn from beside the shipped ones; may be repeated.", multiple=True
    )
    embedding: str | None = option(
        None, "Embedding model for retrieval, such as openai/text-embedding-3-large; words alone without one."
    )
    rag_k: int = option(3, "How many similar kernels the model is shown.")
    gpu: str = option("H100", GPU_HELP)
    no_save: bool = option(False, "Write no kernel file.")
    quiet: bool = option(False, "Print the result line only.", flags=("--quiet", "-q"))
    verbose: bool = option(False, "Say more.")
    program: str | None = option(None, "Instructions for the model that `tilewright compile-prompts` wrote.")
    custom_analysis_prompt: str | None = option(None, "What the model should look at in its analysis.")
    evaluator: str = option("auto", "Where candidates are judged.", choices=RUN_EVALUATORS)
    modal_containers: int = option(1, "With --evaluator modal: containers, each with a GPU, at most.")
    ray_address: str | None = option(None, "With --evaluator ray: a cluster's address; else one here.")
    ray_workers: int | None = option(None, "With --evaluator ray: GPUs at most; all that there are by default.")
    reference: str | None = option(None, "PyTorch reference: FILE, or FILE:FUNCTION for a plain function.")
    problems: str | None = option(None, "Folder with references, such as a KernelBench checkout.")
    inputs: str | None = option(None, 'Shapes of a function: "fp16[4096,4096] fp16[4096,4096]".')
    workload: tuple[str, ...] = option((), "Named size of the reference (WORKLOADS); may be repeated.", multiple=True)
    precision: str = option("fp16", "Dtype of the task.", choices=("fp16", "bf16", "fp32"))
    include: tuple[str, ...] = option(
        (), "Folder whose modules the kernel may import; may be repeated.", multiple=True
    )
    policy: str = option("report", "What to do about library calls in the kernel.", choices=("report", "own-kernels"))
    baselines: str = option("eager", BASELINES_HELP)
    error_factor: float = option(16.0, ERROR_FACTOR_HELP)
    backward: bool = option(False, BACKWARD_HELP)
    generate: bool = option(False, "The kernel is a PyTorch reference: write a first kernel for it.")
    optimize: bool = option(False, "Having generated a kernel, go on to make it faster.")
    out: str | None = option(None, "Folder, in the corpus's layout, that a generated kernel is written to.")
    repair: bool = option(False, "When the kernel is wrong, make that the first task instead of stopping.")
    near_optimal: float = option(
        0.95, "Stop when the best is within this share of what the GPU allows the problem; 0 never does."
    )
    search: str = option(
        "greedy",
        "What a turn grows from: greedy, the best alone; beam:N, the best N structures, which share its candidates.",
    )
    patience: int = option(2, "Turns without progress before the search stops.")
    tune_budget: int = option(24, "Knob settings tried per turn.")
    candidates: int = option(4, "Structure changes tried per turn.")
    max_evaluations: int | None = option(None, "Candidates evaluated at most.")
    max_wall: float | None = option(None, "Seconds the run may take.")
    seed: int = option(0, "Seed of the search's own choices.")
    results: str = option("results", RESULTS_HELP)

    def __setattr__(self, name: str, value: object) -> None:
        known = [f.name for f in dataclasses.fields(self)]
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise ConfigError(f"OptimizationConfig has no option {name!r}.{hint} Options: {', '.join(known)}")
        object.__setattr__(self, name, value)
        if "_explicit" in self.__dict__:
            self.__dict__["_explicit"].add(name)

    def __post_init__(self) -> None:
        changed = {f.name for f in dataclasses.fields(self) if getattr(self, f.name) != f.default}
        self.__dict__["_explicit"] = changed

    @property
    def explicit(self) -> frozenset[str]:
        """The options that somebody set, as opposed to their defaults."""
        return frozenset(self.__dict__["_explicit"])


def flags_of(item: dataclasses.Field[Any]) -> tuple[str, ...]:
    """What a field of `OptimizationConfig` is called on the command line."""
    flags: tuple[str, ...] = item.metadata.get("flags", (f"--{item.name.replace('_', '-')}",))
    return flags


def arguments_of(config: OptimizationConfig, *, leave_out: Sequence[str] = ()) -> list[str]:
    """What somebody set in a configuration, as it is typed; nothing of what is off."""
    typed: list[str] = []
    for item in dataclasses.fields(config):
        value = getattr(config, item.name)
        if item.name in config.explicit and item.name not in leave_out and value is not None and value is not False:
            flag = flags_of(item)[0]
            values = value if isinstance(value, (tuple, list)) else [value]
            typed += [flag] if value is True else [word for one in values for word in (flag, str(one))]
    return typed


@dataclass(frozen=True)
class Settings:
    """A checked configuration, as the code reads it."""

    kernel_file: str
    threshold: float
    target_speedup: float
    max_iterations: int
    min_improvement: float
    models: tuple[ModelSpec, ...]
    """Empty for a search without a language model."""
    temperature: float
    temperature_is_explicit: bool
    api_base: str
    api_key: str = field(repr=False)
    secrets: tuple[str, ...] = field(repr=False)
    """Keys of the environment, which no record may hold."""
    hypotheses: int
    knobs: Literal["search", "model"]
    repairs: int
    max_usd: float | None
    max_tokens: int | None
    max_gpu_s: float | None
    corpus: tuple[Path, ...]
    embedding: str | None
    rag_k: int
    instructions: Mapping[str, str]
    """The model's, by signature, in place of the shipped ones; see `--program`."""
    gpu: str
    gpu_is_explicit: bool
    save: bool
    verbose: bool
    evaluator: Literal["auto", "local", "offline", "modal", "ray"]
    modal_containers: int
    ray_address: str | None
    ray_workers: int | None
    reference: str | None
    problems: Path | None
    inputs: str | None
    workloads: tuple[str, ...]
    precision: Precision
    include: tuple[Path, ...]
    policy: Literal["report", "own-kernels"]
    baselines: tuple[str, ...]
    error_factor: float
    backward: bool
    generate: bool
    optimize: bool
    out: Path | None
    repair: bool
    near_optimal: float
    search: Policy
    patience: int
    tune_budget: int
    candidates: int
    max_evaluations: int | None
    max_wall_s: float | None
    seed: int
    results: Path
    custom_analysis_prompt: str | None
    notes: tuple[str, ...] = ()


def to_pairs(config: OptimizationConfig) -> tuple[tuple[str, str], ...]:
    """A configuration for the store: each option with its value as JSON, and which of them somebody set."""
    values = [(f.name, json.dumps(getattr(config, f.name))) for f in dataclasses.fields(config)]
    return (*values, ("explicit", json.dumps(sorted(config.explicit))))


def from_pairs(pairs: tuple[tuple[str, str], ...], override: OptimizationConfig) -> OptimizationConfig:
    """A stored configuration, with what somebody set in `override` in place of its own."""
    stored = {name: json.loads(value) for name, value in pairs}
    known = {f.name: f for f in dataclasses.fields(OptimizationConfig)}
    config = OptimizationConfig()
    for name in stored.get("explicit", []):
        if name in known:
            value = stored[name]
            setattr(config, name, tuple(value) if isinstance(value, list) else value)
    for name in override.explicit:
        setattr(config, name, getattr(override, name))
    return config


@dataclass(frozen=True)
class Changes:
    """Options that take the place of those a run had: for the store, and as they are typed."""

    pairs: tuple[tuple[str, str], ...]
    said: str


def changes(pairs: tuple[tuple[str, str], ...], override: OptimizationConfig) -> Changes | None:
    """What somebody set in `override` that a stored configuration hasn't, and that holds for the run from now on."""
    stored = dict(pairs)
    was_set = set(json.loads(stored.get("explicit", "[]")))
    values = {name: json.dumps(getattr(override, name)) for name in override.explicit.difference(OF_ONE_COMMAND)}
    new = sorted(name for name, value in values.items() if name not in was_set or stored.get(name) != value)
    if not new:
        return None
    others = [item.name for item in dataclasses.fields(override) if item.name not in new]
    said = shlex.join(arguments_of(override, leave_out=others)) or f"other {', '.join(new)}"
    explicit = ("explicit", json.dumps(sorted(was_set.union(new))))
    return Changes((*((name, values[name]) for name in new), explicit), said)


def resolve(config: OptimizationConfig, environment: Mapping[str, str] | None = None) -> Settings:
    """Check a configuration, raising `ConfigError` or `MissingDependency` with what to do."""
    environment = os.environ if environment is None else environment
    if not config.kernel_file:
        raise ConfigError("No kernel: give --kernel PATH (config.kernel_file), or --list-slow to see slow ones.")
    _positive(config, "threshold", "target_speedup", "max_wall", "max_usd", "max_gpu_seconds")
    check_error_factor(config.error_factor)
    _whole(
        config, 1, "max_iterations", "patience", "max_evaluations", "max_tokens", "modal_containers", "ray_workers"
    )
    _whole(config, 0, "rag_k", "tune_budget", "candidates", "hypotheses", "repairs")
    if not 0 <= config.min_improvement < 1:
        raise ConfigError(f"min_improvement is a share from 0 to below 1, got {config.min_improvement}")
    if not 0 <= config.near_optimal <= 1:
        raise ConfigError(f"near_optimal is a share of the limit, 0 to 1 (0 never stops), got {config.near_optimal}")
    if not 0 <= config.temperature <= 2:
        raise ConfigError(f"temperature is 0 to 2, got {config.temperature}")
    models = parse_models(config.model)
    api_base, api_key = _server(config, environment)
    notes = _check_models(models, api_base, config, environment)
    evaluator = _choice("evaluator", config.evaluator, RUN_EVALUATORS)
    policy = _choice("policy", config.policy, ("report", "own-kernels"))
    return Settings(
        kernel_file=config.kernel_file,
        threshold=config.threshold,
        target_speedup=config.target_speedup,
        max_iterations=config.max_iterations,
        min_improvement=config.min_improvement,
        models=models,
        temperature=config.temperature,
        temperature_is_explicit="temperature" in config.explicit,
        api_base=api_base,
        api_key=api_key,
        secrets=keys_in(environment),
        verbose=config.verbose,
        hypotheses=config.hypotheses,
        knobs=_choice("knobs", config.knobs, ("search", "model")),  # type: ignore[arg-type]
        repairs=config.repairs,
        max_usd=config.max_usd,
        max_tokens=config.max_tokens,
        max_gpu_s=config.max_gpu_seconds,
        corpus=tuple(Path(folder) for folder in config.corpus),
        embedding=config.embedding,
        rag_k=config.rag_k,
        instructions=instructions_of(config.program),
        gpu=gpu_name(config.gpu, environment),
        gpu_is_explicit="gpu" in config.explicit,
        save=not config.no_save,
        evaluator=evaluator,  # type: ignore[arg-type]
        modal_containers=config.modal_containers,
        ray_address=config.ray_address,
        ray_workers=config.ray_workers,
        reference=config.reference,
        problems=Path(config.problems) if config.problems else None,
        inputs=config.inputs,
        workloads=tuple(config.workload),
        precision=parse_precision(config.precision),
        include=tuple(Path(folder) for folder in config.include),
        policy=policy,  # type: ignore[arg-type]
        baselines=baseline_names(config.baselines),
        error_factor=config.error_factor,
        backward=config.backward,
        generate=config.generate,
        optimize=config.optimize,
        out=Path(config.out) if config.out else None,
        repair=config.repair,
        near_optimal=config.near_optimal,
        search=policy_named(config.search),
        patience=config.patience,
        tune_budget=config.tune_budget,
        candidates=config.candidates,
        max_evaluations=config.max_evaluations,
        max_wall_s=config.max_wall,
        seed=config.seed,
        results=Path(config.results),
        custom_analysis_prompt=config.custom_analysis_prompt,
        notes=notes,
    )


def instructions_of(program: str | None) -> Mapping[str, str]:
    """The instructions that a file of `tilewright compile-prompts` holds, by signature; none without one."""
    if not program:
        return {}
    try:
        return of_program(Path(program).read_text(encoding="utf-8"), program)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"--program {program} can't be read: {error}") from error


def baseline_names(text: str) -> tuple[str, ...]:
    """`eager,file:triton_version.py` -> its parts. `ConfigError` for one that isn't known or stands there twice."""
    names = tuple(part.strip() for part in text.split(","))
    for name in names:
        path = name.removeprefix("file:") if name.startswith("file:") else None
        if path == "":
            raise ConfigError("--baselines: file: needs a path, such as file:other_kernel.py")
        if path is None and name not in BASELINES:
            near = difflib.get_close_matches(name, BASELINES, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise ConfigError(f"--baselines: unknown {name!r}; known: {', '.join(BASELINES)}, file:PATH.{hint}")
        if names.count(name) > 1:
            raise ConfigError(f"--baselines: {name!r} stands there twice")
    return names


def check_error_factor(value: float) -> None:
    """Below 1 PyTorch itself would be wrong; no end of error is no check."""
    if not 1 <= value < math.inf:
        raise ConfigError(f"error_factor is 1 or more (16 for the full trust grade), got {value}")


def gpu_name(name: str, environment: Mapping[str, str] | None = None) -> str:
    """The name that a GPU has in the table; `ConfigError` says what works where it isn't there."""
    environment = os.environ if environment is None else environment
    own = environment.get(GPUS_VARIABLE)
    if own:
        add_gpus(Path(own))
    return load_gpu(name).name


def _server(config: OptimizationConfig, environment: Mapping[str, str]) -> tuple[str, str]:
    """Address and key of a server that stands in for a provider's; empty where there is none."""
    key = environment.get(API_KEY_VARIABLE, "")
    if config.api_base:
        return config.api_base, key
    own = environment.get("OPENAI_BASE_URL") or environment.get("OPENAI_API_BASE") or ""
    return (own, key or environment.get(_OPENAI_KEY, "")) if own else ("", "")


def _check_models(
    models: Sequence[ModelSpec], api_base: str, config: OptimizationConfig, environment: Mapping[str, str]
) -> tuple[str, ...]:
    if not models and config.generate:
        raise ConfigError("A first kernel is written by a language model: give --model, such as file:DIR.")
    if not models:
        return ("custom_analysis_prompt is unused with --model none",) if config.custom_analysis_prompt else ()
    for folder in config.corpus:
        if not Path(folder).is_dir():
            raise ConfigError(f"--corpus {folder}: no such folder")
    for model in models:
        variable = _KEYS.get(model.name.split("/")[0], "") if model.kind == "provider" else ""
        if variable and not api_base and not environment.get(variable):
            raise MissingDependency(
                f"--model {model} needs the environment variable {variable}. "
                "Set it, name a server (--api-base URL), be the model yourself (--model file:DIR), or search without "
                "one: --model none."
            )
    return ()


def _choice(name: str, value: str, choices: tuple[str, ...]) -> str:
    if value in choices:
        return value
    near = difflib.get_close_matches(value, choices, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    raise ConfigError(f"unknown {name} {value!r}; known: {', '.join(choices)}.{hint}")


def _positive(config: OptimizationConfig, *names: str) -> None:
    for name in names:
        value = getattr(config, name)
        if value is not None and not value > 0:
            raise ConfigError(f"{name} must be above 0, got {value}")


def _whole(config: OptimizationConfig, least: int, *names: str) -> None:
    for name in names:
        value = getattr(config, name)
        if value is not None and (not isinstance(value, int) or value < least):
            raise ConfigError(f"{name} must be a whole number from {least} up, got {value!r}")
