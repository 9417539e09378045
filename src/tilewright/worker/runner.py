"""What does a process that holds a candidate do? It builds it, calls it on what it is given, returns bytes.

It holds no reference, no expected values and no seed but that of the parameters. Nothing that it says of itself is
believed: the verifier compares the bytes and checks the times against its own clock. The baseline runs in the same
program, in a process of its own.
"""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch

from tilewright.worker import building, wire
from tilewright.worker.building import PRECISIONS, Forward
from tilewright.worker.clocked import Clocked
from tilewright.worker.returned import no_plain_tensors, tensors_in, written
from tilewright.worker.tray import Slot, Tray
from tilewright.worker.wire import Header


def run(line: socket.socket) -> None:
    """Answer the verifier until it hangs up."""
    runner = _Runner()
    while True:
        try:
            request, descriptors = wire.receive_with_descriptors(line)
        except wire.Closed:
            return
        wire.send(line, runner.answer(request, descriptors))


class _Runner:
    def __init__(self) -> None:
        self._file = str(Path.cwd() / "kernel.py")
        self._entry: Any = None
        self._forward: Forward | None = None
        self._form = "module"
        self._dtype = torch.float32
        self._device = "cpu"
        self._interpreter: _Interpreter | None = None
        self._inputs: list[torch.Tensor] = []
        self._sets: Sequence[list[torch.Tensor]] = []
        self._trays: dict[str, Tray] = {}
        self._clocked: Clocked | None = None

    def answer(self, request: Header, descriptors: list[int]) -> Header:
        name = request["op"]
        operation: Callable[..., Header] = getattr(self, f"_do_{name}")
        try:
            with torch.no_grad():
                return operation(request, descriptors)
        except BaseException as error:  # a candidate may raise anything, SystemExit too; it is all an answer
            return {"error": building.told(error, name, self._file)}

    def _do_load(self, request: Header, descriptors: list[int]) -> Header:
        self._form, self._device = request["form"], request["device"]
        self._dtype = PRECISIONS[request["precision"]]
        torch.set_num_threads(request["threads"])
        if request["interpret"]:
            self._interpreter = _Interpreter(request["interpret"])
        with self._candidate():
            module = building.loaded("kernel", request["source"], request["support"], Path.cwd())
            for name, value in request["overrides"]:
                setattr(module, name, value)
            self._entry = building.entry_point(module, request["entry_point"])
        return {}

    def _do_construct(self, request: Header, descriptors: list[int]) -> Header:
        start = time.perf_counter()
        self._forward = None
        with self._candidate():
            if self._form == "function":
                torch.set_default_dtype(self._dtype)
                self._forward = building.resolved_function(self._entry)
            else:
                self._forward = building.constructed(
                    self._entry, wire.decode(request["init"]), request["seed"], self._dtype, self._device
                )
        self._forward = building.with_plain(self._forward, {place: value for place, value in request["plain"]})
        return {"seconds": time.perf_counter() - start}

    def _do_trays(self, request: Header, descriptors: list[int]) -> Header:
        for name, descriptor in zip(request["names"], descriptors):
            self._trays[name] = Tray(descriptor, os.fstat(descriptor).st_size)
        return {}

    def _do_call(self, request: Header, descriptors: list[int]) -> Header:
        """One call, checked: `refill` puts the values into the tensors of the call before."""
        given = self._read(request["inputs"])
        if request["refill"] and [x.shape for x in given] == [x.shape for x in self._inputs]:
            for tensor, values in zip(self._inputs, given):
                tensor.copy_(values)
        else:
            self._inputs = given  # read while those of the call before are still held: fresh addresses
        before = [tensor.clone() for tensor in self._inputs]
        self._poison(request["poison_bytes"])
        start = time.perf_counter()
        with self._candidate():
            output = self._called(self._inputs)
            self._wait()
        header: Header = {"seconds": time.perf_counter() - start}
        header["changed"] = [i for i, (x, y) in enumerate(zip(self._inputs, before)) if not _same(x, y)]
        header.update(self._returned(output))
        if self._interpreter:
            header["execution"] = self._interpreter.summary()
        return header

    def _do_sets(self, request: Header, descriptors: list[int]) -> Header:
        """Input sets that timed calls take turns with."""
        self._inputs = []
        assert self._forward is not None
        self._clocked = Clocked(self._forward, self._device, [self._read(slots) for slots in request["sets"]])
        return {}

    def _do_time(self, request: Header, descriptors: list[int]) -> Header:
        assert self._clocked is not None
        return self._clocked.time(request)

    def _do_fetch(self, request: Header, descriptors: list[int]) -> Header:
        assert self._clocked is not None
        return self._clocked.fetch(request, self._trays["outputs"])

    def _do_inspect(self, request: Header, descriptors: list[int]) -> Header:
        from tilewright import hardware, jsonform
        from tilewright.records import Candidate, Problem
        from tilewright.toolchain import facts

        torch.set_num_threads(request["threads"])
        candidate = jsonform.from_plain(Candidate, request["candidate"])
        problem = jsonform.from_plain(Problem, request["problem"])
        gpu = jsonform.from_plain(hardware.Gpu, request["gpu"])
        hardware.add_gpu(gpu)
        evidence, failure = facts.gather(candidate, problem, gpu.name, request["deadline_s"])
        return {"evidence": jsonform.to_plain(evidence), "failure": jsonform.to_plain(failure)}

    def _candidate(self) -> contextlib.AbstractContextManager[Any]:
        """Around code of the candidate: the interpreter, where one is wanted."""
        return self._interpreter.open() if self._interpreter else contextlib.nullcontext()

    def _called(self, inputs: Sequence[torch.Tensor]) -> Any:
        assert self._forward is not None
        return self._forward(*inputs)

    def _wait(self) -> None:
        if self._device == "cuda":
            torch.cuda.synchronize()

    def _poison(self, count: int) -> None:
        """Leave NaN in the memory that the allocator hands out next, so that what is never written shows."""
        if 0 < count <= 1 << 31:
            torch.empty(-(-count // 8), dtype=torch.float64, device=self._device).fill_(float("nan"))

    def _read(self, slots: Sequence[Sequence[Any]]) -> list[torch.Tensor]:
        return [self._trays["inputs"].read(Slot.from_plain(slot), self._device) for slot in slots]

    def _returned(self, output: Any) -> Header:
        """What a checked call returned, and its bytes in the tray where they fit."""
        tensors = tensors_in(output)
        refused = no_plain_tensors(tensors)
        if refused:
            return {"refused": refused}
        slots, end = written(self._trays["outputs"], tensors, 0)
        return {
            "outputs": slots,
            "written": end <= self._trays["outputs"].size,
            "expanded": any(map(_expanded, tensors)),
        }


class _Interpreter:
    """TileLang kernels of the candidate run on the CPU, with the time that is left for them."""

    def __init__(self, deadline_s: float) -> None:
        self._end = time.monotonic() + deadline_s
        self._reports: list[Any] = []

    @contextlib.contextmanager
    def open(self) -> Iterator[None]:
        from tilewright.interpreter import interpreted

        left = max(0.1, self._end - time.monotonic())
        with interpreted(on_report=lambda kernel, report: self._reports.append(report), deadline_s=left):
            yield

    def summary(self) -> Header:
        """What the kernels launched since the last summary went through."""
        reports, self._reports = self._reports, []
        return {
            "blocks": sum(report.blocks_run for report in reports),
            "of": sum(report.blocks_total for report in reports),
            "warnings": [
                [wire.printable(w.rule, 80), wire.printable(w.message, 500), w.line]
                for report in reports
                for w in report.warnings
            ][:20],
        }


def _expanded(tensor: torch.Tensor) -> bool:
    """Whether several elements lie at one address."""
    if tensor.untyped_storage().nbytes() < tensor.numel() * tensor.element_size():
        return True
    return any(stride == 0 and extent > 1 for stride, extent in zip(tensor.stride(), tensor.shape))


def _same(left: torch.Tensor, right: torch.Tensor) -> bool:
    if left.shape != right.shape or left.dtype != right.dtype:
        return False
    return bool((left.reshape(-1).view(torch.uint8) == right.reshape(-1).view(torch.uint8)).all())
