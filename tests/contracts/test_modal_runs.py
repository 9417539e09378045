"""Whole runs whose kernels are judged on Modal. Against a server on this machine."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from runs.scripted_runs import KERNEL, REFERENCE
from samples import measured
from stand_in_workers import NoWorker
from tilewright import jsonform
from tilewright.channel import Host
from tilewright.config import OptimizationConfig
from tilewright.evaluators.station import Batch, Machine, Reply, Result
from tilewright.records import Run
from tilewright.store import FILE, Store
from tilewright.targets import SharedWorkers, Target
from tilewright.wiring import main, resume

ROOT = Path(__file__).resolve().parents[2]
H100 = Machine("NVIDIA H100 80GB HBM3", ())


def made_up(device: str, batch: str) -> str:
    """In place of a GPU: always the same time for the same candidate."""
    jobs = jsonform.loads(Batch, batch).jobs
    results = tuple(Result(measured(0.3 + int(job.candidate.id[:4], 16) / 2**17, 0.001)) for job in jobs)
    return jsonform.dumps(Reply(H100, results, seconds=1.0))


class NothingCompiled(SharedWorkers):
    """Gates find nothing out, and nothing wrong; evaluators are the real ones."""

    def host(self, target: Target) -> Host:
        return NoWorker("cpu")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    pytest.importorskip("modal", reason="needs: pip install 'tilewright[modal]'")
    (tmp_path / "reference.py").write_text(REFERENCE)
    (tmp_path / "kernel.py").write_text(KERNEL)
    return tmp_path


def the_run(folder: Path) -> Run:
    with closing(Store(folder / "results" / FILE)) as store:
        return store.load(store.find("last"))


def test_a_laptop_drives_modal_through_a_whole_run(folder: Path) -> None:
    """For Windows too: what a run does here beside judging is in unit/test_other_systems.py."""
    from modal_stand_in import ModalStandIn

    options = "--model none --evaluator modal --gpu H100 --max-iterations 1 --candidates 1 --tune-budget 1"
    kernel = f"kernel.py --reference reference.py --results {folder / 'results'}"
    sample = ROOT / "tests" / "samples" / "laptop.py"
    with ModalStandIn(made_up) as stand_in:
        done = subprocess.run(
            [sys.executable, str(sample), "darwin", "optimize", *kernel.split(), *options.split()],
            capture_output=True,
            encoding="utf-8",
            env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
            cwd=folder,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    run = the_run(folder)
    assert run.stop_reason in ("iterations", "exhausted") and len(run.attempts) >= 2
    assert run.attempts[0].evidence.facts, "it was compiled"
    for said in ("Modal: est. ", "modal: H100 busy for "):
        assert said in done.stderr
    assert stand_in.created["look"].resources.gpu_config.count == 0
    assert stand_in.created["function"].resources.gpu_config.gpu_type == "H100!"
    assert stand_in.calls["AppCreate"] == stand_in.calls["AppClientDisconnect"] == 1


@pytest.mark.parametrize(
    ("request_name", "status", "told"),
    [
        ("FunctionMap", "RESOURCE_EXHAUSTED", "https://modal.com/settings/usage"),
        ("FunctionGetOutputs", "PERMISSION_DENIED", "Run: modal token new"),
    ],
)
def test_a_run_that_modal_refuses_says_what_to_do_and_goes_on_without_repeating_anything(
    folder: Path, request_name: str, status: str, told: str
) -> None:
    from grpclib import Status
    from modal_stand_in import ModalStandIn

    config = OptimizationConfig()
    config.kernel_file, config.reference = str(folder / "kernel.py"), str(folder / "reference.py")
    config.results, config.no_save = str(folder / "results"), True
    config.model, config.evaluator, config.gpu = "none", "modal", "H100"
    config.max_iterations, config.tune_budget, config.candidates, config.near_optimal = 1, 1, 1, 0.0
    with ModalStandIn(made_up) as stand_in:
        stand_in.refusals[request_name] = (Status[status], "so the stand-in was told")
        with closing(NothingCompiled()) as workers:
            stopped = main(config, shared=workers).run
        assert stopped.stop_reason == "no_machine" and not stopped.attempts
        assert told in stopped.stop_detail and f"tilewright resume {stopped.id}" in stopped.stop_detail
        assert stand_in.calls[request_name] == 1, "asked again in vain"
        stand_in.refusals.clear()
        with closing(NothingCompiled()) as workers:
            ended = resume(stopped.id, config, shared=workers).run
    assert ended.stop_reason in ("iterations", "exhausted", "target")
    ids = [attempt.candidate.id for attempt in ended.attempts]
    assert len(ids) == len(set(ids)) >= 2 and replace(ended, seconds=0) == replace(the_run(folder), seconds=0)
