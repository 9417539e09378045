"""Kernels are compiled before it is their turn: once, into the cache of their own candidate."""

import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from toys import PROBLEM, candidate

from tilewright.kernelfile import load_kernel
from tilewright.problems import problem_for
from tilewright.records import Candidate, Reason, Rejected
from tilewright.toolchain.programs import find_nvcc
from tilewright.worker.compiling import Compiler
from tilewright.worker.processes.nursery import Deadline, Ended, Nursery

KERNEL = load_kernel("1_20")


class Counting:
    """Runners that answer, or fail, when they may."""

    def __init__(self, fails: bool = False) -> None:
        self.fails = fails
        self.may_answer = threading.Event()
        self.asked: list[str] = []

    def runner(self, name: str, deadline: Deadline, on_device: bool) -> Any:
        assert not on_device, "the GPU is somebody else's meanwhile"
        return self

    def __enter__(self) -> Any:
        return SimpleNamespace(ask=self._ask)

    def __exit__(self, *exc: object) -> None: ...

    def _ask(self, request: dict[str, Any], deadline: Deadline, limit: int) -> None:
        self.asked.append(request["op"])
        assert self.may_answer.wait(5)
        if self.fails:
            raise Ended(Rejected("compile", (Reason("no", "no"),)))


def ahead(compiler: Compiler, what: Candidate, gpu: str = "H100") -> threading.Thread:
    thread = threading.Thread(target=compiler.ahead, args=(what, problem_for(KERNEL), gpu, 60.0))
    thread.start()
    return thread


@pytest.mark.parametrize("fails", [False, True])
def test_whoever_comes_second_waits_for_the_first_and_compiles_nothing(fails: bool) -> None:
    runners = Counting(fails)
    compiler = Compiler(runners)  # type: ignore[arg-type]
    both = [ahead(compiler, KERNEL.candidate) for _ in range(2)]
    both[1].join(0.1)
    assert all(thread.is_alive() for thread in both)
    runners.may_answer.set()
    for thread in both:
        thread.join(5)
    assert runners.asked == ["inspect"] and not any(thread.is_alive() for thread in both)


def test_what_was_compiled_otherwise_holds_no_kernel_or_is_for_no_known_gpu_is_left() -> None:
    runners = Counting()
    compiler = Compiler(runners)  # type: ignore[arg-type]
    compiler.has_compiled(KERNEL.candidate)
    compiler.ahead(KERNEL.candidate, PROBLEM, "H100", 60.0)
    compiler.ahead(candidate("return y"), PROBLEM, "H100", 60.0)
    compiler.ahead(Candidate(f"{KERNEL.candidate.source}\n# another"), PROBLEM, "no such GPU", 60.0)
    assert runners.asked == []


@pytest.fixture
def nursery(tmp_path: Path) -> Iterator[Nursery]:
    made = Nursery(tmp_path)
    yield made
    made.close()


@pytest.mark.skipif(find_nvcc() is None, reason="nvcc is not installed")
def test_what_is_made_lies_in_the_cache_of_that_candidate(nursery: Nursery, tmp_path: Path) -> None:
    Compiler(nursery).ahead(KERNEL.candidate, problem_for(KERNEL), "H100", 60.0)
    assert list(tmp_path.glob(f"caches/{KERNEL.candidate.id}/**/*.cubin"))
    assert [path.name for path in tmp_path.glob("caches/*")] == [KERNEL.candidate.id]
