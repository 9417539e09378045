"""Where are candidates judged, by which worker processes, through which gates and by which evaluator?"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from tilewright import jsonform
from tilewright.analysis.model import estimate
from tilewright.channel import Host, WorkerHost
from tilewright.config import Settings
from tilewright.errors import ConfigError, MissingDependency, UsageError, WorkerError
from tilewright.evaluators.absent import AbsentEvaluator
from tilewright.evaluators.local import Device, LocalEvaluator, devices
from tilewright.evaluators.modal import ModalHost, expected_usd, modal_evaluator, modal_host, usd
from tilewright.evaluators.offline import OfflineEvaluator
from tilewright.evaluators.ray import ray_evaluator, ray_host
from tilewright.evaluators.remote import RemoteEvaluator
from tilewright.gates.compile import CompileGate
from tilewright.gates.semantic import SemanticGate
from tilewright.gates.static import StaticGate
from tilewright.hardware import (
    Ceilings,
    Gpu,
    add_gpu,
    cores,
    gpu_for_device_name,
    gpu_from_device,
    load_gpu,
    with_ceilings,
)
from tilewright.protocols import Evaluator, Gate

_ASKING_S = 60.0
"""How long a host may take to say what its GPU is and what it reaches, once it is started."""
SEMANTIC_BUDGET_S = 20.0
"""How long the interpreter may work on one candidate; the seed of a run gets three times that."""


@dataclass(frozen=True)
class Target:
    """Where candidates are judged, for which GPU, and why there.

    `devices` are the UUIDs of the GPUs here, all of one model; gates and the first candidate use the first.
    """

    evaluator: Literal["local", "offline", "absent", "modal", "ray"]
    gpu: str
    reason: str
    devices: tuple[str, ...] = ()
    machines: int | None = None
    """GPUs elsewhere, at most."""
    address: str | None = None
    """Of a Ray cluster."""


def choose_target(settings: Settings) -> Target:
    """The local CUDA GPUs where there are any, else offline; `--evaluator` overrides."""
    if settings.evaluator == "modal":
        return Target("modal", settings.gpu, "chosen with --evaluator", machines=settings.modal_containers)
    if settings.evaluator == "ray":
        where = {"machines": settings.ray_workers, "address": settings.ray_address}
        return Target("ray", settings.gpu, "chosen with --evaluator", **where)  # type: ignore[arg-type]
    found, why = devices() if settings.evaluator != "offline" else ((), "chosen")
    if settings.evaluator == "local" and not found:
        raise UsageError(f"--evaluator local: {why}. Without a GPU: --evaluator offline")
    if not found:
        reason = why if settings.evaluator == "auto" else "chosen with --evaluator"
        return Target("offline", settings.gpu, f"{reason}; times are estimates for {settings.gpu}")
    here = found[0].name
    known = gpu_for_device_name(here)
    name = known.name if known else here
    if settings.gpu_is_explicit and name != settings.gpu:
        raise ConfigError(
            f"--gpu {settings.gpu}: the GPU here is {here}. Leave --gpu out, or use --evaluator offline."
        )
    return Target("local", name, _what_is_here(found), tuple(one.uuid for one in found if one.name == here))


def _what_is_here(found: Sequence[Device]) -> str:
    """The times of two models don't compare, so that only those like the first are used."""
    here = found[0].name
    used = sum(one.name == here for one in found)
    text = f"a CUDA GPU is here ({here})" if used == 1 else f"{used} CUDA GPUs are here ({here})"
    others = sorted({one.name for one in found} - {here})
    return f"{text}; of another model and not used: {', '.join(others)}" if others else text


def check_packages(target: Target | None = None) -> None:
    """Raises `MissingDependency` where what runs kernels is not installed, or can't run; but for a target that has
    all of it elsewhere."""
    if target is not None and target.evaluator in ("modal", "ray"):
        return
    if sys.platform != "linux":
        raise MissingDependency(
            f"Kernels are compiled and run in processes that need Linux; this is {sys.platform}. On Windows, WSL is "
            "one. What only reads files (list, migrate) works here."
        )
    for package in ("torch", "tilelang"):
        if find_spec(package) is None:
            raise MissingDependency(
                f"{package} is not installed here; it checks and compiles kernels.",
                "make setup (in a clone), or: pip install 'tilewright[kernels]'; `tilewright doctor` says more",
            )


@contextmanager
def workers(target: Target) -> Iterator[Host]:
    """The worker processes for a target (for its first GPU); ended when the block ends."""
    check_packages(target)
    host = host_for(target)
    try:
        yield host
    finally:
        host.close()


class SharedWorkers:
    """Worker processes and evaluators by target, for runs that follow one another or go on side by side: starting
    them takes seconds."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._hosts: dict[Target, Host] = {}
        self._evaluators: dict[tuple[Target, Path], Evaluator] = {}

    def host(self, target: Target) -> Host:
        with self._lock:
            if target not in self._hosts:
                check_packages(target)
                self._hosts[target] = host_for(target)
            return self._hosts[target]

    def evaluator(self, target: Target, results: Path) -> Evaluator:
        key = (target, results)
        with self._lock:
            if key not in self._evaluators:
                self._evaluators[key] = evaluator_for(target, self.host(target), results)
            return self._evaluators[key]

    def close(self) -> None:
        for evaluator in self._evaluators.values():
            evaluator.close()
        for host in self._hosts.values():
            host.close()


def host_for(target: Target, number: int = 0) -> Host:
    """The worker processes for one of the target's GPUs, or for none where it is judged offline or elsewhere.
    Elsewhere are they too, where nothing can be compiled here."""
    if target.evaluator in ("modal", "ray") and not _runs_kernels():
        if target.evaluator == "ray":
            return ray_host(target.address)
        return modal_host(target.gpu, target.machines or 1)
    if target.evaluator != "local":
        return WorkerHost("cpu", target.gpu)
    if len(target.devices) < 2:
        return WorkerHost("cuda", target.gpu)
    # The first one compiles for all of them; what the others do besides timing must leave it room.
    jobs = None if number == 0 else max(2, cores() // len(target.devices))
    return WorkerHost("cuda", target.gpu, jobs, visible=target.devices[number])


def _runs_kernels() -> bool:
    try:
        check_packages()
    except MissingDependency:
        return False
    return True


def gpu_of(target: Target, host: Host) -> Gpu:
    """The target's GPU, from the table or else from the device itself; where it is here, with what it reaches."""
    if target.evaluator != "local":
        return load_gpu(target.gpu)
    try:
        gpu = load_gpu(target.gpu)
    except ConfigError:  # not in the table
        gpu = gpu_from_device(target.gpu, host.call("describe", {}, _ASKING_S).result()["properties"])
    if not (gpu.probed or gpu.not_probed):
        gpu = _probed(gpu, host)
        add_gpu(gpu)
    return gpu


def _probed(gpu: Gpu, host: Host) -> Gpu:
    """Without ceilings of its own a GPU has the table's, and says why."""
    try:
        answer = host.call("probe", {}, _ASKING_S).result()
    except WorkerError as error:  # nothing but the distance to the limit depends on it
        return replace(gpu, not_probed=f"the probe failed: {str(error).strip().rpartition(chr(10))[2][:200]}")
    if answer["ceilings"] is None:
        return replace(gpu, not_probed=answer["why_not"])
    return with_ceilings(gpu, jsonform.from_plain(Ceilings, answer["ceilings"]))


def cheap_gates_for(target: Target, host: Host, gpu: Gpu | None = None) -> Sequence[Gate]:
    """Static rules and the compiler: where facts come from."""
    return [StaticGate(), CompileGate(host, gpu or gpu_of(target, host))]


def gates_for(
    target: Target,
    host: Host,
    budget_s: float = SEMANTIC_BUDGET_S,
    gpu: Gpu | None = None,
    instructions: bool = True,
) -> Sequence[Gate]:
    """The cheap ones, and execution on the CPU (`budget_s` at most) where no GPU can do it faster. `instructions`:
    whether those of the binaries are wanted, which rules and the time model read and gates don't."""
    if target.evaluator == "local":
        return cheap_gates_for(target, host, gpu)
    semantic = SemanticGate(host, budget_s)
    gpu = gpu or gpu_of(target, host)
    compiles = CompileGate(host, gpu, instructions=instructions, meanwhile=semantic.begin)
    return [StaticGate(), compiles, semantic]


def last_gates_for(target: Target, host: Host) -> Sequence[Gate]:
    """What a candidate goes through that a GPU found right, before it may be the best: execution on the CPU, which
    sees memory that is read before it is written, races and accesses out of bounds where a GPU was only lucky."""
    return [SemanticGate(host, SEMANTIC_BUDGET_S)] if target.evaluator == "local" else []


def evaluator_for(target: Target, host: Host, results: Path = Path("results")) -> Evaluator:
    """`results` may hold a calibration of the time model."""
    if target.evaluator == "local":
        return LocalEvaluator(host, *(host_for(target, number) for number in range(1, len(target.devices))))
    if target.evaluator == "absent":
        return AbsentEvaluator()
    if target.evaluator == "modal":
        shared = host if isinstance(host, ModalHost) else None
        return modal_evaluator(target.gpu, target.machines or 1, host=shared)
    if target.evaluator == "ray":
        return ray_evaluator(target.gpu, target.address, target.machines)
    gpu = gpu_of(target, host)
    return OfflineEvaluator(lambda evidence, problem: estimate(evidence, problem, gpu, results))


def expected_spending(target: Target, evaluations: int) -> str:
    """What so many evaluations elsewhere are expected to cost; "" where nobody is paid by the second."""
    if target.evaluator != "modal":
        return ""
    dollars = expected_usd(target.gpu, evaluations, target.machines or 1)
    return f"Modal: est. {dollars:.2f} USD at list prices for at most {evaluations} candidates on {target.gpu}"


def seconds_elsewhere(evaluator: Evaluator) -> float | None:
    """How long machines elsewhere have been busy for it; None where it has none."""
    return evaluator.seconds if isinstance(evaluator, RemoteEvaluator) else None


def spending(target: Target, seconds: float) -> str:
    """What machines elsewhere were that were busy for so long."""
    busy = f"{target.evaluator}: {target.gpu} busy for {seconds:.1f} s"
    if target.evaluator != "modal":
        return busy
    return f"{busy}, {usd(target.gpu, seconds):.2f} USD at list prices; starts and idle time come on top"
