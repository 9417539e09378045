"""What TileLang exports: each construct's kernel leaves what torch says, or is reported as not checked by name."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest
import tilelang
import torch
from constructs.table import CONSTRUCTS, Construct

from tilewright.interpreter import Unsupported, allocate_outputs, launch, run
from tilewright.interpreter.compiler import CALLS, EFFECTS

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

FOLDER = Path(__file__).parent / "constructs"
for path in sorted(FOLDER.glob("*.py")):
    importlib.import_module(f"constructs.{path.stem}")
LISTED = tomllib.loads((FOLDER / "exported.toml").read_text(encoding="utf-8"))
COVERED = {name for construct in CONSTRUCTS for name in construct.names}


def listed(group: str) -> list[str]:
    return [name for names in LISTED[group].values() for name in names.split()]


def exported() -> set[str]:
    """Public names, and the fast functions such as `__exp`."""
    names = dir(tilelang.language)
    return {name for name in names if not name.startswith("_") or (name[:2] == "__" and not name.endswith("__"))}


@pytest.mark.parametrize("construct", CONSTRUCTS, ids=str)
def test_a_construct_leaves_what_torch_says_or_is_not_checked(construct: Construct) -> None:
    kernel = construct.build()
    given = [value.clone() if isinstance(value, torch.Tensor) else value for value in construct.inputs]
    full = given if len(given) == len(kernel.params) else allocate_outputs(kernel, [-1], given)
    if construct.equals is None:
        with pytest.raises(Unsupported, match=construct.not_checked):
            run(kernel, *full)
        return
    run(kernel, *full)
    tolerance = construct.tolerance
    torch.testing.assert_close(full[-1], construct.equals, atol=tolerance, rtol=tolerance, equal_nan=True)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA GPU")
@pytest.mark.parametrize("construct", [one for one in CONSTRUCTS if one.equals is not None], ids=str)
def test_a_construct_does_the_same_on_a_gpu(construct: Construct) -> None:
    """Approximate functions, TF32 and other orders of summation are let pass; integers are not."""
    kernel, expected = construct.build(), construct.equals
    assert expected is not None
    given = [value.clone().cuda() if isinstance(value, torch.Tensor) else value for value in construct.inputs]
    if len(given) < len(kernel.params):
        given.append(torch.zeros_like(expected, device="cuda"))
    tilelang.compile(kernel)(*given)
    tolerance = 2e-2 if expected.is_floating_point() else 0
    torch.testing.assert_close(given[-1].cpu(), expected, atol=tolerance, rtol=tolerance, equal_nan=True)


def test_every_name_that_tilelang_exports_is_in_the_tables() -> None:
    known = [*COVERED, *listed("not_an_operation"), *listed("not_checked")]
    unknown, gone = exported() - set(known), set(known) - exported()
    assert not unknown, "enter them in constructs/exported.toml, or write a kernel that shows them"
    assert not gone, "TileLang exports them no more"
    assert len(known) == len(set(known)), "a name is in more than one table"


def test_what_is_said_to_be_unchecked_has_no_meaning_in_the_interpreter() -> None:
    assert launch  # it fills the tables
    meant = {operator.rsplit(".")[-1] for operator in (*CALLS, *EFFECTS)}
    assert not meant & set(listed("not_checked"))
