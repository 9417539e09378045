"""A server on this machine that speaks OpenAI's protocol and says what a test tells it to."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Reply:
    """One answer. `status` other than 200 is an error whose message is `text`; `raw` is sent as it is."""

    text: str = ""
    status: int = 200
    finish: str = "stop"
    tokens_in: int | None = 1000
    tokens_out: int | None = 500
    code: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    raw: bytes | None = None
    hangs_up: bool = False
    after_s: float = 0.0


Answering = Callable[[dict[str, Any]], Reply]
"""From the body of a request."""


@dataclass
class Server:
    """`requests` are the bodies that came, `headers` what came with each."""

    url: str
    answering: Answering
    requests: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def next_reply(self, body: dict[str, Any], headers: dict[str, str]) -> Reply:
        with self.lock:
            self.requests.append(body)
            self.headers.append(headers)
            return self.answering(body)


@contextmanager
def serving(*replies: Reply | Answering) -> Iterator[Server]:
    """Answers requests with `replies` one after another, the last one ever after; a function is asked for its own.

    When the block ends nobody listens at the address any more.
    """
    server = Server("", _following(replies))
    http = _Http(("127.0.0.1", 0), type("Handler", (_Handler,), {"script": server}))
    server.url = f"http://127.0.0.1:{http.server_address[1]}/v1"
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        http.shutdown()
        thread.join()
        http.server_close()


def _following(replies: Sequence[Reply | Answering]) -> Answering:
    left = list(replies)

    def following(body: dict[str, Any]) -> Reply:
        reply = left.pop(0) if len(left) > 1 else left[0]
        return reply if isinstance(reply, Reply) else reply(body)

    return following


class _Http(ThreadingHTTPServer):
    request_queue_size = 64


class _Handler(BaseHTTPRequestHandler):
    script: Server
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None: ...

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        reply = self.script.next_reply(body, {name.lower(): value for name, value in self.headers.items()})
        self.close_connection = True
        time.sleep(reply.after_s)
        if reply.hangs_up:
            return
        if body.get("stream") and reply.status == 200:
            self._send(reply, _streamed(reply, body["model"]), "text/event-stream")
        else:
            data = reply.raw if reply.raw is not None else json.dumps(_plain(reply, body["model"])).encode()
            self._send(reply, data, "application/json")

    def _send(self, reply: Reply, data: bytes, kind: str) -> None:
        self.send_response(reply.status)
        for name, value in {
            "content-type": kind,
            "content-length": str(len(data)),
            "connection": "close",
            **reply.headers,
        }.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)


def _plain(reply: Reply, model: str) -> dict[str, Any]:
    if reply.status != 200:
        return {"error": {"message": reply.text, "type": "error", "code": reply.code}}
    choice = {"index": 0, "message": {"role": "assistant", "content": reply.text}, "finish_reason": reply.finish}
    answer = {"id": "1", "object": "chat.completion", "created": 1, "model": model, "choices": [choice]}
    return answer | ({"usage": _usage(reply)} if reply.tokens_in is not None else {})


def _streamed(reply: Reply, model: str) -> bytes:
    def event(delta: dict[str, str], finish: str | None, **more: Any) -> bytes:
        choices = [{"index": 0, "delta": delta, "finish_reason": finish}]
        chunk = {"id": "1", "object": "chat.completion.chunk", "model": model, "choices": choices, **more}
        return f"data: {json.dumps(chunk)}\n\n".encode()

    pieces = [reply.text[at : at + 7] for at in range(0, len(reply.text), 7)]
    usage = {"usage": _usage(reply)} if reply.tokens_in is not None else {}
    return (
        b"".join([event({"content": p}, None) for p in pieces])
        + event({}, reply.finish, **usage)
        + b"data: [DONE]\n\n"
    )


def _usage(reply: Reply) -> dict[str, int]:
    tokens_in, tokens_out = reply.tokens_in or 0, reply.tokens_out or 0
    return {"prompt_tokens": tokens_in, "completion_tokens": tokens_out, "total_tokens": tokens_in + tokens_out}
