"""How do kernels that are wanted at the same moment get compiled for little more than the time of one?

Nearly all of what nvcc does for a kernel is reading CUTLASS's and TileLang's headers. While several kernels are on
their way through TileLang, each waits before nvcc until all are lowered; then those that fit together become one
translation unit. Equal sources are compiled once. What goes wrong together is done again one by one, so an error is
that of its own kernel. Headers are read in short first. A binary is disassembled while TileLang makes a library of
it."""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from threading import Condition, Semaphore
from typing import Any

from tilelang import logger
from tilelang.contrib import nvcc

from tilewright.toolchain.disassemble import disassembly
from tilewright.toolchain.headers import ShortHeaders
from tilewright.toolchain.translation import surroundings
from tilewright.toolchain.unit import Apart, Unit

_SHARE = 0.25
"""Of the time that compiling a kernel may take: what a step of it together with others may."""


@contextlib.contextmanager
def compiling_together(count: int, timeout_s: float, disassembles: bool = True) -> Iterator[Meeting]:
    """Inside, `count` threads that compile with TileLang wait for each other before nvcc. Changes process-wide state
    while open. `disassembles` what they make."""
    alone = nvcc.compile_cuda
    with ThreadPoolExecutor(count) as readers, tempfile.TemporaryDirectory() as headers:
        meeting = Meeting(count, timeout_s * _SHARE, alone, readers, ShortHeaders(Path(headers)), disassembles)
        nvcc.compile_cuda = meeting.compile_cuda
        try:
            yield meeting
        finally:
            nvcc.compile_cuda = alone


@dataclass(eq=False)
class _Place:
    """A source on its way to nvcc; it has no unit where it is compiled alone."""

    source: str
    flags: tuple[str, ...]
    unit: Unit | None = None


class Meeting:
    """Where threads wait for each other. Each has to `leave` when it compiles no more."""

    def __init__(
        self,
        count: int,
        timeout_s: float,
        alone: Callable[..., bytearray],
        readers: Executor,
        short: ShortHeaders,
        disassembles: bool,
    ) -> None:
        self.disassembles = disassembles
        self._alone = alone
        self._short = short
        self._timeout_s = timeout_s
        self._free = Semaphore(len(os.sched_getaffinity(0)))
        self._moved = Condition()
        self._under_way = count
        self._waiting: list[_Place] = []
        self._readers = readers
        self._texts: dict[bytes, Future[str | None]] = {}

    def compile_cuda(
        self,
        code: str,
        target_format: str = "ptx",
        arch: str | list[str] | None = None,
        options: str | list[str] | None = None,
        path_target: str | None = None,
        verbose: bool = False,
    ) -> bytearray:
        """In the place of TileLang's function, called by the threads that compile."""
        if target_format == "cubin" and isinstance(arch, list) and isinstance(options, list):
            place = _Place(code, (*arch, *options))
            self._wait(place)
            with contextlib.suppress(Apart):
                if place.unit is not None:
                    binary, report = place.unit.cubin(code)
                    self._look_into(binary, place)
                    if verbose:
                        logger.info("PTXAS verbose output:\n%s", report)
                    return bytearray(binary)
        with self._free:
            made = self._made_alone(code, target_format, arch, options, path_target, verbose)
        if target_format == "cubin":
            self._look_into(bytes(made), None)
        return made

    def _made_alone(self, code: str, target_format: str, arch: Any, options: Any, *rest: Any) -> bytearray:
        started = time.monotonic()
        if isinstance(options, list) and surroundings(code) is not None:
            try:
                short = self._short.options([code], options)
                return self._alone(code, target_format, arch, [*short, *options], *rest)
            except RuntimeError:  # what nvcc says is wrong may be what a header in short lacks
                if time.monotonic() - started > self._timeout_s:
                    raise
        return self._alone(code, target_format, arch, options, *rest)

    def leave(self) -> None:
        with self._moved:
            self._under_way -= 1
            self._go_on_if_all_are_here()

    def disassembly(self, binary: bytes) -> str | None:
        """Of a binary that was made here; None where nvdisasm can't read it."""
        text = self._texts.get(binary)
        return text.result() if text else None

    def _look_into(self, binary: bytes, place: _Place | None) -> None:
        if self.disassembles:
            self._texts[binary] = self._readers.submit(self._read, binary, place)

    def _read(self, binary: bytes, place: _Place | None) -> str | None:
        text = place.unit.disassembly(place.source) if place and place.unit else None
        if text is None:
            with self._free:
                text = disassembly(binary)
        return text

    def _wait(self, place: _Place) -> None:
        with self._moved:
            self._waiting.append(place)
            self._under_way -= 1
            self._go_on_if_all_are_here()
            self._moved.wait_for(lambda: place not in self._waiting)

    def _go_on_if_all_are_here(self) -> None:
        if self._under_way == 0:
            for places in _fitting(self._waiting):
                sources = list(dict.fromkeys(p.source for p in places))
                unit = Unit(sources, places[0].flags, self._timeout_s, self._free, self._short)
                for place in places:
                    place.unit = unit
            self._under_way = len(self._waiting)
            self._waiting = []
            self._moved.notify_all()


def _fitting(places: Iterable[_Place]) -> list[Sequence[_Place]]:
    """Those that may be in a translation unit with each other, where they are several."""
    groups: dict[tuple[str, ...], list[_Place]] = {}
    for place in places:
        around = surroundings(place.source)
        if around is not None:
            groups.setdefault((around, *place.flags), []).append(place)
    return [group for group in groups.values() if len(group) > 1]
