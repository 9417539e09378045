"""The configuration for people: defaults, misspellings, what is refused."""

import dataclasses
from pathlib import Path

import pytest

from tilewright.config import OptimizationConfig, from_pairs, resolve, to_pairs
from tilewright.errors import ConfigError, MissingDependency
from tilewright.hardware import Gpu


def config(**values: object) -> OptimizationConfig:
    made = OptimizationConfig()
    made.kernel_file, made.model = "2_10", "none"
    for name, value in values.items():
        setattr(made, name, value)
    return made


def test_the_documented_defaults() -> None:
    made = OptimizationConfig()
    assert (made.threshold, made.target_speedup, made.max_iterations, made.min_improvement) == (0.8, 1.5, 5, 0.05)
    assert (made.model, made.temperature, made.rag_k, made.gpu) == ("openai/o3", 0.7, 3, "H100")


def test_a_misspelt_field_raises_and_says_which_was_meant() -> None:
    made = OptimizationConfig()
    with pytest.raises(ConfigError, match="Did you mean 'kernel_file'"):
        made.kernel_fil = "x"  # type: ignore[attr-defined]


def test_without_a_key_the_variable_and_the_way_without_are_named() -> None:
    with pytest.raises(MissingDependency, match=r"OPENAI_API_KEY.*--model none"):
        resolve(config(model="openai/o3"), {})


def test_the_analysis_prompt_is_noted_as_unused_without_a_model() -> None:
    assert "unused" in resolve(config(custom_analysis_prompt="look"), {}).notes[0]


def test_an_unsupported_gpu_says_what_works() -> None:
    with pytest.raises(ConfigError, match=r"MI300X' is unsupported.*checking and estimating work.*Known: H100"):
        resolve(config(gpu="MI300X"), {})


def test_gpus_of_ones_own_are_read_from_the_file_that_the_environment_names(tmp_path: Path) -> None:
    words = "[MyGPU]\nvendor = 'NVIDIA'\narch = 'sm_90a'\n"
    numbers = (f.name for f in dataclasses.fields(Gpu) if f.type in ("int", "float"))
    (tmp_path / "own.toml").write_text(words + "".join(f"{name} = 1\n" for name in numbers))
    assert resolve(config(gpu="mygpu"), {"TILEWRIGHT_GPUS": str(tmp_path / "own.toml")}).gpu == "MyGPU"
    with pytest.raises(ConfigError, match="can't be read"):
        resolve(config(), {"TILEWRIGHT_GPUS": str(tmp_path / "missing.toml")})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("near_optimal", 1.5),
        ("threshold", 0),
        ("max_iterations", 0),
        ("min_improvement", 1.5),
        ("temperature", 3.0),
        ("patience", 0.5),
    ],
)
def test_values_out_of_range_are_refused_by_name(name: str, value: object) -> None:
    with pytest.raises(ConfigError, match=name):
        resolve(config(**{name: value}), {})


def test_a_stored_configuration_comes_back_and_can_be_overridden() -> None:
    made = config(max_iterations=3, workload=("large",))
    over = OptimizationConfig()
    over.max_iterations = 9
    back = from_pairs(to_pairs(made), over)
    assert (back.max_iterations, back.workload, back.kernel_file) == (9, ("large",), "2_10")
    assert "gpu" not in back.explicit


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("eager,compil", "unknown 'compil'.*Did you mean 'compile'"),
        ("", "unknown ''.*known: eager, compile, max-autotune, seed, file:PATH"),
        ("eager,file:", "file: needs a path"),
        ("eager,compile,eager", "'eager' stands there twice"),
    ],
)
def test_baselines_that_mean_nothing_are_named(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        resolve(config(baselines=text), {})


def test_baselines_keep_their_order() -> None:
    settings = resolve(config(baselines="compile, eager,file:a/b.py"), {})
    assert settings.baselines == ("compile", "eager", "file:a/b.py")


@pytest.mark.parametrize("factor", [0.5, float("inf"), float("nan")])
def test_an_error_factor_that_checks_nothing_is_refused(factor: float) -> None:
    with pytest.raises(ConfigError, match="error_factor"):
        resolve(config(error_factor=factor), {})
