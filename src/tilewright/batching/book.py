"""What is kept of a batch: which kernels, with which options, and the run of each. The runs are in the store."""

from __future__ import annotations

import os
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tilewright import jsonform
from tilewright.config import OptimizationConfig, to_pairs
from tilewright.errors import StoreError, UsageError
from tilewright.records import content_id

FOLDER = "batches"
"""In the folder of results: one file a batch."""
ENDS = frozenset(
    {"target", "near_optimal", "exhausted", "plateau", "iterations", "generated", "seed_wrong", "seed_failed"}
)
"""Reasons to stop that are the kernel's own. A run that stopped for another one goes on with its batch."""
_NOT_ITS_IDENTITY = ("results", "quiet", "verbose")


@dataclass(frozen=True)
class Place:
    """A kernel of a batch. `run` is empty until it has begun; `stopped` is the run's reason, once it has one; `error`
    says why it could not be worked on."""

    kernel: str
    run: str = ""
    stopped: str = ""
    error: str = ""

    @property
    def ended(self) -> bool:
        return bool(self.error) or self.stopped in ENDS


@dataclass(frozen=True)
class Batch:
    """`options` as `config.to_pairs` makes them; `seconds` are those that it was worked on."""

    name: str
    identity: str
    """The same for the same command."""
    options: tuple[tuple[str, str], ...]
    started: str
    places: tuple[Place, ...]
    seconds: float = 0.0

    @property
    def ended(self) -> bool:
        return all(place.ended for place in self.places)

    def with_place(self, place: Place) -> Batch:
        return replace(self, places=tuple(place if one.kernel == place.kernel else one for one in self.places))


def new_batch(
    sources: Sequence[str], kernels: Sequence[str], config: OptimizationConfig, name: str = "", started: str = ""
) -> Batch:
    """Named by what it is of unless `name` says otherwise. `UsageError` for a name that can't be a file's.

    Its identity is that of the `sources`: a folder holds more kernels when some were made faster.
    """
    options = to_pairs(config)
    typed = [(option, value) for option, value in options if option not in _NOT_ITS_IDENTITY]
    what = kernels if "-" in sources else [str(Path(source).absolute()) for source in sources]
    identity = content_id(list(what), typed, name)
    if name and not name.replace("-", "").replace("_", "").isalnum():
        raise UsageError(f"--name {name}: letters, digits, - and _ make a name")
    return Batch(name or identity[:8], identity, options, started, tuple(Place(kernel) for kernel in kernels))


def begun_before(results: Path, batch: Batch) -> Batch:
    """The batch that the same command began and that hasn't ended; else this one, under a name that is free."""
    free, number = batch.name, 1
    while (path := _path(results, free)).exists():
        earlier = read(path)
        if earlier.identity == batch.identity and not earlier.ended:
            return earlier
        number += 1
        free = f"{batch.name}-{number}"
    return replace(batch, name=free)


def find(results: Path, name: str) -> Batch:
    """By its name, the beginning of one, or `last`. `UsageError` where there is none."""
    files = _files(results)
    if not files:
        raise UsageError(f"{results} holds no batch yet. Start one: tilewright batch DIR --model none")
    exact = [path for path in files if path.stem == name]
    found = files[-1:] if name == "last" else exact or [path for path in files if path.stem.startswith(name)]
    if len(found) != 1:
        known = ", ".join(path.stem for path in reversed(files[-5:]))
        what = f"{name!r} begins {len(found)} batches" if found else f"no batch {name!r}"
        raise UsageError(f"{what} in {results}. The last ones: {known}")
    return read(found[0])


def is_one(results: Path, name: str) -> bool:
    """Whether a batch has exactly that name."""
    return any(path.stem == name for path in _files(results))


def newest(results: Path, most: int) -> list[Batch]:
    """What was worked on last comes first."""
    return [read(path) for path in _files(results)[: -most - 1 : -1]]


def version(results: Path) -> Hashable:
    """Equal as long as nothing of any batch has changed."""
    return tuple((path.name, path.stat().st_mtime_ns) for path in _files(results))


def read(path: Path) -> Batch:
    try:
        return jsonform.loads(Batch, path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise StoreError(f"{path} can't be read: {error}") from error


def write(results: Path, batch: Batch) -> None:
    """In one step, so that a kill leaves the old or the new one."""
    path = _path(results, batch.name)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix(f".{os.getpid()}")
        temporary.write_text(jsonform.dumps(batch) + "\n", encoding="utf-8")
        temporary.replace(path)
    except OSError as error:
        raise StoreError(
            f"{path} can't be written: {error.strerror}. The runs are in the store; mend that and continue with: "
            f"tilewright batch --resume {batch.name}"
        ) from error


def _files(results: Path) -> list[Path]:
    """What was worked on last comes last."""
    return sorted((results / FOLDER).glob("*.json"), key=lambda path: path.stat().st_mtime)


def _path(results: Path, name: str) -> Path:
    return results / FOLDER / f"{name}.json"
