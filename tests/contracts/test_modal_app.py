"""What Modal is asked for, and what its refusals are told as. Against a server on this machine."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tilewright.errors import ConfigError, MachineryError, MissingDependency
from tilewright.evaluators.modal import expected_usd, gpu_on_modal, modal_evaluator, usd
from tilewright.records import Candidate, Job, Problem

if TYPE_CHECKING:
    from modal_stand_in import ModalStandIn

JOB = Job(Candidate("class ModelNew: ..."), Problem("p", "class Model: ..."))


@pytest.fixture
def stand_in() -> Iterator[ModalStandIn]:
    pytest.importorskip("modal", reason="needs: pip install 'tilewright[modal]'")
    from modal_stand_in import ModalStandIn

    with ModalStandIn() as stand_in:
        yield stand_in


def test_nothing_is_made_on_modal_before_the_first_job_and_all_is_given_back(stand_in: ModalStandIn) -> None:
    evaluator = modal_evaluator("H100")
    assert not stand_in.calls["AppCreate"]
    stand_in.refusals["FunctionMap"] = refusal("RESOURCE_EXHAUSTED")
    evaluator.submit(JOB).exception(60)
    evaluator.close()
    assert stand_in.calls["AppCreate"] == stand_in.calls["AppClientDisconnect"] == 1


def test_a_container_has_the_versions_that_are_here_and_the_gpu_that_was_asked_for(stand_in: ModalStandIn) -> None:
    evaluator = modal_evaluator("A100", containers=3)
    stand_in.refusals["FunctionMap"] = refusal("UNAVAILABLE")
    evaluator.submit(JOB).exception(60)
    evaluator.close()
    commands = "\n".join(line for image in stand_in.created["image"] for line in image.dockerfile_commands)
    assert "nvidia/cuda" in commands and f"tilelang=={metadata.version('tilelang')}" in commands
    assert f"torch=={metadata.version('torch').partition('+')[0]} " in f"{commands} ".replace("\n", " ")
    function = stand_in.created["function"]
    assert (function.resources.gpu_config.gpu_type, function.resources.gpu_config.count) == ("A100-80GB", 1)
    assert function.retry_policy.retries == 0 and function.autoscaler_settings.max_containers == 3
    files = {Path(file.filename).name for file in stand_in.created["mount"].files}
    assert {"gpus.toml", "host.py"} <= files and not any(name.endswith(".pyc") for name in files)


def test_a_container_without_the_gpu_gets_no_candidate(stand_in: ModalStandIn) -> None:
    evaluator = modal_evaluator("H100")
    with pytest.raises(MachineryError, match="its GPU is none that CUDA finds, wanted is NVIDIA H100"):
        evaluator.submit(JOB).result(60)
    evaluator.close()


@pytest.mark.parametrize(
    ("request_name", "status", "told"),
    [
        ("FunctionMap", "RESOURCE_EXHAUSTED", "https://modal.com/settings/usage"),
        ("AppCreate", "PERMISSION_DENIED", "Run: modal token new"),
        ("FunctionCreate", "INVALID_ARGUMENT", "Modal refuses the request"),
    ],
)
def test_what_modal_refuses_is_asked_once_and_says_what_to_do(
    stand_in: ModalStandIn, request_name: str, status: str, told: str
) -> None:
    evaluator = modal_evaluator("H100")
    stand_in.refusals[request_name] = refusal(status)
    with pytest.raises(MachineryError, match=told):
        evaluator.submit(JOB).result(60)
    evaluator.close()


def test_a_token_that_modal_does_not_know_is_refused_before_anything_is_made(stand_in: ModalStandIn) -> None:
    stand_in.refusals["ClientHello"] = refusal("UNAUTHENTICATED")
    with pytest.raises(MissingDependency, match="modal token new"):
        modal_evaluator("H100")


def test_without_a_token_the_command_that_makes_one_is_told(tmp_path: Path) -> None:
    pytest.importorskip("modal", reason="needs: pip install 'tilewright[modal]'")
    source = Path(__file__).parents[2] / "src"
    code = "from tilewright.evaluators.modal import modal_evaluator; modal_evaluator('H100')"
    environment = {"HOME": str(tmp_path), "PYTHONPATH": str(source)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert "MissingDependency" in done.stderr and "Run: modal token new" in done.stderr


def test_gpus_have_modals_names_and_one_that_it_lacks_is_refused_here() -> None:
    assert [gpu_on_modal(gpu).name for gpu in ("h100", "A100", "A10G", "B200")] == [
        "H100!",
        "A100-80GB",
        "A10",
        "B200",
    ]
    with pytest.raises(ConfigError, match="unknown GPU 'H900'"):
        gpu_on_modal("H900")


def test_what_it_costs_follows_from_list_prices() -> None:
    per_hour = usd("H100", 3600)
    assert 3.9 < per_hour < 4.4, "the GPU alone is 3.95 dollars an hour"
    assert expected_usd("H100", 100) == pytest.approx(per_hour * (100 * 8 + 120) / 3600)
    assert expected_usd("T4", 100) < expected_usd("H100", 100) < expected_usd("H100", 100, containers=4)


def refusal(status: str) -> tuple[object, str]:
    from grpclib import Status

    return Status[status], "so the stand-in was told"
