"""How are candidates scored on GPUs that Modal rents out by the second?

The only file that knows Modal. One app lives as long as the evaluator; its containers run a `Station` each, in an
image with the versions that are installed here; where nothing can be compiled here, one without a GPU does that.
Modal retries nothing: what a candidate does is its own, and what the machinery loses is asked for again.

Never run against Modal itself yet: the tests talk to a server on their own machine (`tests/contracts`).
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import importlib.resources
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, Literal

from tilewright.errors import ConfigError, MissingDependency, NoMachine, WorkerError
from tilewright.evaluators.elsewhere import HostElsewhere
from tilewright.evaluators.remote import Lost, RemoteEvaluator, wanted
from tilewright.evaluators.station import Station, release
from tilewright.hardware import load_gpu

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

INSTALL = "pip install 'tilewright[modal]'"
BATCH = 8
"""Candidates a call: while one is timed, the others compile."""
_CALL_S = 6 * 3600
"""Modal's own limit on a call; ours, from the deadlines of its jobs, is shorter."""
_SECONDS_EACH = 8.0
"""The mean of 312 candidates that runs on an H200 measured was 7.4, confirmations included
(benchmarks/results/optimized.jsonl); with 4 cores that compile, about this."""


class ModalHost(HostElsewhere):
    """Worker processes in a container without a GPU. `app` also judges, where `modal_evaluator` gets this host."""

    def __init__(self, app: _App, jobs: int) -> None:
        super().__init__(_Slot(app, "look"), jobs)
        self.app = app


def modal_host(gpu: str, containers: int = 1) -> ModalHost:
    """For candidates that are judged by the same arguments' `modal_evaluator`; raises what that does."""
    app = _app(gpu, containers, "cuda", compiles=True)
    return ModalHost(app, _jobs())


def modal_evaluator(
    gpu: str, containers: int = 1, device: Literal["cuda", "cpu"] = "cuda", host: ModalHost | None = None
) -> RemoteEvaluator:
    """`containers` with one `gpu` each, at most; on "cpu" kernels are verified only, in containers without a GPU.

    Raises `MissingDependency` or `ConfigError`, before anything is paid for, where Modal can't be used.
    """
    app = host.app if host else _app(gpu, containers, device)
    slots = [_Slot(app, "answer", device) for _ in range(containers)]
    return RemoteEvaluator("modal", slots, wanted(gpu if device == "cuda" else ""), batch=BATCH)


@dataclass(frozen=True)
class Rented:
    """A GPU by Modal's name, and the price of a second of a container with it, in US dollars."""

    name: str
    usd_s: float


def gpu_on_modal(gpu: str) -> Rented:
    """Raises `ConfigError` for a GPU that Modal doesn't rent out. Modal's own client takes any name."""
    table, name = _table(), load_gpu(gpu).name
    if name not in table["gpus"]:
        raise ConfigError(f"--gpu {gpu}: Modal has no {name}; it has {', '.join(table['gpus'])}.")
    row, container = table["gpus"][name], table["container"]
    holding = container["cpu"] * table["cpu_core_s"] + container["memory_gib"] * table["memory_gib_s"]
    return Rented(row["name"], row["usd_s"] + holding)


def usd(gpu: str, seconds: float) -> float:
    """What containers cost at list prices that were busy for `seconds` together; idle ones come on top."""
    return gpu_on_modal(gpu).usd_s * seconds


def expected_usd(gpu: str, evaluations: int, containers: int = 1) -> float:
    """An estimate, from list prices and the time that an evaluation takes elsewhere; start and last idle time of each
    container included, gaps while nothing is evaluated not."""
    container = _table()["container"]
    around = containers * (container["start_s"] + container["idle_s"])
    return usd(gpu, evaluations * _SECONDS_EACH + around)


def answer(device: Literal["cuda", "cpu"], batch: str) -> str:
    """What a container runs."""
    return _station(device).answer(batch)


def look(request: str) -> str:
    """What a container without a GPU runs."""
    return _station("cpu").look(request)


@functools.cache
def _station(device: Literal["cuda", "cpu"]) -> Station:
    """A container's own: its processes outlive a call, and end with the container."""
    return Station(device)


class _App:
    """The app on Modal, made when it is needed first, and once more after it was lost."""

    def __init__(self, modal: Any, gpu: str | None, containers: int, compiles: bool) -> None:
        self.modal = modal
        self._gpu = gpu
        self._containers = containers
        self._compiles = compiles
        self._lock = threading.Lock()
        self._running: tuple[contextlib.ExitStack, dict[str, Any]] | None = None
        self._closed = False

    def function(self, name: str) -> Any:
        """The function to call: "answer", or "look" of an app that compiles."""
        with self._lock:
            if self._closed:
                raise WorkerError("the app on Modal was closed")
            if self._running is None:
                self._running = self._start()
            return self._running[1][name]

    def lose(self, function: Any) -> None:
        """The app of this function is of no use any more."""
        with self._lock:
            if self._running and any(one is function for one in self._running[1].values()):
                self._stop()

    def close(self) -> None:
        with self._lock:
            self._closed = True
            self._stop()

    def _start(self) -> tuple[contextlib.ExitStack, dict[str, Any]]:
        container = _table()["container"]
        app = self.modal.App("tilewright")
        alike = {
            "image": _image(self.modal),
            "cpu": container["cpu"],
            "memory": int(container["memory_gib"] * 1024),
            "timeout": _CALL_S,
            "retries": 0,
            "scaledown_window": int(container["idle_s"]),
            "restrict_modal_access": True,
            "include_source": False,
        }
        functions = {"answer": app.function(gpu=self._gpu, max_containers=self._containers, **alike)(answer)}
        if self._compiles:
            several = self.modal.concurrent(max_inputs=_jobs())
            functions["look"] = app.function(max_containers=1, **alike)(several(look))
        stack = contextlib.ExitStack()
        stack.enter_context(app.run())
        return stack, functions

    def _stop(self) -> None:
        running, self._running = self._running, None
        if running:
            with contextlib.suppress(Exception):  # the border to Modal: without heartbeats the app ends by itself
                running[0].close()


class _Slot:
    """One container's worth of one of the app's functions, which gets `arguments` before what it is asked. Which
    container answers is Modal's choice."""

    def __init__(self, app: _App, name: str, *arguments: str) -> None:
        self._app = app
        self._name = name
        self._arguments = arguments
        self._calls: list[Any] = []

    def open(self) -> None:
        try:
            self._app.function(self._name)
        except WorkerError:
            raise
        except Exception as error:  # the border to Modal
            raise _translated(self._app.modal, error) from error

    def ask(self, batch: str, patience_s: float) -> str:
        function = self._app.function(self._name)
        calls: list[Any] = []
        try:
            calls.append(function.spawn(*self._arguments, batch))
            self._calls += calls
            return str(calls[0].get(timeout=patience_s))
        except (Exception, self._app.modal.exception.InputCancellation) as error:  # the border to Modal
            _cancel(calls)
            exception = self._app.modal.exception
            if isinstance(error, (exception.ConnectionError, exception.ClientClosed, exception.NotFoundError)):
                self._app.lose(function)
            raise _translated(self._app.modal, error) from error
        finally:
            for call in calls:
                with contextlib.suppress(ValueError):  # it was never among them
                    self._calls.remove(call)

    def close(self) -> None:
        _cancel(tuple(self._calls))
        self._app.close()


def _cancel(calls: Sequence[Any]) -> None:
    for call in calls:
        with contextlib.suppress(Exception):  # the border to Modal: it may be over, or out of reach
            call.cancel(terminate_containers=True)


def _app(gpu: str, containers: int, device: Literal["cuda", "cpu"], compiles: bool = False) -> _App:
    modal = _load_modal()
    named = gpu_on_modal(gpu).name if device == "cuda" else None
    _check_token(modal)
    return _App(modal, named, containers, compiles)


def _jobs() -> int:
    """Requests that a container without a GPU works on at a time."""
    return int(_table()["container"]["cpu"])


def _load_modal() -> Any:
    try:
        return importlib.import_module("modal")
    except ModuleNotFoundError as error:
        if error.name != "modal":
            raise
        raise MissingDependency("--evaluator modal needs Modal's client, which isn't installed.", INSTALL) from error


def _check_token(modal: Any) -> None:
    try:
        modal.Client.from_env().hello()
    except modal.exception.AuthError as error:
        raise MissingDependency(
            f"Modal knows no account here ({_first_line(error)}). Without one: --evaluator local or offline.",
            "modal token new (or set MODAL_TOKEN_ID and MODAL_TOKEN_SECRET)",
        ) from error
    except modal.exception.VersionError as error:
        raise MissingDependency(f"Modal refuses this client: {_first_line(error)}.", f"{INSTALL} -U") from error
    except modal.exception.Error as error:
        raise MissingDependency(
            f"Modal can't be reached ({_first_line(error)}). Is there a network? Without one: --evaluator local or "
            "offline."
        ) from error


def _image(modal: Any) -> Any:
    """CUDA's compiler, the versions of TileLang and PyTorch that are here, and this package as it is here."""
    table = _table()["image"]
    pinned = [f"{name}=={_version(name) or table[name]}" for name in ("torch", "tilelang")]
    return (
        modal.Image.from_registry(table["base"], add_python=f"{sys.version_info.major}.{sys.version_info.minor}")
        .entrypoint([])
        .pip_install(*pinned, *table["also"])
        .add_local_dir(Path(__file__).parents[1], "/root/tilewright", ignore=["**/__pycache__"])
    )


def _version(package: str) -> str:
    try:
        return release(metadata.version(package))
    except metadata.PackageNotFoundError:
        return ""


def _translated(modal: Any, error: BaseException) -> WorkerError:
    """`Lost` for what may go well with another container, else what to do about it."""
    e = modal.exception
    said = f"{type(error).__name__}: {_first_line(error)}"
    if isinstance(error, (e.AuthError, e.PermissionDeniedError)):
        return NoMachine(f"Modal refuses the token ({said}). Run: modal token new.")
    if isinstance(error, e.ResourceExhaustedError):
        return NoMachine(
            f"Modal gives no more: a quota or spending limit ({said}). See https://modal.com/settings/usage."
        )
    if isinstance(error, e.ImageBuildError):
        return NoMachine(f"Modal can't build the image ({said}). Run: modal app list; modal app logs APP says why.")
    refusals = (e.InvalidError, e.VersionError, e.RequestSizeError, e.UnimplementedError)
    if isinstance(error, refusals) and not isinstance(error, e.ConflictError):
        return NoMachine(f"Modal refuses the request ({said}).")
    return Lost(f"Modal lost a container, or the way to it ({said})")


def _first_line(error: BaseException) -> str:
    return next(iter(str(error).strip().splitlines()), "no reason given")


@functools.cache
def _table() -> Any:
    text = importlib.resources.files("tilewright").joinpath("data/modal.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)
