"""Jobs go to the least busy GPU; one that nobody needs costs nothing; a dead host costs its own jobs alone."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import Future

import pytest

from tilewright.channel import WorkerHost
from tilewright.errors import WorkerError
from tilewright.evaluators.local import Device, LocalEvaluator
from tilewright.records import Candidate, Evaluation, Job, Problem, Verified
from tilewright.targets import Target, _what_is_here, host_for

REFERENCE = """
import time
import torch

class Model(torch.nn.Module):
    def forward(self, x):
        return torch.tanh(x)

def get_inputs():
    return [torch.randn(16, 32)]

def get_init_inputs():
    return []
"""
PROBLEM = Problem("Tanh", REFERENCE)
QUICK = REFERENCE.replace("class Model", "class ModelNew")
SLOW = QUICK.replace("class ModelNew", "time.sleep(1)\n\nclass ModelNew")


def job(source: str) -> Job:
    return Job(Candidate(source), PROBLEM, effort="quick", deadline_s=60)


@pytest.fixture
def hosts() -> Iterator[list[WorkerHost]]:
    """They stand for the GPUs of a machine."""
    made = [WorkerHost("cpu", jobs=2) for _ in range(3)]
    yield made
    LocalEvaluator(*made).close()


def pids(hosts: list[WorkerHost]) -> list[int | None]:
    return [host._host.process.pid if host._host else None for host in hosts]


def test_a_second_host_is_started_only_for_a_second_job_that_waits(hosts: list[WorkerHost]) -> None:
    evaluator = LocalEvaluator(*hosts)
    assert isinstance(evaluator.submit(job(QUICK)).result(120), Verified)
    assert [pid is not None for pid in pids(hosts)] == [True, False, False]
    futures: list[Future[Evaluation]] = [evaluator.submit(job(source)) for source in (SLOW, QUICK)]
    assert [pid is not None for pid in pids(hosts)] == [True, True, False]
    assert all(isinstance(future.result(120), Verified) for future in futures)


def test_a_host_that_keeps_dying_fails_its_own_jobs_and_the_others_go_on(hosts: list[WorkerHost]) -> None:
    evaluator = LocalEvaluator(*hosts[:2])
    doomed, well = evaluator.submit(job(SLOW)), evaluator.submit(job(SLOW + "# another"))
    first = pids(hosts)[0]
    kill(first)
    while (second := pids(hosts)[0]) in (None, first):
        time.sleep(0.02)
    kill(second)
    with pytest.raises(WorkerError):
        doomed.result(120)
    assert isinstance(well.result(120), Verified)
    assert isinstance(evaluator.submit(job(QUICK)).result(120), Verified)
    assert pids(hosts)[0] is None, "a host that has just failed is not the first choice"


def test_jobs_beyond_what_the_hosts_take_wait_for_the_first_that_is_free(hosts: list[WorkerHost]) -> None:
    """Two slow ones keep a place each for long; the others go to the places that come free."""
    evaluator = LocalEvaluator(*hosts[:2])
    slower = [evaluator.submit(job(SLOW.replace("sleep(1)", f"sleep(4.{i})"))) for i in (0, 1)]
    quick = [evaluator.submit(job(f"{QUICK}# {i}")) for i in range(6)]
    assert all(isinstance(future.result(120), Verified) for future in quick + slower)
    assert evaluator._lanes[0].jobs == evaluator._lanes[1].jobs == 0


def test_what_waits_when_all_is_closed_is_told(hosts: list[WorkerHost]) -> None:
    evaluator = LocalEvaluator(hosts[0])
    futures = [evaluator.submit(job(f"{SLOW}# {i}")) for i in range(4)]
    evaluator.close()
    for future in futures:
        with pytest.raises(WorkerError):
            future.result(60)


def kill(pid: int | None) -> None:
    assert pid is not None
    os.kill(pid, signal.SIGKILL)


def test_each_gpu_has_a_host_of_its_own_that_sees_no_other() -> None:
    target = Target("local", "H100", "", ("GPU-a", "GPU-b"))
    assert [host_for(target, number)._visible for number in (0, 1)] == [
        {"CUDA_VISIBLE_DEVICES": "GPU-a"},
        {"CUDA_VISIBLE_DEVICES": "GPU-b"},
    ]


def test_an_only_gpu_is_left_to_the_environment_that_names_it() -> None:
    assert host_for(Target("local", "H100", "", ("GPU-a",)))._visible == {}


def test_gpus_of_another_model_are_named_and_not_used() -> None:
    found = [Device("NVIDIA H100", "GPU-a"), Device("NVIDIA T4", "GPU-b"), Device("NVIDIA H100", "GPU-c")]
    assert _what_is_here(found) == "2 CUDA GPUs are here (NVIDIA H100); of another model and not used: NVIDIA T4"
