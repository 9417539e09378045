"""What every evaluator keeps to. A subclass says how it is made, and how its machinery fails."""

from __future__ import annotations

import contextlib
import functools
import os
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Future
from typing import TYPE_CHECKING, Any

import pytest

from tilewright import jsonform
from tilewright.channel import WorkerHost
from tilewright.errors import MachineryError, MissingDependency
from tilewright.evaluators.local import LocalEvaluator, available
from tilewright.evaluators.remote import RemoteEvaluator
from tilewright.evaluators.replay import ReplayEvaluator
from tilewright.protocols import Evaluator
from tilewright.records import EVALUATIONS, Candidate, Evaluation, Job, Problem, Verified

if TYPE_CHECKING:
    from modal_stand_in import ModalStandIn

REFERENCE = """
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
RIGHT = REFERENCE.replace("class Model", "class ModelNew")
RETURN = "return torch.tanh(x)"
SOURCES = {
    "is right": RIGHT,
    "is wrong": RIGHT.replace("tanh", "sin"),
    "is no Python": "class ModelNew(\n",
    "is empty": "",
    "raises": RIGHT.replace("torch.tanh(x)", "1 / 0"),
    "kills itself": RIGHT.replace(RETURN, f"import os; os.kill(os.getpid(), 9); {RETURN}"),
    "hangs": RIGHT.replace(RETURN, f"while True: pass\n        {RETURN}"),
    "floods": RIGHT.replace(RETURN, f"[print('x' * 10_000) for _ in range(1_000)]; {RETURN}"),
}
OUTCOMES = {
    "is right": "scored",
    "is wrong": "wrong",
    "is no Python": "compile_failed",
    "is empty": "compile_failed",
    "raises": "crashed",
    "kills itself": "crashed",
    "hangs": "timed_out",
    "floods": "scored",
    "has no reference": "unscorable",
}
SLOW = RIGHT.replace("class ModelNew", "import time; time.sleep(3)\n\nclass ModelNew")


def job(source: str, deadline_s: float = 30.0) -> Job:
    return Job(Candidate(source), PROBLEM, effort="quick", deadline_s=deadline_s)


JOBS = {kind: job(source, 3.0 if kind == "hangs" else 30.0) for kind, source in SOURCES.items()}
JOBS["has no reference"] = Job(Candidate(f"{RIGHT}# alone"), Problem("Empty", ""), effort="quick")


@functools.cache
def judged_by(evaluator: Evaluator) -> dict[str, Evaluation]:
    """All kinds of candidates, side by side."""
    futures = {kind: evaluator.submit(job) for kind, job in JOBS.items()}
    return {kind: future.result(120) for kind, future in futures.items()}


class EvaluatorContract:
    """`evaluator`, one for all tests of the class, and `failed`, a job that the machinery failed at for good, are
    fixtures of the subclass."""

    def test_it_has_a_name_and_is_an_evaluator(self, evaluator: Evaluator) -> None:
        assert isinstance(evaluator, Evaluator)
        assert evaluator.name

    @pytest.mark.parametrize("kind", OUTCOMES)
    def test_what_a_candidate_does_has_one_outcome_everywhere(self, evaluator: Evaluator, kind: str) -> None:
        outcome = judged_by(evaluator)[kind].outcome
        assert ("scored" if outcome in ("measured", "verified") else outcome) == OUTCOMES[kind]

    def test_an_evaluation_survives_json(self, evaluator: Evaluator) -> None:
        for evaluation in judged_by(evaluator).values():
            assert isinstance(evaluation, EVALUATIONS)
            assert jsonform.from_plain(Evaluation, jsonform.to_plain(evaluation)) == evaluation

    def test_a_job_that_is_cancelled_leaves_the_others_alone(self, evaluator: Evaluator) -> None:
        futures = [evaluator.submit(JOBS["is wrong"]) for _ in range(4)]
        futures[-1].cancel()
        assert [future.result(120).outcome for future in futures[:-1]] == ["wrong"] * 3
        with contextlib.suppress(CancelledError):
            assert futures[-1].result(120).outcome == "wrong", "it had been begun"

    def test_what_the_machinery_loses_for_good_is_an_exception_and_no_outcome(
        self, failed: Future[Evaluation]
    ) -> None:
        with pytest.raises(MachineryError):
            failed.result(120)

    def test_closing_ends_what_is_open(self, evaluator: Evaluator) -> None:
        """The last one, since nothing can be asked afterwards."""
        future = evaluator.submit(job(SLOW))
        evaluator.close()
        assert future.exception(60) is None or isinstance(future.exception(), MachineryError)
        with pytest.raises(MachineryError):
            evaluator.submit(JOBS["is right"]).result(10)


@pytest.fixture(scope="module")
def local_on_the_cpu() -> Iterator[LocalEvaluator]:
    evaluator = LocalEvaluator(WorkerHost("cpu", jobs=2))
    yield evaluator
    evaluator.close()


@pytest.fixture(scope="module")
def local_on_a_gpu() -> Iterator[LocalEvaluator]:
    present, why = available()
    if not present:
        pytest.skip(why)
    evaluator = LocalEvaluator(WorkerHost("cuda"))
    yield evaluator
    evaluator.close()


@pytest.fixture(scope="module")
def recorded(local_on_the_cpu: LocalEvaluator) -> dict[str, Evaluation]:
    return {JOBS[kind].candidate.id: evaluation for kind, evaluation in judged_by(local_on_the_cpu).items()}


@pytest.fixture(scope="module")
def replay(recorded: dict[str, Evaluation]) -> ReplayEvaluator:
    return ReplayEvaluator(recorded)


@pytest.fixture(scope="module")
def stand_in() -> Iterator[ModalStandIn]:
    pytest.importorskip("modal", reason="needs: pip install 'tilewright[modal]'")
    from modal_stand_in import ModalStandIn

    with ModalStandIn() as stand_in:
        yield stand_in


@pytest.fixture(scope="module")
def modal(stand_in: ModalStandIn) -> Iterator[RemoteEvaluator]:
    from tilewright.evaluators.modal import modal_evaluator

    evaluator = modal_evaluator("H100", device="cpu")
    yield evaluator
    evaluator.close()


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """Three nodes with room for one worker each; of two of them it is said that they have a GPU."""
    pytest.importorskip("ray", reason="needs: pip install 'tilewright[ray]'")
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    for gpu in ("H100", "A100"):
        cluster.add_node(num_cpus=1, num_gpus=1, resources={f"accelerator_type:{gpu}": 1})
    yield cluster
    cluster.shutdown()


@pytest.fixture(scope="module")
def ray(cluster: Any) -> Iterator[RemoteEvaluator]:
    from tilewright.evaluators.ray import ray_evaluator

    evaluator = ray_evaluator("", cluster.address, workers=1, device="cpu")
    yield evaluator
    evaluator.close()


class LocalContract(EvaluatorContract):
    @pytest.fixture
    def failed(self, evaluator: LocalEvaluator) -> Future[Evaluation]:
        (lane,) = evaluator._lanes

        def pid() -> int:
            return lane.host._host.process.pid if lane.host._host else 0

        future = evaluator.submit(job(SLOW))
        first = pid()
        os.kill(first, signal.SIGKILL)
        wait_for(lambda: pid() not in (0, first))
        os.kill(pid(), signal.SIGKILL)
        return future


class TestLocalEvaluatorOnTheCpu(LocalContract):
    @pytest.fixture
    def evaluator(self, recorded: dict[str, Evaluation], local_on_the_cpu: LocalEvaluator) -> Evaluator:
        return local_on_the_cpu


@pytest.mark.gpu
class TestLocalEvaluatorOnAGpu(LocalContract):
    @pytest.fixture
    def evaluator(self, local_on_a_gpu: LocalEvaluator) -> Evaluator:
        return local_on_a_gpu


class TestReplayEvaluator(EvaluatorContract):
    @pytest.fixture
    def evaluator(self, replay: ReplayEvaluator) -> Evaluator:
        return replay

    @pytest.fixture
    def failed(self, evaluator: Evaluator) -> Future[Evaluation]:
        return evaluator.submit(job("class NeverRecorded: ..."))


class TestModalEvaluator(EvaluatorContract):
    """Over gRPC, against a server on this machine; never yet against Modal itself."""

    @pytest.fixture
    def evaluator(self, modal: RemoteEvaluator) -> Evaluator:
        return modal

    @pytest.fixture
    def failed(self, evaluator: Evaluator, stand_in: ModalStandIn) -> Future[Evaluation]:
        before = stand_in.calls["FunctionMap"]
        future = evaluator.submit(job(SLOW))
        for call in (1, 2):
            wait_for(lambda call=call: stand_in.calls["FunctionMap"] == before + call and stand_in.containers())
            stand_in.preempt()
        return future


class TestRayEvaluator(EvaluatorContract):
    @pytest.fixture
    def evaluator(self, ray: RemoteEvaluator) -> Evaluator:
        return ray

    @pytest.fixture
    def failed(self, evaluator: RemoteEvaluator) -> Future[Evaluation]:
        import ray

        (lane,) = evaluator._lanes
        future = evaluator.submit(job(SLOW))
        wait_for(lambda: lane.running)
        first = lane.slot._actor
        ray.kill(first)
        wait_for(lambda: lane.running and lane.slot._actor is not first)
        ray.kill(lane.slot._actor)
        return future


def test_ray_gives_a_job_to_nodes_with_the_gpu_whose_name_the_driver_must_confirm(cluster: Any) -> None:
    from tilewright.evaluators.ray import ray_evaluator

    evaluator = ray_evaluator("H100", cluster.address)
    try:
        assert len(evaluator._lanes) == 1
        with pytest.raises(MachineryError, match="its GPU is none that CUDA finds, wanted is NVIDIA H100"):
            evaluator.submit(JOBS["is right"]).result(60)
    finally:
        evaluator.close()


def test_a_gpu_that_no_node_has_is_missed_at_once(cluster: Any) -> None:
    from tilewright.evaluators.ray import ray_evaluator

    with pytest.raises(MissingDependency, match=r"No L4 in the Ray cluster \(it has: A100, H100\)"):
        ray_evaluator("L4", cluster.address)


def test_a_cluster_looks_at_candidates_where_nothing_can_be_compiled(cluster: Any) -> None:
    from tilewright.evaluators.ray import ray_evaluator, ray_host

    host = ray_host(cluster.address)
    evaluator = ray_evaluator("", cluster.address, workers=1, device="cpu")
    try:
        payload = {
            "candidate": jsonform.to_plain(JOBS["is wrong"].candidate),
            "problem": jsonform.to_plain(PROBLEM),
            "budget_s": 20.0,
        }
        verdict = host.call("execute", payload, 30.0)
        assert isinstance(evaluator.submit(JOBS["is right"]).result(120), Verified)
        assert jsonform.from_plain(Evaluation, verdict.result(120)["failure"]).outcome == "wrong"
        evaluator.close()
        assert host.call("describe", {}, 30.0).result(120)["cuda"] is False, "it keeps its own connection"
    finally:
        evaluator.close()
        host.close()


def test_what_a_dying_node_worked_on_is_finished_by_the_others(cluster: Any) -> None:
    from tilewright.evaluators.ray import ray_evaluator

    evaluator = ray_evaluator("", cluster.address, device="cpu", wait_s=20)
    try:
        futures = [evaluator.submit(job(f"{RIGHT}# {number}", 120.0)) for number in range(6)]
        wait_for(lambda: [lane.running for lane in evaluator._lanes] == [2, 2, 2])
        cluster.remove_node(next(iter(cluster.worker_nodes)), allow_graceful=False)
        assert [future.result(120).outcome for future in futures] == ["verified"] * 6
    finally:
        evaluator.close()


def test_a_cluster_that_grows_is_waited_for(cluster: Any) -> None:
    from tilewright.evaluators.ray import ray_evaluator

    evaluator = ray_evaluator("T4", cluster.address, workers=1)
    try:
        future = evaluator.submit(JOBS["is right"])
        wait_for(lambda: [lane.state for lane in evaluator._lanes] == ["opening"])
        cluster.add_node(num_cpus=1, num_gpus=1, resources={"accelerator_type:T4": 1})
        with pytest.raises(MachineryError, match="its GPU is none that CUDA finds, wanted is Tesla T4"):
            future.result(120)
    finally:
        evaluator.close()


def wait_for(condition: Callable[[], object], seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)
