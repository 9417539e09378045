"""Which machine instructions are in the binary that TileLang has made of a kernel?"""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass

from tilelang.jit import JITKernel

from tilewright.records import Instructions, TensorAccess
from tilewright.toolchain.cubin import parameter_places
from tilewright.toolchain.mix import mix, mix_in_loops
from tilewright.toolchain.moves import tensor_accesses
from tilewright.toolchain.programs import find_nvdisasm
from tilewright.toolchain.sass import functions

_PATIENCE_S = 10.0  # starting it takes 0.3 s, which is nearly all for a kernel of usual size


@dataclass(frozen=True)
class DeviceCode:
    """What is in one device function; None where it can't be told."""

    symbol: str
    instructions: Instructions
    loop_instructions: Instructions | None
    accesses: tuple[TensorAccess, ...] | None


def disassembled(
    kernel: JITKernel, source: str, known: Callable[[bytes], str | None] = lambda binary: None
) -> tuple[DeviceCode, ...]:
    """One for each device function of the generated CUDA source; empty where there is no nvdisasm, or one that can't
    read the binary. `known` may have the text already."""
    binary = _binary(kernel)
    text = (known(binary) or disassembly(binary)) if binary is not None else None
    if binary is None or text is None:
        return ()
    places = parameter_places(binary)
    return tuple(
        DeviceCode(one.symbol, mix(one), mix_in_loops(one), tensor_accesses(one, places.get(one.symbol, ()), source))
        for one in functions(text)
    )


def disassembly(binary: bytes) -> str | None:
    """What nvdisasm prints of a cubin; None where there is none that can read it."""
    program = find_nvdisasm()
    if program is None:
        return None
    with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
        file.write(binary)
        file.flush()
        # Without its analysis of the data flow it starts in two thirds of the time and prints the same.
        command = [str(program), "-c", "-ndf", file.name]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE_S)
        except (OSError, subprocess.TimeoutExpired):  # it may not be started here, or the kernel is huge
            return None
    return None if done.returncode else done.stdout


def _binary(kernel: JITKernel) -> bytes | None:
    """The cubin inside a kernel that was just compiled, or was read from the disk cache."""
    module = kernel.artifact.rt_mod if kernel.artifact is not None else kernel.adapter.executable
    for part in module.imports:
        if part.kind == "cuda":
            try:
                part.inspect_source("cubin")
            except UnicodeDecodeError as error:  # it hands out any format as text, which a binary never is
                return error.object
    return None
