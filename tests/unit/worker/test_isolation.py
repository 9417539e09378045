"""What a candidate's process can't do on each rung, and what it still must be able to."""

from __future__ import annotations

import ast
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from toys import processes_in

if sys.platform != "linux":
    pytest.skip("Linux alone runs candidates", allow_module_level=True)

from tilewright.records import CompileFailed, Crashed
from tilewright.worker.isolation import lockdown, rungs, sandbox
from tilewright.worker.processes.nursery import Deadline, Ended, Nursery

if lockdown.landlock_abi() < 1:
    pytest.skip("the kernel has no Landlock", allow_module_level=True)

MEMORY_BYTES = 2 * 10**9


@pytest.fixture(scope="module", params=["R1", "R3"])
def nursery(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nursery]:
    """The rung that any kernel with Landlock gives, and the highest there is."""
    made = Nursery(tmp_path_factory.mktemp("scratch"), most_rung=request.param, memory_bytes=MEMORY_BYTES)
    yield made
    made.close()


def outcome(nursery: Nursery, source: str) -> CompileFailed | Crashed:
    """What becomes of a candidate whose module is this source; it may not come to its end."""
    deadline = Deadline(60)
    request = {
        "op": "load", "source": source, "support": [], "form": "module", "entry_point": "ModelNew",
        "precision": "fp32", "device": "cpu", "interpret": 0, "threads": 1, "overrides": [],
    }  # fmt: skip
    with nursery.runner("candidate", deadline) as runner, pytest.raises(Ended) as ended:
        runner.ask(request, deadline)
    assert isinstance(ended.value.failure, (CompileFailed, Crashed)), ended.value.failure
    return ended.value.failure


def said(nursery: Nursery, body: str) -> object:
    """The value of `answer` after that body; `refused(f, *args)` is whether the call was not permitted."""
    source = f"""
import ctypes, os, socket, subprocess, sys
libc = ctypes.CDLL(None, use_errno=True)

def refused(call, *arguments):
    ctypes.set_errno(0)
    try:
        call(*arguments)
    except PermissionError:
        return True
    return ctypes.get_errno() in (1, 13)

{body}
raise RuntimeError("<<" + repr(answer) + ">>")
"""
    message = outcome(nursery, source).message
    assert "<<" in message, message
    return ast.literal_eval(message.partition("<<")[2].partition(">>")[0])


def test_a_candidate_writes_nowhere_but_in_its_own_folders(nursery: Nursery, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.write_text("kept")
    places = [
        str(kept),
        str(tmp_path / "new"),
        str(Path(sandbox.__file__)),
        "/etc/passwd",
        "/proc/sys/kernel/hostname",
    ]
    body = f"""
answer = [refused(open, place, "a") for place in {places}] + [refused(os.unlink, {str(kept)!r})]
open("own", "w").write("own")
open(os.path.join(os.environ["TMPDIR"], "own"), "w").write("own")
open("/dev/null", "w").write("own")
"""
    assert said(nursery, body) == [True] * 6
    assert kept.read_text() == "kept"


def test_what_a_candidate_leaves_in_shared_memory_is_gone_or_was_refused(nursery: Nursery) -> None:
    said(nursery, "answer = refused(open, '/dev/shm/left', 'w')")
    assert not Path("/dev/shm/left").exists()
    assert said(nursery, "answer = os.path.exists('/dev/shm/left')") is False


def test_a_candidate_reaches_no_network_and_no_service_of_the_machine(nursery: Nursery) -> None:
    kinds = "socket.AF_INET, socket.AF_INET6, socket.AF_UNIX, socket.AF_NETLINK"
    assert said(nursery, f"answer = [refused(socket.socket, kind) for kind in ({kinds})]") == [True] * 4
    # two connected ends, as the runner's own line is one, are harmless
    assert said(nursery, "a, b = socket.socketpair(); a.send(b'x'); answer = b.recv(1)") == b"x"


def test_the_memory_and_the_keys_of_the_verifier_are_out_of_reach_of_root_too(tmp_path: Path) -> None:
    body = f"""
def out_of_reach(name):
    try:
        open(f"/proc/{os.getpid()}/{{name}}", "rb").read(1)
    except OSError:
        return True
    return False

answer = [out_of_reach(name) for name in ("mem", "environ", "maps", "auxv")]
"""
    nursery = Nursery(tmp_path, most_rung="R2")  # on the next rung the process isn't even seen
    try:
        assert said(nursery, body) == [True] * 4
    finally:
        nursery.close()


@pytest.mark.parametrize(
    "call",
    [
        "refused(libc.ptrace, 16, {me}, 0, 0)",
        "refused(libc.process_vm_readv, {me}, None, 0, None, 0, 0)",
        "refused(libc.mount, b'none', b'/mnt', b'tmpfs', 0, None)",
        "refused(libc.unshare, 0x10000000)",
        "refused(libc.syscall, 425, 8, None)",  # io_uring_setup
        "refused(libc.syscall, 438, 0, 0, 0)",  # pidfd_getfd
        "refused(libc.adjtimex, ctypes.create_string_buffer(512))",
        "refused(libc.shmget, 0, 4096, 0o1600)",
    ],
)
def test_a_candidate_is_refused_system_calls_that_no_kernel_needs(nursery: Nursery, call: str) -> None:
    assert said(nursery, "answer = " + call.format(me=os.getpid())) is True


def test_a_program_of_the_candidate_gets_no_privileges_back(nursery: Nursery) -> None:
    status = said(nursery, "answer = subprocess.run(['cat', '/proc/self/status'], capture_output=True).stdout")
    assert isinstance(status, bytes)
    fields = dict(line.split(":\t", 1) for line in status.decode().splitlines() if ":\t" in line)
    assert fields["NoNewPrivs"] == "1" and fields["Seccomp"] == "2"
    if nursery.rung >= "R2":
        assert {int(fields[name], 16) for name in ("CapPrm", "CapEff", "CapInh", "CapAmb")} == {0}


@pytest.mark.skipif(lockdown.landlock_abi() < 6, reason="this kernel's Landlock leaves signals alone")
def test_a_candidate_can_signal_neither_the_verifier_nor_its_keeper(nursery: Nursery) -> None:
    body = f"""
def unharmed(pid):
    try:
        os.kill(pid, {int(signal.SIGCONT)})
    except OSError:
        return True
    return False

answer = [unharmed({os.getpid()}), unharmed(os.getppid())]
"""
    assert said(nursery, body) == [True, True]


def test_a_candidate_still_computes_starts_threads_and_names_them(nursery: Nursery) -> None:
    body = """
import threading, torch
torch.set_num_threads(2)
a = torch.randn(256, 256).half()
answer = [bool((a @ a).isfinite().all())]

def named():
    path = f"/proc/self/task/{threading.get_native_id()}/comm"
    with open(path, "w") as file:
        file.write("named")
    answer.append(open(path).read().strip())

thread = threading.Thread(target=named)
thread.start()
thread.join()
memory = os.memfd_create("memory")
answer.append(os.write(memory, b"12"))
"""
    assert said(nursery, body) == [True, "named", 2]


@pytest.mark.skipif(not shutil.which("c++"), reason="no C++ compiler")
def test_a_candidate_still_compiles(nursery: Nursery) -> None:
    body = """
open("one.cpp", "w").write("#include <vector>\\nextern \\"C\\" int one() { return std::vector<int>(1).size(); }")
subprocess.run(["c++", "-shared", "-fPIC", "-o", "one.so", "one.cpp"], check=True)
answer = ctypes.CDLL("./one.so").one()
"""
    assert said(nursery, body) == 1


@pytest.mark.skipif(not shutil.which("nvcc"), reason="no nvcc")
def test_a_candidate_still_compiles_for_a_gpu(nursery: Nursery) -> None:
    body = """
open("one.cu", "w").write("__global__ void one(int *x) { *x = 1; }")
subprocess.run(["nvcc", "-cubin", "-arch=sm_90", "-o", "one.cubin", "one.cu"], check=True)
answer = os.path.getsize("one.cubin") > 0
"""
    assert said(nursery, body) is True


def test_a_daemon_ends_with_its_candidate(nursery: Nursery) -> None:
    body = """
import time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        open("daemon", "w").write("lives")
        time.sleep(60)
    os._exit(0)
while not os.path.exists("daemon"): time.sleep(0.01)
answer = os.getcwd()
"""
    folder = said(nursery, body)
    assert isinstance(folder, str)
    assert not processes_in(folder)
    assert not Path(folder).exists()


def test_a_candidate_that_starts_too_many_processes_is_ended_with_all_of_them(nursery: Nursery) -> None:
    source = """
import os, time
print(os.getcwd(), flush=True)
while True:
    os.posix_spawn("/bin/sleep", ["sleep", "60"], {})
"""
    failure = outcome(nursery, source)
    assert "started more than 128 processes" in failure.message
    assert not processes_in(failure.message.rpartition("last printed: ")[2])


def test_a_candidate_that_takes_too_much_memory_is_told_how_much(nursery: Nursery) -> None:
    source = "import torch, time\nx = [torch.ones(10**7) for _ in range(75)]\ntime.sleep(30)"
    assert "used more than 2 GB of memory" in outcome(nursery, source).message


def test_memory_shared_with_children_is_counted_once(nursery: Nursery) -> None:
    body = """
import time
children = []
for _ in range(12):
    pid = os.fork()
    if pid == 0:
        time.sleep(30)
    children.append(pid)
time.sleep(1)
answer = len(children)
"""
    assert said(nursery, body) == 12


def test_the_rung_says_what_it_gives_and_what_was_not_to_be_had(nursery: Nursery) -> None:
    text = rungs.note(nursery.isolation)
    assert text.startswith(f"isolation {nursery.rung}: own process") and "Landlock" in text
    assert "not more: R3: no" in rungs.note(sandbox.Isolation("R2", shortfall="R3: no"))


def test_no_rung_higher_than_asked_for_is_taken() -> None:
    program = (
        "from tilewright.worker.isolation import rungs, sandbox\n"
        "sandbox.adopt_orphans(); print(rungs.reached('R0').rung)"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(sandbox.__file__).parents[3])}
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment)
    assert run.stdout.strip() == "R0", run.stderr
