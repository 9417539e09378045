"""Who works on a run is told apart from whoever has its process id now, here or on another machine."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys

import pytest

from tilewright import owner

HOST = socket.gethostname()
SLEEPING = [sys.executable, "-c", "input()"]


def test_this_process_is_alive_and_named_briefly() -> None:
    assert owner.alive(owner.me()) and owner.me() == owner.me()
    assert owner.process_of(owner.me()) == f"{os.getpid()}@{HOST}"


def test_a_process_that_was_given_the_id_of_another_is_not_that_one() -> None:
    mine, _, birth = owner.me().partition(" ")
    boot, _, start = birth.partition(":")
    assert not owner.alive(f"{mine} {boot}:{int(start) - 1}"), "another process of this boot"
    assert not owner.alive(f"{mine} 00000000-0000-0000-0000-000000000000:{start}"), "a machine of the same name"


def test_a_process_on_a_host_of_another_name_is_taken_to_run() -> None:
    assert owner.alive("1@elsewhere") and owner.alive("1@elsewhere boot:7")


def test_owners_of_older_stores_are_looked_for_by_their_id() -> None:
    with subprocess.Popen(SLEEPING, stdin=subprocess.PIPE) as process:
        assert owner.alive(f"{process.pid}@{HOST}")
    assert not owner.alive(f"{process.pid}@{HOST}")


@pytest.mark.skipif(sys.platform == "win32", reason="processes that ended are gone there")
def test_a_killed_process_that_nobody_asked_after_does_not_run() -> None:
    with subprocess.Popen(SLEEPING, stdin=subprocess.PIPE) as process:
        was = f"{process.pid}@{HOST} {owner.birth_of(process.pid)}"
        assert owner.alive(was)
        os.kill(process.pid, signal.SIGKILL)
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert not owner.alive(was)


@pytest.mark.skipif(sys.platform == "win32", reason="there is no ps")
def test_without_a_boot_id_a_process_is_known_by_the_time_of_its_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(owner, "_BOOT", owner._BOOT.with_name("none"))
    assert owner.birth_of(2**22 + 1) is None
    birth = owner.birth_of(os.getpid())
    assert birth and " " not in birth
    assert not owner.alive(f"{os.getpid()}@{HOST} {birth}, but before")
