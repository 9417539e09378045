"""How do the verifier and the processes it judges speak?

A frame is four bytes of length (little endian) and that many bytes of JSON: an object of strings, numbers, lists.
Tensors travel beside it as raw bytes in shared memory (`tray`), whose file descriptors go with a frame from the
verifier; descriptors that come from a runner are dropped by the kernel. What a runner sends is
bounded before it is read and checked field by field; it decides nothing but what the bytes are said to be.
"""

from __future__ import annotations

import base64
import json
import re
import select
import socket
import struct
import time
from collections.abc import Sequence
from typing import Any, TypeVar

import torch

Header = dict[str, Any]
T = TypeVar("T")

MAX_HEADER = 1 << 16
"""Bytes that a runner's frame may have, where nothing larger was asked for."""
MAX_TEXT = 4096
"""Characters of a candidate's text that are kept, to be shown."""

_LENGTH = struct.Struct("<I")


class Closed(Exception):
    """The other end is gone."""


class Late(Exception):
    """The deadline passed before a whole frame had arrived."""


class BadFrame(Exception):
    """The frame is none that the protocol knows."""


def send(sock: socket.socket, header: Header, descriptors: Sequence[int] = ()) -> None:
    data = json.dumps(header).encode()
    length = _LENGTH.pack(len(data))
    try:
        if descriptors:
            socket.send_fds(sock, [length], list(descriptors))
            sock.sendall(data)
        else:
            sock.sendall(length + data)
    except (BrokenPipeError, ConnectionResetError, OSError) as error:
        raise Closed(str(error)) from error


def receive(sock: socket.socket, deadline: float, limit: int = MAX_HEADER) -> Header:
    """The next frame; `deadline` is a reading of `time.monotonic`. Raises `Closed`, `Late` or `BadFrame`."""
    (length,) = _LENGTH.unpack(_exactly(sock, _LENGTH.size, deadline))
    if length > limit:
        raise BadFrame(f"a frame of {length} bytes")
    return _parsed(_exactly(sock, length, deadline))


def receive_with_descriptors(sock: socket.socket, most: int = 4) -> tuple[Header, list[int]]:
    """The next frame and the descriptors that came with it; for the runner, who trusts the verifier."""
    data, descriptors, _, _ = socket.recv_fds(sock, _LENGTH.size, most)
    if not data:
        raise Closed("end of stream")
    data += _exactly(sock, _LENGTH.size - len(data), None)
    (length,) = _LENGTH.unpack(data)
    return _parsed(_exactly(sock, length, None)), list(descriptors)


def field(header: Header, name: str, kind: type[T]) -> T:
    """The member of that name, of exactly that type."""
    value = header.get(name)
    if type(value) is not kind:
        raise BadFrame(f"{name} is no {kind.__name__}")
    return value


def numbers(header: Header, name: str, kind: type[T], most: int) -> list[T]:
    """The member of that name: a list of at most `most` numbers of that type."""
    values = field(header, name, list)
    if len(values) > most or any(type(value) is not kind for value in values):
        raise BadFrame(f"{name} is no list of at most {most} {kind.__name__}")
    return values


def printable(text: object, most: int = MAX_TEXT) -> str:
    """Text of a candidate, fit to be shown: bounded, without control characters or terminal sequences."""
    clean = re.sub(r"\x1b\[[0-9;?]*[ -/]*[@-~]", "", str(text)[: 4 * most])
    clean = "".join(c if c.isprintable() or c == "\n" else "\N{REPLACEMENT CHARACTER}" for c in clean).strip()
    return clean if len(clean) <= most else clean[: most - 1] + "…"


def encode(value: object) -> Any:
    """A constructor's argument as JSON: numbers, strings, None, lists, tuples, dicts, tensors."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, list):
        return [encode(item) for item in value]
    if isinstance(value, tuple):
        return {"tuple": [encode(item) for item in value]}
    if isinstance(value, dict):
        return {"dict": [[encode(key), encode(item)] for key, item in value.items()]}
    if isinstance(value, torch.dtype):
        return {"dtype": dtype_name(value)}
    if isinstance(value, torch.Tensor):
        flat = value.detach().cpu().contiguous()
        raw = bytes(flat.reshape(-1).view(torch.uint8).numpy()) if flat.numel() else b""
        return {
            "tensor": base64.b64encode(raw).decode(), "dtype": dtype_name(flat.dtype), "shape": list(flat.shape),
        }  # fmt: skip
    raise TypeError(f"an argument of type {type(value).__name__} can't be handed to a candidate")


def decode(plain: Any) -> Any:
    """The inverse of `encode`."""
    if isinstance(plain, list):
        return [decode(item) for item in plain]
    if not isinstance(plain, dict):
        return plain
    if "tuple" in plain:
        return tuple(decode(item) for item in plain["tuple"])
    if "dict" in plain:
        return {decode(key): decode(item) for key, item in plain["dict"]}
    if "tensor" in plain:
        raw, dtype = bytearray(base64.b64decode(plain["tensor"])), dtype_named(plain["dtype"])
        flat = torch.frombuffer(raw, dtype=dtype) if raw else torch.empty(0, dtype=dtype)
        return flat.clone().reshape(plain["shape"])
    return dtype_named(plain["dtype"])


def dtype_name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def dtype_named(name: str) -> torch.dtype:
    """Raises `BadFrame` for what is no dtype of torch."""
    dtype = getattr(torch, name, None) if name.isidentifier() else None
    if not isinstance(dtype, torch.dtype):
        raise BadFrame(f"no dtype {name[:40]!r}")
    return dtype


def _exactly(sock: socket.socket, count: int, deadline: float | None) -> bytes:
    data = bytearray()
    while len(data) < count:
        if deadline is not None:
            # A poll of its own, since a timeout set on the socket would also bound what is sent.
            poll = select.poll()
            poll.register(sock, select.POLLIN)
            if not poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
                raise Late
        try:
            chunk = sock.recv(min(count - len(data), 1 << 20))
        except ConnectionResetError as error:
            raise Closed(str(error)) from error
        if not chunk:
            raise Closed("end of stream")
        data += chunk
    return bytes(data)


def _parsed(data: bytes) -> Header:
    try:
        header = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise BadFrame("a frame that is no JSON") from error
    if not isinstance(header, dict):
        raise BadFrame("a frame that is no object")
    return header
