"""Where do runner processes come from?

A zygote imports torch and TileLang once, touches no GPU, and forks: each request of the verifier gets a keeper, and
the keeper a runner. The keeper holds the other end of a leash. When the verifier lets go of it (or dies), or the
runner ends, the keeper kills every process that came from the runner, tells how the runner ended and the last of
what it printed, and exits.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import struct
import sys
import tempfile
from typing import Any

from tilewright.worker import sandbox

READY = b"R"
ENDING = struct.Struct("<iI")
"""What a keeper sends last: the runner's wait status and the length of the output that follows."""
_TAIL = 4096


def main() -> None:
    sandbox.adopt_orphans()
    control = socket.socket(fileno=int(sys.argv[1]))
    # Imported here and not above: the verifier reads this module's constants and needs no TileLang.
    import gc

    import tilelang  # noqa: F401
    import torch

    from tilewright.worker import runner, wire

    torch.set_grad_enabled(False)
    gc.collect()
    gc.freeze()  # a collection in a child would copy every page that it looks at
    control.sendall(READY)
    wakeup = _notice_children()
    keepers: set[int] = set()
    while True:
        ready, _, _ = select.select([control, wakeup], [], [])
        if wakeup in ready:
            _reap(wakeup, keepers)
        if control in ready:
            try:
                order, descriptors = wire.receive_with_descriptors(control)
            except wire.Closed:
                break
            pid = os.fork()
            if pid == 0:
                control.close()
                _keep(order, descriptors, runner.run)
            keepers.add(pid)
            for descriptor in descriptors:
                os.close(descriptor)
    sandbox.sweep()


def _reap(wakeup: socket.socket, keepers: set[int]) -> None:
    """Keepers that ended; where one was killed, what it kept is now ours to end."""
    with contextlib.suppress(BlockingIOError):
        wakeup.recv(4096)
    for keeper in list(keepers):
        with contextlib.suppress(ChildProcessError):
            if os.waitpid(keeper, os.WNOHANG) == (0, 0):
                continue
        keepers.discard(keeper)
    sandbox.sweep(keep=keepers)


def _keep(order: dict[str, Any], descriptors: list[int], run: Any) -> None:
    """The life of a keeper; never returns. It outlives a killed zygote: its leash tells it when to end."""
    sandbox.adopt_orphans()
    wakeup = _notice_children()
    line, leash = (socket.socket(fileno=descriptor) for descriptor in descriptors)
    output, printed = os.pipe()
    pid = os.fork()
    if pid == 0:
        leash.close()
        os.close(output)
        _become_runner(order, line, printed, run)
    line.close()
    os.close(printed)
    tail, status = _watch(pid, leash, output, wakeup)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)
    sandbox.sweep()
    with contextlib.suppress(OSError):
        leash.sendall(ENDING.pack(status, len(tail)) + tail)
    os._exit(0)


def _watch(pid: int, leash: socket.socket, output: int, wakeup: socket.socket) -> tuple[bytes, int]:
    """Drain the runner's output until it ends or the leash is let go; the last of the output, the wait status."""
    os.set_blocking(output, False)
    tail, sources = b"", [leash.fileno(), output, wakeup.fileno()]
    while True:
        ready, _, _ = select.select(sources, [], [])
        if output in ready:
            chunk = _drained(output)
            tail = (tail + chunk)[-_TAIL:]
            if not chunk:
                sources.remove(output)
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            break
        if leash.fileno() in ready:  # nothing is ever sent on it: this is its end
            os.kill(pid, signal.SIGKILL)
            _, status = os.waitpid(pid, 0)
            break
        if wakeup.fileno() in ready:
            wakeup.recv(4096)
    return (tail + _drained(output))[-_TAIL:], status


def _drained(descriptor: int) -> bytes:
    """What can be read at once, at most 64 KiB; nothing also at the end of the stream."""
    try:
        return os.read(descriptor, 1 << 16)
    except BlockingIOError:
        return b""


def _become_runner(order: dict[str, Any], line: socket.socket, printed: int, run: Any) -> None:
    """Lock the process in and run the candidate; never returns."""
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGCHLD, signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    sandbox.die_with_parent()
    os.setsid()
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(printed, 1)
    os.dup2(printed, 2)
    for descriptor in (nothing, printed):
        os.close(descriptor)
    os.environ.clear()
    os.environ.update(order["environment"])
    tempfile.tempdir = None  # was settled before the environment was
    os.chdir(order["work"])
    sandbox.limit_resources(order["cpu_s"])
    sys.argv = ["runner"]
    status = 1
    try:
        run(line)
        status = 0
    finally:  # whatever a candidate raises past the runner must not unwind into the zygote's code
        with contextlib.suppress(BaseException):
            sys.stdout.flush()
        os._exit(status)


def _notice_children() -> socket.socket:
    """A socket that becomes readable when a child ends."""
    reader, writer = socket.socketpair()
    reader.setblocking(False)
    writer.setblocking(False)
    signal.signal(signal.SIGCHLD, lambda number, frame: None)
    signal.set_wakeup_fd(writer.detach(), warn_on_full_buffer=False)
    return reader


if __name__ == "__main__":
    main()
