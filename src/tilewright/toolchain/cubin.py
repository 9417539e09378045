"""Where in constant memory does a compiled kernel find its parameters?

Reads the sections `.nv.info.<kernel>` of a cubin, an ELF file of 64 bits. They hold attributes: two bytes of format
and number, two bytes of length, and the payload, where the format has one. `cuobjdump -elf` prints them by name."""

from __future__ import annotations

import struct
from collections.abc import Iterator

_INFO = ".nv.info."
_WITH_PAYLOAD = 0x04  # EIFMT_SVAL; the other formats hold a number of two bytes in place of the length
_PARAMETER = 0x17  # EIATTR_KPARAM_INFO: index, ordinal and offset (32, 16 and 16 bits), then sizes
_BANK = 0x0A  # EIATTR_PARAM_CBANK: a symbol (32 bits), where the parameters start, how long they are (16 bits each)


def parameter_places(cubin: bytes) -> dict[str, tuple[int, ...]]:
    """Byte offsets of each kernel's parameters in constant bank 0, in the order of its signature. A kernel whose
    binary does not say is not there."""
    found = {}
    for name, section in _sections(cubin):
        if name.startswith(_INFO):
            places = _places(section)
            if places:
                found[name.removeprefix(_INFO)] = places
    return found


def _sections(elf: bytes) -> Iterator[tuple[str, bytes]]:
    table, size, count, names_at = (*struct.unpack_from("<Q", elf, 0x28), *struct.unpack_from("<3H", elf, 0x3A))
    headers = [struct.unpack_from("<II4Q", elf, table + i * size) for i in range(count)]
    names = headers[names_at][4]
    for name, _, _, _, offset, length in headers:
        start = names + name
        yield elf[start : elf.index(b"\0", start)].decode(), elf[offset : offset + length]


def _places(info: bytes) -> tuple[int, ...]:
    offsets, start, at = dict[int, int](), None, 0
    while at + 4 <= len(info):
        form, attribute, length = struct.unpack_from("<BBH", info, at)
        at += 4
        if form != _WITH_PAYLOAD:
            continue
        if attribute == _PARAMETER:
            _, ordinal, offset = struct.unpack_from("<IHH", info, at)
            offsets[ordinal] = offset
        elif attribute == _BANK:
            (start,) = struct.unpack_from("<4xH", info, at)
        at += length
    if start is None or sorted(offsets) != list(range(len(offsets))):
        return ()
    return tuple(start + offsets[ordinal] for ordinal in range(len(offsets)))
