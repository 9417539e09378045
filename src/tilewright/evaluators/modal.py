"""How are candidates scored on GPUs that Modal rents out by the second?

The only file that knows Modal. One app lives as long as the evaluator; its containers run a `Station` each, in an
image with the versions that are installed here. Modal retries nothing: what a candidate does is its own, and what the
machinery loses `RemoteEvaluator` asks for again.

Never run against Modal itself yet: the tests talk to a server on their own machine (`tests/contracts`).
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import importlib.resources
import sys
import threading
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, Literal

from tilewright.errors import ConfigError, MissingDependency, WorkerError
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
_SECONDS_EACH = 2.0
"""0.45 s where 16 cores compile (benchmarks/results/evaluator.jsonl, "throughput"); with 4, about this."""


def modal_evaluator(gpu: str, containers: int = 1, device: Literal["cuda", "cpu"] = "cuda") -> RemoteEvaluator:
    """`containers` with one `gpu` each, at most; on "cpu" kernels are verified only, in containers without a GPU.

    Raises `MissingDependency` or `ConfigError`, before anything is paid for, where Modal can't be used.
    """
    modal = _load_modal()
    named = gpu_on_modal(gpu).name if device == "cuda" else None
    _check_token(modal)
    app = _App(modal, named, device, containers)
    slots = [_Slot(app) for _ in range(containers)]
    return RemoteEvaluator("modal", slots, wanted(gpu if named else ""), batch=BATCH)


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


@functools.cache
def _station(device: Literal["cuda", "cpu"]) -> Station:
    """A container's own: its processes outlive a call, and end with the container."""
    return Station(device)


class _App:
    """The app on Modal, made when it is needed first, and once more after it was lost."""

    def __init__(self, modal: Any, gpu: str | None, device: str, containers: int) -> None:
        self.modal = modal
        self.device = device
        self._gpu = gpu
        self._containers = containers
        self._lock = threading.Lock()
        self._running: tuple[contextlib.ExitStack, Any] | None = None
        self._closed = False

    def function(self) -> Any:
        """The function to call."""
        with self._lock:
            if self._closed:
                raise WorkerError("the app on Modal was closed")
            if self._running is None:
                self._running = self._start()
            return self._running[1]

    def lose(self, function: Any) -> None:
        """The app of this function is of no use any more."""
        with self._lock:
            if self._running and self._running[1] is function:
                self._stop()

    def close(self) -> None:
        with self._lock:
            self._closed = True
            self._stop()

    def _start(self) -> tuple[contextlib.ExitStack, Any]:
        container = _table()["container"]
        app = self.modal.App("tilewright")
        function = app.function(
            image=_image(self.modal),
            gpu=self._gpu,
            cpu=container["cpu"],
            memory=int(container["memory_gib"] * 1024),
            timeout=_CALL_S,
            retries=0,
            max_containers=self._containers,
            scaledown_window=int(container["idle_s"]),
            restrict_modal_access=True,
            include_source=False,
        )(answer)
        stack = contextlib.ExitStack()
        stack.enter_context(app.run())
        return stack, function

    def _stop(self) -> None:
        running, self._running = self._running, None
        if running:
            with contextlib.suppress(Exception):  # the border to Modal: without heartbeats the app ends by itself
                running[0].close()


class _Slot:
    """One container's worth of the app. Which container answers is Modal's choice."""

    def __init__(self, app: _App) -> None:
        self._app = app
        self._call: Any = None

    def open(self) -> None:
        try:
            self._app.function()
        except WorkerError:
            raise
        except Exception as error:  # the border to Modal
            raise _translated(self._app.modal, error) from error

    def ask(self, batch: str, patience_s: float) -> str:
        function = self._app.function()
        try:
            self._call = function.spawn(self._app.device, batch)
            return str(self._call.get(timeout=patience_s))
        except (Exception, self._app.modal.exception.InputCancellation) as error:  # the border to Modal
            self._cancel()
            exception = self._app.modal.exception
            if isinstance(error, (exception.ConnectionError, exception.ClientClosed, exception.NotFoundError)):
                self._app.lose(function)
            raise _translated(self._app.modal, error) from error
        finally:
            self._call = None

    def close(self) -> None:
        self._cancel()
        self._app.close()

    def _cancel(self) -> None:
        call = self._call
        if call is not None:
            with contextlib.suppress(Exception):  # the border to Modal: it may be over, or out of reach
                call.cancel(terminate_containers=True)


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
        return WorkerError(f"Modal refuses the token ({said}). Run: modal token new; then: tilewright resume last")
    if isinstance(error, e.ResourceExhaustedError):
        return WorkerError(
            f"Modal gives no more: a quota or spending limit ({said}). See https://modal.com/settings/usage; then: "
            "tilewright resume last"
        )
    if isinstance(error, e.ImageBuildError):
        return WorkerError(f"Modal can't build the image ({said}). Run: modal app list; modal app logs APP says why")
    refusals = (e.InvalidError, e.VersionError, e.RequestSizeError, e.UnimplementedError)
    if isinstance(error, refusals) and not isinstance(error, e.ConflictError):
        return WorkerError(f"Modal refuses the request ({said})")
    return Lost(f"Modal lost a container, or the way to it ({said})")


def _first_line(error: BaseException) -> str:
    return next(iter(str(error).strip().splitlines()), "no reason given")


@functools.cache
def _table() -> Any:
    text = importlib.resources.files("tilewright").joinpath("data/modal.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)
