"""Compiling and executing at the same time, over a host that answers when it is told to."""

import dataclasses
import threading
from concurrent.futures import Future
from typing import Any

from tilewright import jsonform
from tilewright.gates.compile import CompileGate
from tilewright.gates.semantic import SemanticGate
from tilewright.hardware import load_gpu
from tilewright.protocols import Verdict
from tilewright.records import Candidate, CompileFailed, Evidence, Execution, Mismatch, Problem, Wrong
from tilewright.search.gating import through

FIRST, SECOND = Candidate("first"), Candidate("second")
PROBLEM = Problem("p", "reference")
WRONG = Wrong(Mismatch("wrong values"))


@dataclasses.dataclass
class Waiting:
    """A host whose answers are given by the test."""

    jobs: int = 2
    asked: list[tuple[str, str, Future[dict[str, Any]]]] = dataclasses.field(default_factory=list)
    more: threading.Condition = dataclasses.field(default_factory=threading.Condition)

    def call(self, op: str, payload: dict[str, Any], deadline_s: float) -> Future[dict[str, Any]]:
        future: Future[dict[str, Any]] = Future()
        with self.more:
            self.asked.append((op, payload["candidate"]["source"], future))
            self.more.notify_all()
        return future

    def close(self) -> None: ...

    def answer(self, op: str, source: str = "first", failure: Any = None) -> None:
        """The next time that it is asked this, or now where it was."""

        def waiting() -> list[Future[dict[str, Any]]]:
            return [f for asked, whose, f in self.asked if (asked, whose) == (op, source) and not f.done()]

        with self.more:
            assert self.more.wait_for(waiting, timeout=10)
            (future,) = waiting()
        found = Evidence(execution=Execution(4, 4) if op == "execute" else None)
        future.set_result({"evidence": jsonform.to_plain(found), "failure": jsonform.to_plain(failure)})

    def wait_for(self, count: int) -> list[tuple[str, str]]:
        """What was asked, as soon as it is so much."""
        with self.more:
            assert self.more.wait_for(lambda: len(self.asked) >= count, timeout=10)
            return [asked[:2] for asked in self.asked]


def gates(host: Waiting) -> list[Any]:
    semantic = SemanticGate(host)
    return [CompileGate(host, load_gpu("H100"), meanwhile=semantic.begin), semantic]


def going(some: list[Any], candidate: Candidate) -> Future[Verdict]:
    """The candidate's way through the gates, in a thread."""
    verdict: Future[Verdict] = Future()
    threading.Thread(target=lambda: verdict.set_result(through(some, candidate, PROBLEM)), daemon=True).start()
    return verdict


def test_a_candidate_is_executed_once_while_it_is_compiled():
    host = Waiting()
    verdict = going(gates(host), FIRST)
    assert host.wait_for(2) == [("inspect", "first"), ("execute", "first")]
    host.answer("execute")
    host.answer("inspect")
    found = verdict.result(10)
    assert found.failure is None and found.evidence.execution == Execution(4, 4)
    assert len(host.asked) == 2


def test_what_does_not_compile_is_told_so_at_once_whatever_its_execution_would_say():
    host = Waiting()
    verdict = going(gates(host), FIRST)
    host.wait_for(2)
    host.answer("inspect", failure=CompileFailed("no"))
    assert verdict.result(10).failure == CompileFailed("no")


def test_the_compiler_comes_first_where_both_say_no():
    host = Waiting()
    verdict = going(gates(host), FIRST)
    host.wait_for(2)
    host.answer("execute", failure=WRONG)
    host.answer("inspect", failure=CompileFailed("no"))
    assert verdict.result(10).failure == CompileFailed("no")


def test_where_several_are_compiled_only_the_first_is_executed_meanwhile():
    host = Waiting()
    some = gates(host)
    first = going(some, FIRST)
    host.wait_for(2)
    second = going(some, SECOND)
    assert host.wait_for(3)[2] == ("inspect", "second")
    host.answer("inspect", "second")
    host.answer("execute", "second", failure=WRONG)
    assert second.result(10).failure == WRONG
    host.answer("execute")
    host.answer("inspect")
    assert first.result(10).failure is None


def test_an_execution_that_was_begun_answers_one_check():
    host = Waiting()
    some = gates(host)
    for count in (2, 4):
        verdict = going(some, FIRST)
        assert len(host.wait_for(count)) == count
        host.answer("execute")
        host.answer("inspect")
        assert verdict.result(10).failure is None


def test_with_one_place_to_work_at_nothing_is_begun_early():
    host = Waiting(jobs=1)
    verdict = going(gates(host), FIRST)
    host.answer("inspect")
    assert host.wait_for(2) == [("inspect", "first"), ("execute", "first")]
    host.answer("execute")
    assert verdict.result(10).failure is None
