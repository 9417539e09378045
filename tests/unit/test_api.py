"""`import tilewright` is quick and offers what the commands do. (That it works: `examples/python`.)"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import tilewright
from samples import attempt, estimated, measured, run
from tilewright.api import Result
from tilewright.errors import ConfigError, UsageError
from tilewright.records import Attempt
from tilewright.store import FILE, Store


def test_importing_the_package_loads_nothing_of_it() -> None:
    code = "import sys, tilewright; print([name for name in sys.modules if name.startswith('tilewright.')])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


@pytest.mark.parametrize("name", tilewright.__all__)
def test_every_public_name_is_there_and_listed(name: str) -> None:
    assert getattr(tilewright, name) is not None and name in dir(tilewright)


def test_type_checkers_are_told_that_the_package_is_typed() -> None:
    assert (Path(tilewright.__file__).parent / "py.typed").is_file()


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="optimise"):
        _ = tilewright.optimise  # type: ignore[attr-defined]


def test_a_misspelt_option_is_named() -> None:
    with pytest.raises(ConfigError, match="Did you mean 'max_iterations'"):
        tilewright.optimize("1_48", max_iteration=3)


def test_options_come_on_top_of_a_configuration_which_stays_as_it_was() -> None:
    config = tilewright.OptimizationConfig()
    with pytest.raises(ConfigError, match="max_iterations"):
        tilewright.optimize("1_48", config, model="none", max_iterations=0)
    assert config.explicit == frozenset()


def test_a_stored_run_is_loaded_and_reading_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds no run yet"):
        tilewright.load_run("last", tmp_path / "none")
    assert not (tmp_path / "none").exists()
    store = Store(tmp_path / FILE)
    seed = attempt(0, estimated(2.0), turn=0, phase="seed")
    stored = run(seed, attempt(1, estimated(1.0)))
    store.begin(stored)
    for one in stored.attempts:
        store.append(stored.id, one)
    store.close()
    loaded = tilewright.load_run("last", tmp_path)
    assert loaded.run.attempts == stored.attempts
    assert loaded.best is not None and loaded.best.index == 1


@pytest.mark.parametrize("second", [attempt(1, measured(1.5)), attempt(1, None, error="the worker died")])
def test_a_notebook_shows_a_run_as_words_and_a_plot(second: Attempt) -> None:
    shown = Result(run(attempt(0, measured(0.5), turn=0, phase="seed"), second), None)._repr_html_()
    assert "k.py: 0.500x" in shown and "<iframe" in shown and "&lt;svg" in shown


def test_a_run_in_which_nothing_was_right_is_shown_in_words_alone() -> None:
    shown = Result(run(attempt(0, None, turn=0, phase="seed", error="<b>died</b>")), None)._repr_html_()
    assert "no result" in shown and "<iframe" not in shown
