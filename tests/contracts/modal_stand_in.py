"""A server that speaks as much of Modal's protocol as an app with our functions needs, on this machine.

Calls run in a process of their own, which stands for any container. That what Modal itself does is like this is
an assumption: it was written from the client's source, and its messages may change with the client's version.
"""

from __future__ import annotations

import asyncio
import os
import pickle
import signal
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, Future, ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

import grpclib
import grpclib.server
import pytest
from google.protobuf import empty_pb2
from modal.client import Client
from modal_proto import api_grpc, api_pb2

from tilewright.evaluators.modal import answer, look


class ModalStandIn:
    """While it is entered, Modal's client in this process talks to it.

    `created` are the requests that made objects, by their kind; `judge` answers in place of the function that does.
    """

    def __init__(self, judge: Callable[[str, str], str] = answer) -> None:
        self.created: dict[str, Any] = {}
        self._functions = {"answer": judge, "look": look}
        self.calls: Counter[str] = Counter()
        self.refusals: dict[str, tuple[grpclib.Status, str]] = {}
        """Answer these requests with an error."""
        self._environment = pytest.MonkeyPatch()
        self._answers: dict[str, Future[str]] = {}
        self._container: ProcessPoolExecutor | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="modal-stand-in", daemon=True)
        self._thread.start()
        self._server = self._run(self._start())
        port = self._server._server.sockets[0].getsockname()[1]
        self.address = f"http://127.0.0.1:{port}"

    def __enter__(self) -> ModalStandIn:
        self._environment.setenv("MODAL_SERVER_URL", self.address)
        self._environment.setenv("MODAL_TOKEN_ID", "ak-stand-in")
        self._environment.setenv("MODAL_TOKEN_SECRET", "as-stand-in")
        return self

    def __exit__(self, *exc: object) -> None:
        Client.from_env().close()  # which keeps the connection as long as the process otherwise
        self._environment.undo()
        self._run(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        if self._container is not None:
            self._container.shutdown(cancel_futures=True)

    def containers(self) -> list[int]:
        """Process ids."""
        return list(self._container._processes) if self._container is not None else []

    def preempt(self) -> None:
        """Take the containers away."""
        for pid in self.containers():
            os.kill(pid, signal.SIGKILL)

    def _run(self, coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(10)

    async def _start(self) -> Any:
        names = [name for name in vars(api_grpc.ModalClientBase) if name[0].isupper()]
        service = type("Service", (api_grpc.ModalClientBase,), {name: self._handler(name) for name in names})
        server = grpclib.server.Server([service()])
        await server.start("127.0.0.1", 0)
        return server

    async def _stop(self) -> None:
        self._server.close()
        await self._server.wait_closed()
        for _ in range(500):  # the connections' own ends, after which the loop's own pipe is left
            if len(self._loop._selector.get_map()) <= 1:
                break
            await asyncio.sleep(0.01)

    def _handler(self, name: str) -> Callable[[Any, Any], Any]:
        async def handle(service: Any, stream: Any) -> None:
            request = await stream.recv_message()
            self.calls[name] += 1
            if name in self.refusals:
                raise grpclib.GRPCError(*self.refusals[name])
            respond = getattr(self, f"_do_{name}", None)
            if respond is None:
                raise grpclib.GRPCError(grpclib.Status.UNIMPLEMENTED, f"the stand-in does not know {name}")
            response = respond(request)
            await stream.send_message(await response if asyncio.iscoroutine(response) else response)

        return handle

    def _do_ClientHello(self, request: Any) -> Any:
        return api_pb2.ClientHelloResponse()

    def _do_EnvironmentGetOrCreate(self, request: Any) -> Any:
        settings = api_pb2.EnvironmentSettings(image_builder_version="2025.06")
        metadata = api_pb2.EnvironmentMetadata(name="main", settings=settings)
        return api_pb2.EnvironmentGetOrCreateResponse(environment_id="en-1", metadata=metadata)

    def _do_AppCreate(self, request: Any) -> Any:
        return api_pb2.AppCreateResponse(app_id=f"ap-{self.calls['AppCreate']}")

    def _do_AppHeartbeat(self, request: Any) -> Any:
        return empty_pb2.Empty()

    def _do_AppPublish(self, request: Any) -> Any:
        return api_pb2.AppPublishResponse()

    def _do_AppClientDisconnect(self, request: Any) -> Any:
        return empty_pb2.Empty()

    def _do_MountBatchedCheckExistence(self, request: Any) -> Any:
        return api_pb2.MountBatchedCheckExistenceResponse()

    def _do_MountPutFile(self, request: Any) -> Any:
        return api_pb2.MountPutFileResponse(exists=True)

    def _do_MountGetOrCreate(self, request: Any) -> Any:
        if request.files:
            self.created["mount"] = request
        return api_pb2.MountGetOrCreateResponse(mount_id="mo-1")

    def _do_ImageGetOrCreate(self, request: Any) -> Any:
        self.created.setdefault("image", []).append(request.image)
        done = api_pb2.GenericResult(status=api_pb2.GenericResult.GENERIC_STATUS_SUCCESS)
        return api_pb2.ImageGetOrCreateResponse(image_id=f"im-{self.calls['ImageGetOrCreate']}", result=done)

    def _do_FunctionPrecreate(self, request: Any) -> Any:
        name = request.function_name
        return api_pb2.FunctionPrecreateResponse(function_id=f"fu-{name}", handle_metadata=self._metadata(name))

    def _do_FunctionCreate(self, request: Any) -> Any:
        name = request.function.function_name
        self.created["function" if name == "answer" else name] = request.function
        ranked = [api_pb2.FunctionData.RankedFunction(rank=1, function=request.function)]
        return api_pb2.FunctionCreateResponse(
            function_id=f"fu-{name}",
            handle_metadata=self._metadata(name),
            function_data=api_pb2.FunctionData(ranked_functions=ranked),
        )

    def _metadata(self, name: str) -> Any:
        return api_pb2.FunctionHandleMetadata(
            function_name=name,
            function_type=api_pb2.Function.FUNCTION_TYPE_FUNCTION,
            max_async_object_size_bytes=1 << 24,
        )

    def _do_FunctionMap(self, request: Any) -> Any:
        call = f"fc-{self.calls['FunctionMap']}"
        function = self._functions[request.function_id.removeprefix("fu-")]
        (item,) = request.pipelined_inputs
        positional, named = pickle.loads(item.input.args)  # what the client of this very process wrote
        try:
            self._answers[call] = self._living_container().submit(function, *positional, **named)
        except BrokenExecutor as error:
            self._answers[call] = Future()
            self._answers[call].set_exception(error)
        inputs = [api_pb2.FunctionPutInputsResponseItem(idx=0, input_id=f"in-{call}")]
        return api_pb2.FunctionMapResponse(function_call_id=call, pipelined_inputs=inputs)

    async def _do_FunctionGetOutputs(self, request: Any) -> Any:
        future = self._answers[request.function_call_id]
        await asyncio.wait([asyncio.wrap_future(future)], timeout=request.timeout)
        if not future.done():
            return api_pb2.FunctionGetOutputsResponse(num_unfinished_inputs=1)
        status = api_pb2.GenericResult
        if future.cancelled():
            result = status(status=status.GENERIC_STATUS_TERMINATED, exception="cancelled")
        elif future.exception() is not None:
            result = status(status=status.GENERIC_STATUS_INTERNAL_FAILURE, exception="the container is gone")
        else:
            result = status(status=status.GENERIC_STATUS_SUCCESS, data=pickle.dumps(future.result()))
        output = api_pb2.FunctionGetOutputsItem(result=result, data_format=api_pb2.DATA_FORMAT_PICKLE)
        return api_pb2.FunctionGetOutputsResponse(outputs=[output], num_unfinished_inputs=0)

    def _do_FunctionCallCancel(self, request: Any) -> Any:
        future = self._answers[request.function_call_id]
        if not future.done() and not future.cancel() and request.terminate_containers:
            self.preempt()
        return empty_pb2.Empty()

    def _living_container(self) -> ProcessPoolExecutor:
        if self._container is None or getattr(self._container, "_broken", False):
            self._container = ProcessPoolExecutor(1, mp_context=get_context("spawn"))
        return self._container
