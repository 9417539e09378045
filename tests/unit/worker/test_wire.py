"""Frames between the verifier and what it judges."""

import json
import socket
import struct
import time

import pytest
import torch

from tilewright.worker.exchange import wire
from tilewright.worker.exchange.tray import Slot, Tray, laid_out


@pytest.fixture
def pair():  # type: ignore[no-untyped-def]
    ours, theirs = socket.socketpair()
    yield ours, theirs
    ours.close()
    theirs.close()


def soon() -> float:
    return time.monotonic() + 5


def test_a_frame_arrives_as_it_was_sent(pair) -> None:  # type: ignore[no-untyped-def]
    wire.send(pair[0], {"op": "call", "slots": [[1, 2], "float16", 0]})
    assert wire.receive(pair[1], soon()) == {"op": "call", "slots": [[1, 2], "float16", 0]}


@pytest.mark.parametrize(
    "data",
    [
        struct.pack("<I", 1 << 30),
        struct.pack("<I", 4) + b"\xff\xfe{]",
        struct.pack("<I", 2) + b"[]",
        struct.pack("<I", 60000) + b"[" * 60000,
    ],
)
def test_what_is_no_frame_is_refused_before_it_is_kept(pair, data: bytes) -> None:  # type: ignore[no-untyped-def]
    pair[0].sendall(data)
    with pytest.raises(wire.BadFrame):
        wire.receive(pair[1], soon())


def test_a_frame_that_does_not_end_is_late(pair) -> None:  # type: ignore[no-untyped-def]
    pair[0].sendall(struct.pack("<I", 10) + b"{")
    with pytest.raises(wire.Late):
        wire.receive(pair[1], time.monotonic() + 0.05)


def test_fields_are_of_exactly_their_type() -> None:
    header = {"count": True, "ms": [1.0, float("nan")], "long": [0.5] * 10}
    with pytest.raises(wire.BadFrame):
        wire.field(header, "count", int)
    with pytest.raises(wire.BadFrame):
        wire.numbers(header, "long", float, 9)
    assert len(wire.numbers(header, "ms", float, 2)) == 2


def test_a_candidates_text_is_bounded_and_printable() -> None:
    assert wire.printable("\x1b[31mred\x1b[0m\x07 ok") == "red\N{REPLACEMENT CHARACTER} ok"
    assert len(wire.printable("x" * 100000)) == wire.MAX_TEXT


@pytest.mark.parametrize("value", [3, 2.5, "same", None, True, [1, [2]], (3, 3), {"a": (1, 2)}, torch.float16])
def test_constructor_arguments_survive_the_way(value: object) -> None:
    assert wire.decode(json.loads(json.dumps(wire.encode(value)))) == value


def test_a_tensor_argument_survives_the_way() -> None:
    value = torch.randn(3, 4, dtype=torch.bfloat16)
    assert torch.equal(wire.decode(json.loads(json.dumps(wire.encode(value)))), value)


def test_an_argument_that_is_code_is_refused() -> None:
    with pytest.raises(TypeError):
        wire.encode(lambda: None)


@pytest.mark.parametrize("name", ["nothing", "nn", "__class__", "float16; import os"])
def test_a_dtype_is_a_dtype(name: str) -> None:
    with pytest.raises(wire.BadFrame):
        wire.dtype_named(name)


def test_tensors_in_a_tray_are_read_as_they_were_written() -> None:
    tensors = [torch.randn(5, 7).half(), torch.tensor(3, dtype=torch.int64), torch.empty(0, 2), torch.ones(3).bool()]
    slots, size = laid_out([(tensor.shape, tensor.dtype) for tensor in tensors])
    tray = Tray.create(size)
    for slot, tensor in zip(slots, tensors):
        tray.write(Slot.from_plain(slot.plain()), tensor)
    assert all(torch.equal(tray.read(slot), tensor) for slot, tensor in zip(slots, tensors))
    tray.close()


def test_a_tray_cannot_be_cut_off_under_its_readers_hands() -> None:
    import os

    tray = Tray.create(1 << 16)
    with pytest.raises(PermissionError):
        os.ftruncate(tray.descriptor, 0)
    tray.close()
