"""What does nvcc make of a kernel: registers, spills, stack, shared memory, instructions, or an error?

Compiling goes through TileLang's own disk cache (TILELANG_CACHE_DIR, which the caller sets), with the same key as
on a machine with the GPU, so the process that launches the kernel later finds it there. One nvcc run per distinct
source: ptxas is told to report what it used, the binary is disassembled, and what they said is kept beside the cache
for the next time.

Only CUDA through nvcc is understood; a kernel that asks for another execution backend gets the default one."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tilelang.cache import cached
from tilelang.cache.kernel_cache import KernelCache
from tilelang.jit import JITKernel
from tvm import tirx

from tilewright import jsonform
from tilewright.errors import RecordError
from tilewright.hardware import Gpu
from tilewright.records import content_id
from tilewright.toolchain.disassemble import DeviceCode, disassembled
from tilewright.toolchain.listen import Heard, listening
from tilewright.toolchain.lower import Lowered, cuda_target, lower, lowered_from
from tilewright.toolchain.programs import find_nvcc
from tilewright.toolchain.resources import Usage, usage_from_ptxas
from tilewright.toolchain.together import Meeting, compiling_together

_CODE = ".code-1.json"  # counts up when what is read from a binary changes
_SERIALISED_WGMMA = "wgmma.mma_async instructions are serialized"


@dataclass(frozen=True, eq=False)
class Request:
    """A kernel to compile, exactly as the module asked TileLang for it: the cache key depends on each member."""

    prim_func: tirx.PrimFunc
    out_idx: int | Sequence[int] | None = None
    pass_configs: Mapping[Any, Any] | None = None
    compile_flags: Sequence[str] | str | None = None


@dataclass(frozen=True)
class Compiled:
    """`usage` and `code` are by device function, empty when there is no nvcc or no nvdisasm. `serialised_wgmma` is
    ptxas's word that tensor core instructions wait for each other for want of registers."""

    lowered: Lowered
    usage: Mapping[str, Usage] = field(default_factory=dict)
    serialised_wgmma: bool = False
    code: Mapping[str, DeviceCode] = field(default_factory=dict)


def compile_kernels(
    requests: Sequence[Request], gpu: Gpu, timeout_s: float, launched: bool = True, instructions: bool = True
) -> list[Compiled | Exception]:
    """Compile several kernels side by side; what TileLang or nvcc raises for one is returned in its place. The
    library that launches a kernel is left out of the cache where it won't be `launched`; binaries aren't looked into
    where their `instructions` aren't wanted.

    Without nvcc the kernels are lowered only."""
    if not requests:
        return []
    with contextlib.ExitStack() as stack:
        stack.enter_context(_settings(timeout_s))
        if not launched:
            stack.enter_context(_binaries_alone())
        heard = stack.enter_context(listening())
        meeting = stack.enter_context(compiling_together(len(requests), timeout_s, instructions))
        pool = stack.enter_context(ThreadPoolExecutor(len(requests)))  # all wait for each other
        return list(pool.map(lambda request: _attempt(request, gpu, heard, meeting), requests))


def _attempt(request: Request, gpu: Gpu, heard: Heard, meeting: Meeting) -> Compiled | Exception:
    try:
        if find_nvcc() is None:
            return Compiled(lower(request.prim_func, gpu, request.pass_configs))
        compiled, kernel, report = _compiled(request, gpu, heard)
    except OSError:
        raise  # a full disk or a missing compiler is the machine's fault
    except Exception as error:  # whatever the candidate's kernel provokes in TVM, TileLang or nvcc is the answer
        return error
    finally:
        meeting.leave()
    if not meeting.disassembles:
        return compiled
    code = _code(kernel, compiled.lowered.source, report.with_suffix(_CODE), meeting)
    return dataclasses.replace(compiled, code={one.symbol: one for one in code})


def _compiled(request: Request, gpu: Gpu, heard: Heard) -> tuple[Compiled, JITKernel, Path]:
    """With where ptxas's report is kept. The binary has not been looked into."""
    heard.take()
    kernel = cached(
        request.prim_func,
        request.out_idx,
        target=cuda_target(gpu),
        verbose=False,
        pass_configs=dict(request.pass_configs) if request.pass_configs else None,
        compile_flags=request.compile_flags,
    )
    log = "\n".join(heard.take())
    if kernel.artifact is not None:
        lowered = lowered_from(kernel.artifact)
    else:  # read from the disk cache, which keeps no launch shapes
        lowered = lower(request.prim_func, gpu, request.pass_configs)
    report = _report_path(request, lowered, gpu)
    usage = usage_from_ptxas(log)
    if usage:
        _remember(report, "\n".join(line for line in log.splitlines() if "bytes" in line or "ptxas info" in line))
    else:
        log = _recall(report)
        usage = usage_from_ptxas(log)
    return Compiled(lowered, usage, serialised_wgmma=_SERIALISED_WGMMA in log), kernel, report


def _code(kernel: JITKernel, source: str, report: Path, meeting: Meeting) -> tuple[DeviceCode, ...]:
    with contextlib.suppress(RecordError):  # none is there yet
        return jsonform.loads(_Disassembled, _recall(report)).functions
    found = disassembled(kernel, source, meeting.disassembly)
    if found:
        _remember(report, jsonform.dumps(_Disassembled(found)))
    return found


@dataclass(frozen=True)
class _Disassembled:
    functions: tuple[DeviceCode, ...]


def _remember(report: Path, text: str) -> None:
    report.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", dir=report.parent, delete=False, encoding="utf-8") as file:
        file.write(text)
    os.replace(file.name, report)


def _recall(report: Path) -> str:
    return report.read_text(encoding="utf-8") if report.is_file() else ""


def _report_path(request: Request, lowered: Lowered, gpu: Gpu) -> Path:
    from tilelang import env  # the instance, not the module of that name

    options = sorted((str(key), str(value)) for key, value in (request.pass_configs or {}).items())
    key = content_id(lowered.source, gpu.arch, options, str(request.compile_flags))
    return Path(env.TILELANG_CACHE_DIR, "ptxas", f"{key}.txt")


@contextlib.contextmanager
def _binaries_alone() -> Iterator[None]:
    """Making the library takes as long as a seventh of compiling a kernel alone, and a quarter together with others.
    What nvcc made is kept in any case."""
    save = KernelCache._save_kernel_to_disk
    KernelCache._save_kernel_to_disk = lambda *args, **options: None
    try:
        yield
    finally:
        KernelCache._save_kernel_to_disk = save


@contextlib.contextmanager
def _settings(timeout_s: float) -> Iterator[None]:
    """TileLang reads these at each compilation; TILELANG_VERBOSE makes it pass `-Xptxas -v` to nvcc."""
    wanted = {
        "TILELANG_VERBOSE": "1",
        "TILELANG_PRINT_ON_COMPILATION": "0",
        "TILELANG_COMPILE_TIMEOUT_SECONDS": f"{max(1.0, timeout_s):.0f}",
    }
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
