"""What does nvcc make of several generated sources that it reads as one translation unit?

ptxas is run for each source alone, so that each has a binary of its own. Starting nvdisasm takes longer than running
ptxas on a kernel of usual size: it reads one binary of all, made for it alone."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from threading import Lock, Semaphore

from tilelang.contrib import cc, nvcc

from tilewright.toolchain.disassemble import disassembly
from tilewright.toolchain.headers import ShortHeaders
from tilewright.toolchain.translation import joined, parted, parted_disassembly

_PTX_WORTH_A_START = 200_000
"""Bytes of PTX that ptxas takes as long for as nvdisasm to start, 0.3 s: for 17 kernels of the corpus 1.7 s a MB."""


class Apart(Exception):
    """It does not work together."""


class Unit:
    """Distinct sources; what is asked for first is made first, once, on one of the cores that are free."""

    def __init__(
        self, sources: Sequence[str], flags: Sequence[str], timeout_s: float, free: Semaphore, short: ShortHeaders
    ) -> None:
        self.sources = sources
        self._flags = flags
        self._short = short
        self._timeout_s = timeout_s
        self._free = free
        self._locks = {source: Lock() for source in sources}
        self._lock = Lock()
        self._ptx: str | None = None
        self._parts: dict[str, str] = {}
        self._cubins: dict[str, tuple[bytes, str]] = {}
        self._disassemblies: dict[str, str] | None = None

    def cubin(self, source: str) -> tuple[bytes, str]:
        """A source's binary, and what ptxas reports of it. Raises `Apart`."""
        with self._lock:
            if self._ptx is None:
                self._read()
        if source not in self._parts:
            raise Apart
        with self._locks[source]:
            if source not in self._cubins:
                self._cubins[source] = self._nvcc("ptx", self._parts[source], "cubin")
        return self._cubins[source]

    def disassembly(self, source: str) -> str | None:
        """As nvdisasm prints that binary, but for the numbers in labels; None where it is better asked itself."""
        with self._lock:
            if self._disassemblies is None:
                self._disassemblies = self._disassembled()
        return self._disassemblies.get(source)

    def _read(self) -> None:
        self._ptx = ""
        try:
            short = self._short.options(self.sources, self._flags)
            self._ptx = self._nvcc("cu", joined(self.sources), "ptx", *short)[0].decode()
            self._parts = dict(zip(self.sources, parted(self._ptx, len(self.sources))))
        except (Apart, ValueError):
            return

    def _disassembled(self) -> dict[str, str]:
        if not self._ptx or len(self._ptx) > _PTX_WORTH_A_START * (len(self.sources) - 1):
            return {}
        try:
            binary, _ = self._nvcc("ptx", self._ptx, "cubin")
        except Apart:
            return {}
        with self._free:
            text = disassembly(binary)
        return dict(zip(self.sources, parted_disassembly(text, len(self.sources)))) if text else {}

    def _nvcc(self, form: str, text: str, wanted: str, *short: str) -> tuple[bytes, str]:
        """With the options that TileLang compiles with, but for the names of files and those for headers in short."""
        with self._free, tempfile.TemporaryDirectory() as folder:
            given, made = Path(folder, f"kernels.{form}"), Path(folder, f"made.{wanted}")
            given.write_text(text, encoding="utf-8")
            command = [nvcc.get_nvcc_compiler(), f"-ccbin={cc.get_cplus_compiler()}", f"--{wanted}", "-O3"]
            command += ["-lineinfo", *short, *self._flags, "-o", str(made), str(given)]
            try:
                done = subprocess.run(command, capture_output=True, text=True, timeout=self._timeout_s)
            except subprocess.TimeoutExpired:
                raise Apart from None
            if done.returncode:
                raise Apart
            return made.read_bytes(), done.stdout + done.stderr
