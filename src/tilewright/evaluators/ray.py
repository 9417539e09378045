"""How are candidates scored on the GPUs of a Ray cluster?

The only file that knows Ray. An actor a GPU holds a `Station`. Ray restarts and retries nothing: it would run a
candidate again that hangs or takes its node down; `RemoteEvaluator` asks again for what was lost.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from tilewright.errors import MissingDependency, WorkerError
from tilewright.evaluators.elsewhere import HostElsewhere
from tilewright.evaluators.remote import Lost, RemoteEvaluator, wanted
from tilewright.evaluators.station import Station
from tilewright.hardware import load_gpu

INSTALL = "pip install 'tilewright[ray]'"
_WAIT_S = 900.0
"""How long a cluster that grows by itself may take to bring up a node."""
_LEAST_JOBS = 2
"""Requests that a station works on at a time: while one is timed, another compiles."""


def ray_evaluator(
    gpu: str,
    address: str | None = None,
    workers: int | None = None,
    device: Literal["cuda", "cpu"] = "cuda",
    wait_s: float = _WAIT_S,
) -> RemoteEvaluator:
    """Every `gpu` of the cluster, or `workers` of them, for which a cluster that grows is waited `wait_s`; on "cpu"
    kernels are verified only, on one CPU of every node.

    `address`: "host:6379" or "ray://host:10001"; None is a cluster that this machine belongs to, else one of this
    machine alone. A Ray that the program itself connected is used as it is. Raises `MissingDependency` where there is
    no cluster or no such GPU.
    """
    ray = _load_ray()
    ours = _connect(ray, address)
    name = load_gpu(gpu).name if device == "cuda" else ""
    try:
        places = _places(ray, name)
        if not places.slots and workers is None:
            raise MissingDependency(
                f"No {name} in the Ray cluster (it has: {_inventory(ray)}). Where nodes come when they are asked "
                "for, say how many: --ray-workers N."
            )
    except BaseException:
        if ours:
            ray.shutdown()
        raise
    needs = {"num_gpus": 1, "accelerator_type": name} if name else {"num_gpus": 0}
    actor = ray.remote(Station).options(
        num_cpus=1, max_concurrency=places.jobs, max_restarts=0, max_task_retries=0, **needs
    )
    slots = [_Slot(ray, actor, (device, places.jobs), wait_s) for _ in range(workers or places.slots)]
    leave = ray.shutdown if ours else lambda: None
    return RemoteEvaluator("ray", slots, wanted(name), width=places.jobs, leave=leave)


class RayHost(HostElsewhere):
    """Worker processes on one CPU of the cluster. `leave` ends the connection, where it was made for them."""

    def __init__(self, slot: _Slot, jobs: int, leave: Callable[[], None]) -> None:
        super().__init__(slot, jobs)
        self._leave = leave

    def close(self) -> None:
        super().close()
        self._leave()


def ray_host(address: str | None = None, wait_s: float = _WAIT_S) -> RayHost:
    """For candidates that a `ray_evaluator` of the same cluster judges; to be closed after that."""
    ray = _load_ray()
    ours = _connect(ray, address)
    actor = ray.remote(Station).options(
        num_cpus=1, num_gpus=0, max_concurrency=_LEAST_JOBS, max_restarts=0, max_task_retries=0
    )
    slot = _Slot(ray, actor, ("cpu", _LEAST_JOBS), wait_s, "look")
    return RayHost(slot, _LEAST_JOBS, ray.shutdown if ours else lambda: None)


@dataclass(frozen=True)
class _Places:
    """How many stations a cluster has room for, and how many requests each may work on at a time."""

    slots: int
    jobs: int


def _places(ray: Any, gpu: str) -> _Places:
    """Of the nodes alive, those with the GPU; with none named, all of them."""
    nodes: list[Mapping[str, float]] = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    having = [node for node in nodes if f"accelerator_type:{gpu}" in node] if gpu else nodes
    counts = [int(node.get("GPU", 0)) if gpu else 1 for node in having]
    shares = [node.get("CPU", 0) / count for node, count in zip(having, counts) if count]
    return _Places(sum(counts), max(_LEAST_JOBS, int(min(shares, default=0))))


def _inventory(ray: Any) -> str:
    names = sorted(name.partition(":")[2] for name in ray.cluster_resources() if name.startswith("accelerator_type:"))
    return ", ".join(names) or "no GPU"


class _Slot:
    """An actor, and another one in its place when it is lost."""

    def __init__(
        self, ray: Any, actor: Any, arguments: tuple[str, int], wait_s: float, method: str = "answer"
    ) -> None:
        self._ray = ray
        self._class = actor
        self._method = method
        self._arguments = arguments
        self._wait_s = wait_s
        self._lock = threading.Lock()
        self._actor: Any = None
        self._closed = False

    def open(self) -> None:
        with self._lock:
            if self._closed:
                raise WorkerError("the connection to Ray was closed")
            self._actor = self._class.remote(*self._arguments)
            ready = self._actor.__ray_ready__.remote()
        try:
            self._get(ready, self._wait_s)
        except Lost as error:
            raise WorkerError(f"no place in the Ray cluster for a worker: {error}. See: ray status") from error

    def ask(self, batch: str, patience_s: float) -> str:
        return str(self._get(getattr(self._actor, self._method).remote(batch), patience_s))

    def close(self) -> None:
        with self._lock:
            self._closed = True
            self._kill()

    def _get(self, reference: Any, timeout_s: float) -> Any:
        e = self._ray.exceptions
        try:
            return self._ray.get(reference, timeout=timeout_s)
        except e.RayTaskError as error:  # an exception in the station: a mistake of ours
            raise WorkerError(f"{type(error).__name__}: {error}") from error
        except e.GetTimeoutError as error:
            self._kill()
            raise Lost(f"no answer within {timeout_s:.0f} s") from error
        except e.RayError as error:
            self._kill()
            raise Lost(f"{type(error).__name__}: {_in_short(error)}") from error

    def _kill(self) -> None:
        if self._actor is not None:
            with contextlib.suppress(Exception):  # the border to Ray: it may be dead, or the connection gone
                self._ray.kill(self._actor)


def _load_ray() -> Any:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")  # else actors start in an environment made by uv
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # an actor without a GPU keeps what it may see
    try:
        return importlib.import_module("ray")
    except ModuleNotFoundError as error:
        if error.name != "ray":
            raise
        raise MissingDependency("--evaluator ray needs Ray, which isn't installed.", INSTALL) from error


def _connect(ray: Any, address: str | None) -> bool:
    """Whether the connection was made here. The nodes get this package as it is here."""
    if ray.is_initialized():
        return False
    options = {
        "log_to_driver": False,
        "logging_level": "ERROR",
        "runtime_env": {"py_modules": [str(Path(__file__).parents[1])], "excludes": ["__pycache__"]},
    }
    try:
        ray.init(address=address or "auto", **options)
    except (ConnectionError, RuntimeError, ValueError) as error:
        if address:
            raise MissingDependency(
                f"No Ray cluster answers at {address} ({_in_short(error)}). Leave --ray-address out for this "
                "machine alone, or start one there.",
                "ray start --head",
            ) from error
        ray.init(include_dashboard=False, **options)
    return True


def _in_short(error: BaseException) -> str:
    return " ".join(str(error).split())[:500]
