"""Which kernels a batch is of, and how it is found again."""

from __future__ import annotations

import io
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tilewright.batching import book
from tilewright.batching.chosen import chosen
from tilewright.config import OptimizationConfig, from_pairs
from tilewright.errors import UsageError
from tilewright.kernelfile import corpus_root


def listed(*options: str) -> str:
    command = [sys.executable, "-m", "tilewright", "list", *options]
    return subprocess.run(command, capture_output=True, encoding="utf-8", check=True).stdout


def kernels(text: str) -> list[str]:
    return [Path(kernel).stem for kernel in chosen(["-"], 0.8, io.StringIO(text)).kernels]


def test_a_folder_gives_its_slow_kernels_and_those_that_nobody_measured() -> None:
    found = chosen([str(corpus_root() / "level1")], 0.8, io.StringIO())
    fast = chosen([str(corpus_root() / "level1")], 1e9, io.StringIO())
    assert found.kernels and len(found.kernels) + found.fast == len(fast.kernels) and fast.fast == 0


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_a_list_is_read_as_it_was_printed(options: tuple[str, ...]) -> None:
    found = kernels(listed(str(corpus_root() / "level3"), *options))
    assert found == [path.stem for path in sorted((corpus_root() / "level3").glob("*.py"), key=lambda p: len(p.stem))]


def test_slow_kernels_are_read_as_they_were_printed() -> None:
    line = f"📉 0.123x {corpus_root() / 'level2' / '2_10.py'} SLOW 10_ConvTranspose2d\n"
    assert kernels(line) == ["2_10"]
    assert kernels("📉 0.123x /a folder/my kernel.py SLOW some problem\n") == ["my kernel"]


def test_a_list_may_be_names_with_remarks_and_each_kernel_counts_once() -> None:
    assert kernels("# the slow ones\n2_10\n\nlevel2/2_10.py\nnowhere.py\n") == ["2_10", "nowhere"]


def test_a_line_that_is_no_kernel_says_where() -> None:
    with pytest.raises(UsageError, match="standard input, line 2"):
        kernels('2_10\n{"run": "x"}\n')


def new(*options: tuple[str, object], name: str = "") -> book.Batch:
    config = OptimizationConfig()
    for option, value in options:
        setattr(config, option, value)
    return book.new_batch(["some/folder"], ["a.py", "b.py"], config, name)


def test_the_same_command_goes_on_until_all_kernels_have_ended(tmp_path: Path) -> None:
    batch = book.begun_before(tmp_path, new())
    book.write(tmp_path, replace(batch, seconds=5.0))
    assert book.begun_before(tmp_path, new()).seconds == 5.0
    assert book.begun_before(tmp_path, new(("tune_budget", 3))).name != batch.name
    places = (book.Place("a.py", "r1", "plateau"), book.Place("b.py", error="no Python"))
    book.write(tmp_path, replace(batch, places=places))
    again = book.begun_before(tmp_path, new())
    assert again.name == f"{batch.name}-2" and not again.places[0].run


def test_a_kernel_that_the_budget_stopped_has_not_ended() -> None:
    assert not book.Place("a.py", "r1", "gpu_seconds").ended and not book.Place("a.py").ended


def test_a_batch_is_found_by_name_and_keeps_its_options(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no batch yet"):
        book.find(tmp_path, "last")
    for name in ("first", "second"):
        book.write(tmp_path, new(("tune_budget", 3), name=name))
    assert book.find(tmp_path, "fi").name == "first"
    assert from_pairs(book.find(tmp_path, "second").options, OptimizationConfig()).tune_budget == 3
    with pytest.raises(UsageError, match="The last ones"):
        book.find(tmp_path, "third")
    with pytest.raises(UsageError, match="letters"):
        new(name="../up")
