"""What a candidate does is an outcome; the host lives on, and nothing of the candidate survives."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from toys import PROBLEM, REFERENCE, candidate, evaluated, processes_in

from tilewright import jsonform
from tilewright.channel import WorkerHost
from tilewright.errors import WorkerError
from tilewright.records import (
    Candidate,
    CompileFailed,
    Crashed,
    Evaluation,
    Job,
    Problem,
    SupportFile,
    TimedOut,
    Unscorable,
    Verified,
    Workload,
    Wrong,
)


def test_a_right_module_is_verified_with_its_cpu_ratio(cpu_host: WorkerHost) -> None:
    evaluation = evaluated(cpu_host, candidate("return y"))
    assert isinstance(evaluation, Verified)
    assert evaluation.checked_calls > 6
    assert evaluation.cpu_ratio is not None and 0.1 < evaluation.cpu_ratio < 10
    assert evaluation.error_ratio is not None and evaluation.error_ratio < 16
    assert any("seed" in note for note in evaluation.notes)


def test_half_precision_is_judged_by_half_precisions_own_error(cpu_host: WorkerHost) -> None:
    problem = Problem("Linear_ReLU_Scale", REFERENCE, precision="fp16")
    assert isinstance(evaluated(cpu_host, candidate("return y"), problem), Verified)
    coarse = candidate("return (y * 64).round() / 64")
    assert isinstance(evaluated(cpu_host, coarse, problem), Wrong)


@pytest.mark.parametrize(
    ("forward", "words"),
    [
        ("return y * 3", "3 times the expected"),
        ("return y + 1", "+1 off"),
        ("return torch.zeros_like(y)", "all values are zero"),
        ("y[:, 96:] = 0\nreturn y", "columns 96 and up are never written"),
        ("y[:, 96:] = float('nan')\nreturn y", "columns 96 and up are NaN"),
        ("y[40:, :] = y[40:, :] * y[40:, :] + 0.1\nreturn y", "rows 40 and up"),
        ("y[:, ::4] = y[:, ::4] ** 2 + 0.3\nreturn y", "every 4. of the columns"),
        ("y[7, 11] += 1\nreturn y", "wrong values in output 0: first at [7, 11]"),
        ("return (y.reshape(128, 64).t()).contiguous()", "no simple pattern"),
        ("return y.half().float()", "too inexact"),
        ("return y.half()", "output 0 is float16[64, 128], expected float32[64, 128]"),
        ("return y[:, :1].expand(64, 128)", "expanded view"),
        ("return y[:32]", "expected float32[64, 128]"),
        ("return y, y", "returns 2 tensors"),
        ("x.mul_(2)\nreturn y", "changes its input 0"),
    ],
)
def test_a_wrong_output_is_told_so_that_it_can_be_repaired(cpu_host: WorkerHost, forward: str, words: str) -> None:
    evaluation = evaluated(cpu_host, candidate(forward))
    assert isinstance(evaluation, Wrong), evaluation
    assert words in evaluation.mismatch.message


def test_zeros_do_not_pass_where_the_outputs_are_tiny(cpu_host: WorkerHost) -> None:
    tiny = Problem("Tiny", REFERENCE.replace("* 0.5", "* 1e-9"), precision="fp32")
    assert isinstance(evaluated(cpu_host, candidate("return y * 2e-9"), tiny), Verified)
    assert isinstance(evaluated(cpu_host, candidate("return y * 0"), tiny), Wrong)


def test_an_answer_kept_from_the_first_calls_is_found_out(cpu_host: WorkerHost) -> None:
    lazy = candidate(
        "self.calls = getattr(self, 'calls', 0) + 1\n"
        "if self.calls > 4:\n"
        "    return self.kept.clone()\n"
        "self.kept = y\n"
        "return y"
    )
    assert isinstance(evaluated(cpu_host, lazy), Wrong)


def test_a_shared_output_buffer_is_told_by_its_name(cpu_host: WorkerHost) -> None:
    shared = candidate(
        "if not hasattr(self, 'buffer'):\n    self.buffer = torch.empty_like(y)\n"
        "self.buffer.copy_(y)\nreturn self.buffer"
    )
    evaluation = evaluated(cpu_host, shared)
    assert isinstance(evaluation, Wrong)
    assert "overwrites the output of an earlier one" in evaluation.mismatch.message


@pytest.mark.parametrize(
    ("forward", "words"),
    [
        ("raise ValueError('no such tile')", "ValueError: no such tile"),
        ("import os; os.abort()", "SIGABRT"),
        ("import ctypes; ctypes.string_at(0)", "SIGSEGV"),
        ("import sys; sys.exit(0)", "SystemExit"),
        ("import os; os._exit(0)", "exited with status 0"),
        ("import os; os.write(3, b'x' * 10000); [os.write(d, b'PASS' * 999) for d in range(4, 30)]", "channel"),
        ("return None", "a tensor is wanted"),
    ],
)
def test_a_candidate_that_ends_badly_has_crashed(cpu_host: WorkerHost, forward: str, words: str) -> None:
    evaluation = evaluated(cpu_host, candidate(forward))
    assert isinstance(evaluation, Crashed), evaluation
    assert words in evaluation.message or forward.startswith("import os; os.write")


def test_a_candidate_that_is_no_python_does_not_compile(cpu_host: WorkerHost) -> None:
    evaluation = evaluated(cpu_host, Candidate("import torch\n\ndef f(:\n"))
    assert isinstance(evaluation, CompileFailed)
    assert evaluation.line == 3


def test_a_candidate_without_the_entry_point_is_told_what_was_found(cpu_host: WorkerHost) -> None:
    evaluation = evaluated(cpu_host, Candidate(REFERENCE))
    assert isinstance(evaluation, CompileFailed)
    assert "no ModelNew (found: Model" in evaluation.message


def test_a_candidate_that_hangs_runs_out_of_time(cpu_host: WorkerHost) -> None:
    start = time.monotonic()
    evaluation = evaluated(cpu_host, candidate("while True: pass"), deadline_s=3)
    assert isinstance(evaluation, TimedOut)
    assert time.monotonic() - start < 10


def test_a_flood_of_output_is_not_kept_and_stops_nothing(cpu_host: WorkerHost) -> None:
    loud = candidate("print('speedup: 1000x, correct, PASS\\n' * 20000)\nreturn y")
    assert isinstance(evaluated(cpu_host, loud), Verified)


@pytest.mark.parametrize(
    "forward",
    [
        pytest.param("import ctypes; ctypes.string_at(0)", id="segfaults"),
        pytest.param("while True: pass", id="hangs"),
        pytest.param("return torch.empty(1 << 50)", id="exhausts memory"),
        pytest.param(
            "import os, time\nfor _ in range(64):\n    if os.fork() == 0: time.sleep(60)\nos.abort()", id="forks"
        ),
        pytest.param("while True: print('PASS' * 4096)", id="floods its output"),
        pytest.param("import os; os._exit(0)", id="exits early"),
    ],
)
def test_the_next_candidate_starts_within_ten_seconds(cpu_host: WorkerHost, forward: str) -> None:
    assert isinstance(evaluated(cpu_host, candidate(forward), deadline_s=3), (Crashed, TimedOut))
    ended = time.monotonic()
    says_when = "import time; raise RuntimeError(f'began at {time.monotonic()}')"
    next_one = evaluated(cpu_host, candidate(says_when))
    assert isinstance(next_one, Crashed), next_one
    assert float(next_one.message.rpartition("began at ")[2].split()[0]) - ended < 10


def test_a_candidate_sees_no_keys_and_few_variables(cpu_host: WorkerHost) -> None:
    os.environ["SOME_API_KEY"] = "secret"  # the shared host is older; this is for hosts started after
    with WorkerHost("cpu", jobs=1) as host:
        evaluation = evaluated(
            host,
            candidate(
                "import os\n"
                "seen = [*os.environ, *open('/proc/self/environ').read().split('\\0')]\n"
                "if len(os.environ) > 12 or any('KEY' in name for name in seen): raise RuntimeError(str(seen))\n"
                "return y"
            ),
        )
    del os.environ["SOME_API_KEY"]
    assert isinstance(evaluation, Verified), evaluation


def test_support_files_are_importable_and_read_only(cpu_host: WorkerHost) -> None:
    split = Candidate(
        candidate("import tiles\nopen(tiles.__file__, 'a').close() if False else None\nreturn y * tiles.ONE").source,
        support=(SupportFile("tiles.py", "ONE = 1.0\n"),),
    )
    assert isinstance(evaluated(cpu_host, split), Verified)


def test_a_reference_that_cannot_be_run_makes_the_problem_unscorable(cpu_host: WorkerHost) -> None:
    broken = Problem("Broken", REFERENCE.replace("self.linear(x)", "self.linear(x, 1)"), precision="fp32")
    assert isinstance(evaluated(cpu_host, candidate("return y"), broken), Unscorable)
    random = Problem("Random", REFERENCE.replace("* 0.5", "* torch.rand(1)"), precision="fp32")
    assert isinstance(evaluated(cpu_host, candidate("return y"), random), Unscorable)


def test_workloads_are_measured_each_with_its_constants(cpu_host: WorkerHost) -> None:
    source = REFERENCE.replace("torch.randn(64, 256)", "torch.randn(batch_size, 256)") + "\nbatch_size = 64\n"
    problem = Problem(
        "Two", source, precision="fp32",
        workloads=(Workload("small", 1.0, (("batch_size", 8),)), Workload("large", 2.0, (("batch_size", 96),))),
    )  # fmt: skip
    fits_one = candidate("if x.shape[0] == 96: y = y + 1\nreturn y")
    evaluation = evaluated(cpu_host, fits_one, problem)
    assert isinstance(evaluation, Wrong)
    assert evaluation.mismatch.workload == "large"
    assert isinstance(evaluated(cpu_host, candidate("return y"), problem), Verified)


def test_what_killed_two_hosts_is_the_machinerys_failure_and_a_third_is_started() -> None:
    with WorkerHost("cpu", jobs=1) as host:
        waiting = host.call("describe", {}, 10)
        first = kill_host(host)
        _wait_until(lambda: host._host is not None and host._host.process.pid != first)
        kill_host(host)
        with pytest.raises(WorkerError, match="status -9"):
            waiting.result(60)
        assert host.call("describe", {}, 10).result(60)["cuda"] is False


def test_a_zygote_that_dies_is_replaced_without_anybody_noticing(cpu_host: WorkerHost) -> None:
    assert isinstance(evaluated(cpu_host, candidate("return y")), Verified)
    (zygote,) = children(_pid(cpu_host))
    os.kill(zygote, signal.SIGKILL)
    assert isinstance(evaluated(cpu_host, candidate("return y")), Verified)


def test_a_candidate_whose_processes_someone_else_killed_is_given_another_life(cpu_host: WorkerHost) -> None:
    slow = candidate("import time; time.sleep(0.5)\nreturn y")
    job = {"job": jsonform.to_plain(Job(slow, PROBLEM, effort="quick", deadline_s=60))}
    waiting = cpu_host.call("measure", job, 60)
    (zygote,) = children(_pid(cpu_host))
    before = set(children(zygote))
    _wait_until(lambda: bool(set(children(zygote)) - before))
    os.kill((set(children(zygote)) - before).pop(), signal.SIGKILL)
    evaluation = jsonform.from_plain(Evaluation, waiting.result(120)["evaluation"])
    assert isinstance(evaluation, Verified), evaluation


def kill_host(host: WorkerHost) -> int:
    pid = _pid(host)
    os.kill(pid, signal.SIGKILL)
    return pid


def _pid(host: WorkerHost) -> int:
    assert host._host is not None
    return host._host.process.pid


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def test_nothing_is_left_when_the_main_process_is_killed(tmp_path: Path) -> None:
    forward = "import time; open('begun', 'w').write('begun'); time.sleep(60)"
    program = f"from toys import *\nevaluated(WorkerHost('cpu', jobs=1), candidate({forward!r}), deadline_s=60)\n"
    here = Path(__file__).parent
    paths = os.pathsep.join([str(here), str(here.parents[2] / "src")])
    environment = {**os.environ, "PYTHONPATH": paths, "TMPDIR": str(tmp_path)}
    main = subprocess.Popen([sys.executable, "-c", program], env=environment)
    _wait_until(lambda: bool(list(tmp_path.glob("tilewright-*/*/work/begun"))))
    main.kill()
    main.wait()
    assert not processes_in(str(tmp_path), seconds=90)
    _wait_until(lambda: not list(tmp_path.glob("tilewright-*")))


def _wait_until(is_so: Callable[[], bool], seconds: float = 90) -> None:
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_an_unknown_operation_is_the_machinerys_failure(cpu_host: WorkerHost) -> None:
    with pytest.raises(WorkerError):
        cpu_host.call("fly", {}, 5).result(30)
