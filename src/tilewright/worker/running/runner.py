"""What does a process that holds a candidate do? It builds it, calls it on what it is given, returns bytes.

It holds no reference, no expected values and no seed but that of the parameters. Nothing that it says of itself is
believed: the verifier compares the bytes and checks the times against its own clock. The baseline runs in the same
program, in a process of its own.
"""

from __future__ import annotations

import contextlib
import gc
import os
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch

from tilewright.worker.exchange import wire
from tilewright.worker.exchange.devicetray import DeviceTray
from tilewright.worker.exchange.driver import DriverError
from tilewright.worker.exchange.gate import Hold
from tilewright.worker.exchange.tray import Slot, Tray
from tilewright.worker.exchange.wire import Header
from tilewright.worker.running import building, modulestate
from tilewright.worker.running.ablation import Ablated
from tilewright.worker.running.building import PRECISIONS, Forward
from tilewright.worker.running.census import Profiled
from tilewright.worker.running.clocked import AnyTray, Clocked
from tilewright.worker.running.gradients import NoGradient, with_gradients
from tilewright.worker.running.returned import no_plain_tensors, tensors_in, written


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
        self._module: Any = None
        self._inputs: list[torch.Tensor] = []
        self._slots: Sequence[Sequence[Any]] = []
        self._outputs: list[torch.Tensor] = []
        self._earlier: list[torch.Tensor] = []
        self._trays: dict[str, AnyTray] = {}
        self._clocked: Clocked | None = None
        self._beside: list[torch.Tensor] = []
        self._hold: Hold | None = None

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
        gc.freeze()  # what is made from here on is soon found
        return {}

    def _do_construct(self, request: Header, descriptors: list[int]) -> Header:
        start = time.perf_counter()
        self._forward = self._module = self._clocked = None
        self._beside = self._taken_up(request["gaps"])
        before = modulestate.live_tensors()
        with self._candidate():
            if self._form == "function":
                torch.set_default_dtype(self._dtype)
                self._module = building.resolved_function(self._entry)
            else:
                self._module = building.constructed(
                    self._entry, wire.decode(request["init"]), request["seed"], self._dtype, self._device
                )
        mode = request.get("compile")  # a baseline's
        called = torch.compile(self._module, mode=mode) if mode else self._module
        self._forward = building.with_plain(called, {place: value for place, value in request["plain"]})
        header: Header = {"seconds": time.perf_counter() - start, "gradients": []}
        own = modulestate.tensors_of(self._module)
        if request["backward"]:
            wanted = request["backward"]["parameters"]
            matching = [i for i, (name, shape) in enumerate(wanted) if _is_parameter(own.get(name), shape)]
            parameters = [own[wanted[i][0]] for i in matching]
            self._forward = with_gradients(self._forward, request["backward"]["places"], parameters)
            header["gradients"] = matching
        header["layout"], header["plain"] = modulestate.layout(own), modulestate.plain_values(self._module)
        header["others"] = modulestate.holds_others(self._module, before)
        header["loads"] = callable(getattr(self._module, "load_reference", None))
        return header

    def _taken_up(self, gaps: Sequence[int]) -> list[torch.Tensor]:
        """Memory of so many bytes each: what is made next lies behind it."""
        self._beside = []
        if self._device == "cuda":
            torch.cuda.empty_cache()
        return [torch.empty(gap, dtype=torch.uint8, device=self._device) for gap in gaps]

    def _do_reload(self, request: Header, descriptors: list[int]) -> Header:
        """Parameters of another draw, into the module that there is."""
        names, slots = [name for name, _ in request["state"]], [slot for _, slot in request["state"]]
        with self._candidate():
            modulestate.reloaded(self._module, dict(zip(names, self._read(slots))))
            self._wait()
        return {}

    def _do_trays(self, request: Header, descriptors: list[int]) -> Header:
        for name, descriptor in zip(request["names"], descriptors):
            self._trays[name] = Tray(descriptor, os.fstat(descriptor).st_size)
        try:
            for name, handle, size in request["handles"]:
                self._trays[name] = DeviceTray.open(handle, size)
        except DriverError as error:
            return {"refused": str(error)}
        return {}

    def _do_call(self, request: Header, descriptors: list[int]) -> Header:
        """One call, checked: `refill` puts the values into the tensors of the call before."""
        given = self._read(request["inputs"])
        if request["refill"] and [x.shape for x in given] == [x.shape for x in self._inputs]:
            for tensor, values in zip(self._inputs, given):
                tensor.copy_(values)
        else:
            self._inputs = given  # read while those of the call before are still held: fresh addresses
        self._slots, self._earlier = request["inputs"], self._outputs
        before, versions = [tensor.clone() for tensor in self._inputs], [t._version for t in self._inputs]
        self._poison(request["poison_bytes"])
        start = time.perf_counter()
        with self._candidate():
            try:
                output = self._called(self._inputs)
            except NoGradient as error:
                return {"refused": str(error)}
            self._wait()
        header: Header = {"seconds": time.perf_counter() - start}
        header["changed"] = [i for i, (x, y) in enumerate(zip(self._inputs, before)) if not _same(x, y)]
        header["touched"] = [i for i, tensor in enumerate(self._inputs) if tensor._version != versions[i]]
        header.update(self._returned(output))
        if self._interpreter:
            header["execution"] = self._interpreter.summary()
        return header

    def _do_inputs(self, request: Header, descriptors: list[int]) -> Header:
        """The inputs of the last call as they are now."""
        for slot, tensor in zip(self._slots, self._inputs):
            self._trays["inputs"].write(Slot.from_plain(slot), tensor)
        return {}

    def _do_earlier(self, request: Header, descriptors: list[int]) -> Header:
        """The outputs of the call before the last as they are now."""
        written(self._trays["outputs"], self._earlier)
        return {}

    def _do_clock(self, request: Header, descriptors: list[int]) -> Header:
        """Timed calls come next."""
        self._inputs, self._outputs, self._earlier = [], [], []
        assert self._forward is not None
        gate = self._trays.get("gate")
        if self._hold is None and isinstance(gate, Tray):
            self._hold = Hold(gate)
        self._clocked = Clocked(self._forward, self._device, request, self._trays, self._hold)
        return {}

    def _do_enqueue(self, request: Header, descriptors: list[int]) -> Header:
        assert self._clocked is not None
        return self._clocked.enqueue(request)

    def _do_finish(self, request: Header, descriptors: list[int]) -> Header:
        assert self._clocked is not None
        return self._clocked.finish()

    def _do_record(self, request: Header, descriptors: list[int]) -> Header:
        assert self._clocked is not None
        return self._clocked.record()

    def _do_floor(self, request: Header, descriptors: list[int]) -> Header:
        assert self._clocked is not None
        return {"us": self._clocked.floor_us()}

    def _do_census(self, request: Header, descriptors: list[int]) -> Header:
        return self._through(Profiled, request["on"])

    def _do_ablate(self, request: Header, descriptors: list[int]) -> Header:
        return self._through(Ablated, request["on"])

    def _through(self, watching: type[Profiled | Ablated], on: bool) -> Header:
        """While it is on, forward is called through it; then what it saw."""
        if on:
            assert self._forward is not None
            self._forward = watching(self._forward)
            return {}
        watched = self._forward
        assert isinstance(watched, watching)
        self._forward = watched.forward
        return watched.seen

    def _do_inspect(self, request: Header, descriptors: list[int]) -> Header:
        from tilewright import hardware, jsonform
        from tilewright.records import Candidate, Problem
        from tilewright.toolchain import facts

        torch.set_num_threads(request["threads"])
        candidate = jsonform.from_plain(Candidate, request["candidate"])
        problem = jsonform.from_plain(Problem, request["problem"])
        gpu = jsonform.from_plain(hardware.Gpu, request["gpu"])
        hardware.add_gpu(gpu)
        wanted = {"launched": request["launched"], "instructions": request["instructions"]}
        evidence, failure = facts.gather(candidate, problem, gpu.name, request["deadline_s"], **wanted)
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
        slots, fits = written(self._trays["outputs"], tensors)
        self._outputs = tensors
        addresses = {tensor.untyped_storage().data_ptr() for tensor in self._inputs}
        return {
            "aliased": any(tensor.untyped_storage().data_ptr() in addresses for tensor in tensors),
            "outputs": slots,
            "written": fits,
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


def _is_parameter(tensor: torch.Tensor | None, shape: Sequence[int]) -> bool:
    return tensor is not None and tensor.requires_grad and list(tensor.shape) == list(shape)


def _expanded(tensor: torch.Tensor) -> bool:
    """Whether several elements lie at one address."""
    if tensor.untyped_storage().nbytes() < tensor.numel() * tensor.element_size():
        return True
    return any(stride == 0 and extent > 1 for stride, extent in zip(tensor.stride(), tensor.shape))


def _same(left: torch.Tensor, right: torch.Tensor) -> bool:
    if left.shape != right.shape or left.dtype != right.dtype:
        return False
    return bool((left.reshape(-1).view(torch.uint8) == right.reshape(-1).view(torch.uint8)).all())
