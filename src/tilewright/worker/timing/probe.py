"""What does this GPU reach: copying, multiplying matrices, launching nothing?

The ceilings that times are held against. They take about two seconds together, while nobody else is timed, once for
each device, driver and PyTorch; then they are kept in a file of this user's. They are the best of what this device
reaches in a short while, not its data sheet's peak: a kernel may come out a few percent above, by other data or a
cooler chip.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import torch

from tilewright import jsonform
from tilewright.errors import RecordError
from tilewright.hardware import Ceilings
from tilewright.worker.processes.nursery import Deadline
from tilewright.worker.running.cupti import Piece
from tilewright.worker.running.tracing import Tracer, spans_ms
from tilewright.worker.timing import gpu, turns
from tilewright.worker.verifying import inputs

_HOW = 3
"""Changes when what is measured does, so that what was kept is measured again."""
_EACH_S = 0.15
"""Of device time for each ceiling. Much longer, and a large chip slows down for its power limit."""
_FEWEST, _MOST = 5, 200
_COPIED_BYTES = 2 << 30
_SIDES = (2048, 4096, 8192)
_LONGEST_S = 4e-3
"""A product that takes this long has many waves of tiles."""
_EMPTY_LAUNCHES = 40
_HOLD_CYCLES = 8_000_000
"""About 4 ms: until then the launches behind it are all enqueued."""


def ceilings(deadline: Deadline, folder: Path | None = None) -> tuple[Ceilings | None, str]:
    """What was kept of this device in `folder` (by default the user's cache), else what a probe finds; None, and why,
    where a probe would say too little."""
    if not torch.cuda.is_available():
        return None, "no CUDA GPU here"
    device = torch.cuda.get_device_properties(0)
    path = (folder or Path.home() / ".cache" / "tilewright") / f"ceilings-{device.uuid}.json"
    key = [_HOW, device.name, *map(list, gpu.versions())]
    kept = remembered(path, key)
    if kept is not None:
        return kept, ""
    try:
        with turns.alone("cuda", deadline, "probing"), inputs.LOCK, torch.no_grad():
            before = gpu.sample()
            found = _probed()
            after = gpu.sample()
    except torch.OutOfMemoryError:
        return None, "too little of its memory is free"
    finally:
        torch.cuda.empty_cache()
    for sample in (before, after):
        if sample is not None and (sample.foreign or sample.throttled):
            return None, "another process uses it" if sample.foreign else "its clocks are throttled"
    remember(path, key, found)
    return found, ""


def remembered(path: Path, key: Sequence[object]) -> Ceilings | None:
    """What `remember` wrote there under the same key."""
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        found: Ceilings | None = jsonform.from_plain(Ceilings, kept["ceilings"]) if kept["key"] == list(key) else None
    except (OSError, ValueError, LookupError, TypeError, RecordError):
        return None
    return found


def remember(path: Path, key: Sequence[object], found: Ceilings) -> None:
    """Where the file can't be written, the next process probes again."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(json.dumps({"key": list(key), "ceilings": jsonform.to_plain(found)}), encoding="utf-8")
        temporary.replace(path)


def side_within(flops_per_s: float, longest_s: float = _LONGEST_S) -> int:
    """The largest square whose product takes no longer at that rate; the smallest where all do."""
    return max((side for side in _SIDES if product_flops(side) / flops_per_s <= longest_s), default=_SIDES[0])


def product_flops(side: int) -> float:
    """Of two square matrices, a multiply-add as two."""
    return 2.0 * side**3


def calls_within(seconds: float, once_s: float) -> int:
    """How many calls fit, but enough of them to choose from, and no more than a queue should hold."""
    return min(_MOST, max(_FEWEST, int(seconds / once_s))) if once_s > 0 else _MOST


def _probed() -> Ceilings:
    has_narrow_floats = torch.cuda.get_device_capability(0) >= (8, 0)  # bf16 and TF32 came with it
    return Ceilings(
        copy_bytes_per_s=_copied_per_s(),
        fp16_flops=_products_per_s(torch.float16),
        bf16_flops=_products_per_s(torch.bfloat16) if has_narrow_floats else None,
        tf32_flops=_products_per_s(torch.float32, tf32=True) if has_narrow_floats else None,
        fp32_flops=_products_per_s(torch.float32),
        launch_s=_launch_s(),
    )


def _copied_per_s() -> float:
    """By the driver's copy, or by a kernel that reads and writes as much, whichever is faster."""
    free, _ = torch.cuda.mem_get_info(0)
    count: int = min(_COPIED_BYTES, free // 8) // 4
    source = torch.rand(count, dtype=torch.float32, device="cuda", generator=_own_generator())
    target = torch.empty_like(source)
    taken = min(_seconds(lambda: target.copy_(source)), _seconds(lambda: torch.neg(source, out=target)))
    return 8.0 * count / taken  # four bytes read, four written


def _products_per_s(dtype: torch.dtype, tf32: bool = False) -> float:
    """FLOP/s on random data (zeros draw less power, and let the clocks rise), in a size that fills the device."""
    with _tf32(tf32):
        first = _product_flops_per_s(_SIDES[0], dtype)
        side = side_within(first)
        return first if side == _SIDES[0] else max(first, _product_flops_per_s(side, dtype))


def _product_flops_per_s(side: int, dtype: torch.dtype) -> float:
    generator = _own_generator()
    a, b = (torch.randn(side, side, dtype=dtype, device="cuda", generator=generator) for _ in range(2))
    out = torch.empty_like(a)
    return product_flops(side) / _seconds(lambda: torch.mm(a, b, out=out))


def _launch_s() -> float:
    """By the clock that candidates are timed with, the queue kept full, the L2 cache overwritten: CUPTI's record of
    the kernel, or events where that can't be had, which read about 3 us more."""
    flush = torch.empty(2 * torch.cuda.get_device_properties(0).L2_cache_size, dtype=torch.uint8, device="cuda")
    tracer = Tracer()
    torch.cuda._sleep(0)
    torch.cuda.synchronize()
    tracer.start()
    torch.cuda._sleep(_HOLD_CYCLES)
    by_events = _timed(lambda: torch.cuda._sleep(0), _EMPTY_LAUNCHES, before=flush.zero_)
    spans = empty_spans_s(tracer.stop(), _EMPTY_LAUNCHES, flush.numel())
    return min(spans or by_events)


def empty_spans_s(pieces: Sequence[Piece], launches: int, flushed: int) -> list[float]:
    """Of what ran on the device (a kernel that holds it, then a flush before each empty kernel) the empty kernels'
    seconds; [] where that isn't what ran."""
    return [ms / 1e3 for ms in spans_ms(pieces[1:], [1] * launches, [0] * launches, flushed)]


def _seconds(work: Callable[[], object]) -> float:
    """Of one call on the device."""
    work()  # loads what it needs
    torch.cuda.synchronize()
    (once,) = _timed(work, 1)
    return min(_timed(work, calls_within(_EACH_S, once)))


def _timed(work: Callable[[], object], calls: int, before: Callable[[], object] = lambda: None) -> list[float]:
    events = []
    for _ in range(calls):
        start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        before()
        start.record()
        work()
        end.record()
        events.append((start, end))
    torch.cuda.synchronize()
    return [start.elapsed_time(end) / 1e3 for start, end in events]


def _own_generator() -> torch.Generator:
    """The process's belongs to the references."""
    return torch.Generator("cuda").manual_seed(0)


@contextlib.contextmanager
def _tf32(wanted: bool) -> Iterator[None]:
    """The flag belongs to the process: to be held under `inputs.LOCK`."""
    before = torch.backends.cuda.matmul.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = wanted
    try:
        yield
    finally:
        torch.backends.cuda.matmul.allow_tf32 = before
