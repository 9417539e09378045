"""The server: pages, and streams that say what of them is new (server-sent events)."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Callable, Hashable

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tilewright.errors import StoreError, UsageError
from tilewright.serving import live
from tilewright.serving.admission import Admission
from tilewright.serving.live import View
from tilewright.serving.site import Site

_LOOK_S = 0.2
"""How often the store is asked whether it has changed, for each page that is open."""
_IDLE_S = 15.0
"""After so long without news a comment is sent, so that whatever lies between keeps the line open."""
_HEADERS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}


def serve(site: Site, admission: Admission, listening: socket.socket) -> None:
    """Until the process is told to end. Raises `KeyboardInterrupt` after Ctrl-C."""
    app = make_app(site, admission, lambda: server.should_exit)
    # no log of requests: their addresses may hold the token
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False, lifespan="off"))
    server.run([listening])


def make_app(site: Site, admission: Admission, ending: Callable[[], bool]) -> Starlette:
    """`ending` says whether streams are to end: else they would go on as long as somebody looks."""

    def page(
        path: str, view: Callable[[Request], View], sources: Callable[[Request], str] | None = None
    ) -> list[Route]:
        async def show(request: Request) -> Response:
            here, query = request.url.path.rstrip("/"), request.url.query
            shown = await run_in_threadpool(view, request)
            events = f"{here}/events?{query}{'&' if query else ''}"
            text = live.document(shown, events, f"{here}/sources?{query}" if sources else "")
            return HTMLResponse(text.encode("utf-8", "replace"))  # a model may have said half a character

        async def tell(request: Request) -> Response:
            told = _events(site.version, lambda: view(request), request.query_params.get("has", ""), ending)
            return StreamingResponse(told, media_type="text/event-stream")

        async def pack(request: Request) -> Response:
            assert sources is not None
            return PlainTextResponse(await run_in_threadpool(sources, request))

        routes = [Route(path, show), Route(f"{path.rstrip('/')}/events", tell)]
        return [*routes, Route(f"{path}/sources", pack)] if sources else routes

    return Starlette(
        routes=[
            *page("/", lambda request: site.overview()),
            *page("/runs/{id}", lambda request: site.run(_id(request)), lambda request: site.sources(_id(request))),
            *page("/batches/{id}", lambda request: site.batch(_id(request))),
            *page(
                "/compare",
                lambda request: site.comparison(*_two(request)),
                lambda request: site.best_sources(*_two(request)),
            ),
        ],
        middleware=[Middleware(_Guarded, admission=admission)],
        exception_handlers={UsageError: _not_found, StoreError: _unreadable},
    )


class _Guarded:
    """Nothing goes out to who may not see it, nor without the headers that say what a page may do."""

    def __init__(self, app: ASGIApp, admission: Admission) -> None:
        self._app, self._admission = app, admission

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update({**_HEADERS, "Content-Security-Policy": live.policy()})
            await send(message)

        await (self._admission.refusal(Request(scope)) or self._app)(scope, receive, send_guarded)


async def _events(
    version: Callable[[], Hashable], view: Callable[[], View], has: str, ending: Callable[[], bool]
) -> AsyncIterator[str]:
    """What is new to a browser that has `has`, then what gets new."""
    seen: Hashable = object()
    said = 0.0
    while not ending():
        begun = time.monotonic()
        try:
            now = await run_in_threadpool(version)
            shown = await run_in_threadpool(view) if now != seen else None
        except (UsageError, StoreError) as error:
            yield _event("trouble", str(error))
            return
        if shown is not None:
            seen = now
            if live.outdated(shown, has):
                yield _event("outdated")
                return
            news = live.news(shown, has)
            if news is not None:
                has, said = live.digests(shown), begun
                yield _event("parts", news, has)
        if begun - said > _IDLE_S:
            said = begun
            yield ": nothing new\n\n"
        await asyncio.sleep(max(_LOOK_S, time.monotonic() - begun))  # half of one processor at most


def _event(name: str, data: str = "", id_: str = "") -> str:
    return f"event: {name}\nid: {id_}\ndata: {' '.join(data.splitlines())}\n\n"


def _id(request: Request) -> str:
    return str(request.path_params["id"])


def _two(request: Request) -> tuple[str, str]:
    chosen = request.query_params.getlist("run")
    if len(chosen) != 2:
        raise UsageError(f"Two runs can be compared; {len(chosen)} were chosen.")
    return chosen[0], chosen[1]


async def _not_found(request: Request, error: Exception) -> Response:
    return PlainTextResponse(f"{error}\n", 404)


async def _unreadable(request: Request, error: Exception) -> Response:
    return PlainTextResponse(f"{error}\n", 503)
