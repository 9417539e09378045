"""Where do runner processes come from?

A zygote imports torch and TileLang once, touches no GPU, and forks: each request of the verifier gets a keeper, and
the keeper a runner. The keeper holds the other end of a leash. When the verifier lets go of it (or dies), or the
runner ends, the keeper kills every process that came from the runner, tells how the runner ended and the last of
what it printed, and exits.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import select
import shutil
import signal
import socket
import struct
import sys
import tempfile
import time
from collections.abc import Collection
from typing import Any

from tilewright.worker.isolation import rungs, sandbox
from tilewright.worker.isolation.descendants import Watch
from tilewright.worker.isolation.sandbox import Isolation

READY = b"R"
_TAIL = 4096
_FIRST = -19
_LOOK_S = 0.25
"""How often a keeper looks at what its runner has grown to."""


def main() -> None:
    sandbox.adopt_orphans()
    control = socket.socket(fileno=int(sys.argv[1]))
    isolation = rungs.reached(sys.argv[3])
    told = json.dumps(dataclasses.asdict(isolation)).encode()
    control.sendall(struct.pack("<I", len(told)) + told)  # a frame of `wire`, which imports torch
    sandbox.prepare(isolation)
    # Imported here and not above: the verifier reads this module's constants and needs no TileLang.
    import gc

    import tilelang  # noqa: F401
    import torch
    import torch._dynamo  # 1 to 2 s, which every runner that counts operations or profiles would need

    from tilewright.worker.exchange import wire
    from tilewright.worker.running import runner, warming

    torch.set_grad_enabled(False)
    warming.warm_up()
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
            try:
                pid = sandbox.fork_apart(isolation)
            except OSError as error:
                os.write(descriptors[1], json.dumps({"failure": str(error)}).encode())
            else:
                if pid == 0:
                    control.close()
                    _keep(order, descriptors, isolation, runner.run)
                keepers.add(pid)
            for descriptor in descriptors:
                os.close(descriptor)
    sandbox.sweep()
    shutil.rmtree(sys.argv[2], ignore_errors=True)  # a host that was killed has not done it


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


def _keep(order: dict[str, Any], descriptors: list[int], isolation: Isolation, run: Any) -> None:
    """The life of a keeper; never returns. It outlives a killed zygote: its leash tells it when to end.

    What it sends last is JSON: `failure` (why there was no runner), `excess` (why it was ended), its wait `status`
    and what it `printed`.
    """
    line, leash = (socket.socket(fileno=descriptor) for descriptor in descriptors)
    try:
        ending = _kept(order, line, leash, isolation, run)
    except OSError as error:
        ending = {"failure": str(error)}
    with contextlib.suppress(OSError):
        leash.sendall(json.dumps(ending).encode())
    os._exit(0)


def _kept(
    order: dict[str, Any], line: socket.socket, leash: socket.socket, isolation: Isolation, run: Any
) -> dict[str, Any]:
    """Run a runner and all that comes from it; how that ended."""
    sandbox.settle(isolation)
    sandbox.adopt_orphans()
    wakeup = _notice_children()
    watch = Watch(order["memory_bytes"])
    usual = _put_before_others()
    output, printed = os.pipe()
    told, tell = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.setpriority(os.PRIO_PROCESS, 0, usual)
        leash.close()
        _become_runner(order, line, printed, tell, isolation, run)
    line.close()
    os.close(printed)
    os.close(tell)
    tail, status, excess = _watch(pid, leash, output, wakeup, watch, isolation.own_pids)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)
    sandbox.sweep(as_init=isolation.own_pids)
    return {
        "failure": os.read(told, _TAIL).decode(errors="replace"),
        "excess": excess,
        "status": status,
        "printed": tail.decode(errors="replace"),
    }


def _put_before_others() -> int:
    """Whoever watches must get its turn among hundreds of processes that it is to end. The priority until now."""
    usual = os.getpriority(os.PRIO_PROCESS, 0)
    with contextlib.suppress(PermissionError):  # only root may; others share the CPU by sessions, mostly
        os.setpriority(os.PRIO_PROCESS, 0, _FIRST)
    return usual


def _watch(
    pid: int, leash: socket.socket, output: int, wakeup: socket.socket, watch: Watch, as_init: bool
) -> tuple[bytes, int, str]:
    """Drain the runner's output until it ends, grows too large or the leash is let go.

    The last of the output, the wait status, and what was too much.
    """
    os.set_blocking(output, False)
    tail, sources, excess = b"", [leash.fileno(), output, wakeup.fileno()], ""
    next_look = time.monotonic() + _LOOK_S
    while True:
        ready, _, _ = select.select(sources, [], [], _LOOK_S)
        if output in ready:
            chunk = _drained(output)
            tail = (tail + chunk)[-_TAIL:]
            if not chunk:
                sources.remove(output)
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            break
        if time.monotonic() > next_look:
            excess = watch.excess()
            next_look = time.monotonic() + _LOOK_S
        if excess or leash.fileno() in ready:  # nothing is ever sent on the leash: this is its end
            sandbox.kill_all(pid, as_init)
            _, status = os.waitpid(pid, 0)
            break
        if wakeup.fileno() in ready:
            wakeup.recv(4096)
    return (tail + _drained(output))[-_TAIL:], status, excess


def _drained(descriptor: int) -> bytes:
    """What can be read at once, at most 64 KiB; nothing also at the end of the stream."""
    try:
        return os.read(descriptor, 1 << 16)
    except BlockingIOError:
        return b""


def _become_runner(
    order: dict[str, Any], line: socket.socket, printed: int, tell: int, isolation: Isolation, run: Any
) -> None:
    """Lock the process in and run the candidate; never returns. What goes wrong before is written to `tell`."""
    status = 1
    try:
        try:
            _enclose(order, line.fileno(), printed, tell, isolation)
        except OSError as error:
            os.write(tell, str(error).encode())
            raise
        os.close(tell)
        run(line)
        status = 0
    finally:  # whatever a candidate raises past the runner must not unwind into the zygote's code
        with contextlib.suppress(BaseException):
            sys.stdout.flush()
        os._exit(status)


def _enclose(order: dict[str, Any], line: int, printed: int, tell: int, isolation: Isolation) -> None:
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGCHLD, signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    sandbox.die_with_parent()
    os.setsid()
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(printed, 1)
    os.dup2(printed, 2)
    _close_lines(but=(line, tell))
    os.environ.clear()
    os.environ.update(order["environment"])
    tempfile.tempdir = None  # was settled before the environment was
    os.chdir(order["work"])
    sandbox.limit_resources(order["cpu_s"])
    sys.argv = ["runner"]
    sandbox.lock_in(isolation, order["writable"])


def _close_lines(but: Collection[int]) -> None:
    """Ends of sockets and pipes that the zygote and the keeper hold; what libraries have opened is left to them."""
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):  # the one that read the folder
            kind = os.readlink(f"/proc/self/fd/{name}").partition(":")[0]
            if kind in ("socket", "pipe") and int(name) > 2 and int(name) not in but:
                os.close(int(name))


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
