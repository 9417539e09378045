"""Candidates are compiled by a machine elsewhere, as worker processes here would."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable

import pytest

from tilewright.channel import Host
from tilewright.errors import NoMachine, WorkerError
from tilewright.evaluators.elsewhere import HostElsewhere
from tilewright.evaluators.remote import Lost


class Machines:
    """A slot whose machines answer as `say` does, which is told how many were opened."""

    def __init__(self, say: Callable[[int], str], refused: str = "") -> None:
        self.say, self.refused = say, refused
        self.opened = 0
        self.asked: list[dict[str, object]] = []
        self.closed = threading.Event()

    def open(self) -> None:
        if self.refused:
            raise WorkerError(self.refused)
        self.opened += 1

    def ask(self, batch: str, patience_s: float) -> str:
        assert patience_s > 7
        self.asked.append(json.loads(batch))
        return self.say(self.opened)

    def close(self) -> None:
        self.closed.set()


def lost_with(machines: int) -> Callable[[int], str]:
    def say(opened: int) -> str:
        if opened <= machines:
            raise Lost("preempted")
        return json.dumps({"answer": {"machine": opened}})

    return say


def test_it_is_a_host_and_opens_one_machine_for_all_that_is_asked() -> None:
    machines = Machines(lost_with(0))
    host: Host = HostElsewhere(machines, jobs=3)
    answers = [host.call("inspect", {"number": number}, 7.0) for number in range(6)]
    assert [answer.result(10) for answer in answers] == [{"machine": 1}] * 6
    assert machines.opened == 1
    assert {"op": "inspect", "payload": {"number": 5}, "deadline_s": 7.0} in machines.asked
    host.close()
    assert machines.closed.is_set()
    with pytest.raises(WorkerError, match="closed"):
        host.call("inspect", {}, 7.0)


def test_what_a_machine_loses_is_asked_once_more_of_another_one() -> None:
    machines = Machines(lost_with(1))
    host = HostElsewhere(machines, jobs=1)
    assert host.call("inspect", {}, 7.0).result(10) == {"machine": 2}
    host.close()
    host = HostElsewhere(Machines(lost_with(2)), jobs=1)
    with pytest.raises(Lost, match="preempted"):
        host.call("inspect", {}, 7.0).result(10)
    host.close()


def test_what_the_machine_s_own_host_failed_at_is_no_answer() -> None:
    host = HostElsewhere(Machines(lambda opened: json.dumps({"error": "the worker process ended"})), jobs=1)
    with pytest.raises(WorkerError, match="ended"):
        host.call("inspect", {}, 7.0).result(10)
    host.close()


def test_where_no_machine_can_be_had_the_run_is_to_stop() -> None:
    host = HostElsewhere(Machines(lost_with(0), refused="no place in the cluster"), jobs=1)
    with pytest.raises(NoMachine, match="no place"):
        host.call("inspect", {}, 7.0).result(10)
    host.close()
