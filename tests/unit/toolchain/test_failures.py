"""What a broken candidate is told: a sentence, a line, and what to change."""

import pytest
from counted_kernels import matmul
from sample_candidates import KERNEL_LINE, PROBLEM, candidate

from tilewright.hardware import load_gpu
from tilewright.protocols import Failure
from tilewright.records import CompileFailed, Crashed, Problem, TimedOut, Unscorable
from tilewright.toolchain.compile import Request, compile_kernels
from tilewright.toolchain.facts import gather
from tilewright.toolchain.failures import failure_of_compilation
from tilewright.toolchain.programs import find_nvcc


def failure_of(*changes: tuple[str, str]) -> Failure | None:
    return gather(candidate(*changes), PROBLEM, "H100", deadline_s=60)[1]


BODY = "                Y[row, j] = X[row, j] * factor"
LOOP = "            for j in T.Parallel(columns):\n" + BODY


CASES = [
    (BODY.replace("X[row, j]", "Z[row, j]"), "the name Z is not defined", 14, "Define Z"),
    (BODY.replace("factor", "T.expp(factor)"), "T.expp does not exist", 14, "migrate"),
    (BODY.replace("X[row, j]", "X[row, j, 0]"), "X has 2 dimensions (64, 128) and is indexed with 3", 14, "with 2"),
    (BODY.replace("Y[row, j]", "Y[row]"), "Y has 2 dimensions and is indexed with 1", 14, "Index Y with 2"),
    (
        BODY.replace("Y[row, j] = X[row, j] * factor", "T.copy(T.alloc_shared((4, 4), dtype), Y)"),
        "T.copy between two",
        14,
        "tile",
    ),
    (BODY.replace("X[row, j]", "float(X[row, j])"), "a Python function (float, int, math.*)", 14, "T.cast"),
    (BODY.replace("X[row, j]", "max(X[row, j], 0)"), "a Python condition", 14, "T.max"),
    (BODY.replace("X[row, j]", "T.alloc_local((1,))[0]"), "alloc_local is called without 'dtype'", 14, "a dtype"),
    (
        "\n            for k in T.Pipelined(4, stages=2):\n                pass",
        "Pipelined has no argument stages",
        10,
        "num_stages",
    ),
    ("\n            return Y", "a prim_func returns one of its parameters", 14, "out_idx"),
    (
        """
            s = T.float32(0)
            for j in T.serial(4):
                s = s + T.float32(1)
            Y[row, 0] = s
        """,
        "the Python variable s is assigned again inside a loop",
        17,
        "T.alloc_var",
    ),
    (
        """
            for i in T.Parallel(2):
                for k in T.serial(2):
                    for j in T.Parallel(8):
                        Y[row, j] = X[row, i * k]
        """,
        "a T.Parallel stands inside another T.Parallel",
        KERNEL_LINE,
        "one T.Parallel",
    ),
    (
        """
            a = T.alloc_shared((64, 64), dtype)
            b = T.alloc_shared((64, 64), "float32")
            c = T.alloc_fragment((64, 64), "float32")
            T.gemm(a, b, c)
            T.copy(c, Y[0, 0])
        """,
        "operands of different types: A is float16, B is float32",
        KERNEL_LINE,
        "same dtype",
    ),
    (
        """
            a = T.alloc_shared((64, 64), dtype)
            b = T.alloc_shared((32, 64), dtype)
            c = T.alloc_fragment((64, 64), "float32")
            T.gemm(a, b, c)
        """,
        "the tiles of T.gemm disagree about K: K_A = 64, K_B = 32",
        17,
        "block_K",
    ),
    (
        """
            a = T.alloc_fragment((64, 64), "float32")
            b = T.alloc_fragment((64,), "float32")
            c = T.alloc_fragment((64,), "float32")
            T.clear(a)
            for i in T.Parallel(64):
                b[i] = a[i, 0]
            for i in T.Parallel(64):
                c[i] = b[i] + a[0, i]
            T.copy(a, Y[0, 0])
        """,
        "no layout that fits every use of a fragment",
        KERNEL_LINE,
        "shared memory",
    ),
    (
        """
            a = T.alloc_shared((256, 64), dtype)
            b = T.alloc_shared((64, 64), dtype)
            c = T.alloc_fragment((256, 64), "float32")
            sums = T.alloc_fragment((64,), "float32")
            T.clear(c)
            T.gemm(a, b, c)
            T.reduce_sum(c, sums, dim=0)
            T.copy(sums, Y[0, 0])
        """,
        "a reduction along this dimension of a T.gemm accumulator",
        KERNEL_LINE,
        "dim=1",
    ),
    (
        """
            a = T.alloc_shared((64, 64), dtype)
            b = T.alloc_shared((64, 8), dtype)
            c = T.alloc_fragment((64, 8), "float32")
            T.clear(c)
            T.gemm(a, b, c)
            T.copy(c, Y[0, 0])
        """,
        "too narrow for warpgroup instructions",
        KERNEL_LINE,
        "16 or more",
    ),
    (
        """
            a = T.alloc_shared((64, 64), dtype)
            c = T.alloc_fragment((64, 64), "float32")
            T.clear(c)
            for k in T.Pipelined(2, num_stages=2):
                T.copy(X[0, k * 64], a)
                T.gemm(a, a, c)
            if row > 0:
                for k in T.Pipelined(2, num_stages=2):
                    T.copy(X[0, k * 64], a)
                    T.gemm(a, a, c)
            T.copy(c, Y[0, 0])
        """,
        "two pipelined loops copy into the same shared tile",
        KERNEL_LINE,
        "tl.disable_warp_specialized",
    ),
]


@pytest.mark.parametrize(("body", "message", "line", "action"), CASES)
def test_what_tilelang_refuses_becomes_a_sentence_a_line_and_an_action(body, message, line, action):
    failure = failure_of((LOOP if body.startswith("\n") else BODY, body))
    assert isinstance(failure, CompileFailed)
    assert message in failure.message
    assert failure.line == line
    assert action in failure.action
    assert len(failure.message) < 400 and "\n" not in failure.message


def test_text_that_is_no_python_says_where():
    failure = failure_of(("    def forward(self, x):", "    def forward(self, x:"))
    assert isinstance(failure, CompileFailed)
    assert failure.message.startswith("no Python") and failure.line is not None


def test_a_call_that_the_launcher_would_refuse_is_a_crash_with_its_line():
    failure = failure_of(("return self.kernels[y.shape](y)", "return self.kernels[y.shape](y.float())"))
    assert isinstance(failure, Crashed)
    assert "parameter X expects float16, got torch.float32" in failure.message
    assert failure.message.startswith("line 30:")


def test_an_error_in_the_modules_own_code_is_a_crash():
    failure = failure_of(("y = self.linear(x)", "y = self.missing(x)"))
    assert isinstance(failure, Crashed)
    assert "line 27: calling it raised AttributeError" in failure.message


def test_an_error_while_the_module_is_imported_has_its_line():
    failure = failure_of(("class ModelNew", "LIMIT = int('x')\nclass ModelNew"))
    assert isinstance(failure, Crashed)
    assert failure.message.startswith("line 19: importing it raised ValueError")


def test_a_module_that_exits_is_a_crash():
    assert isinstance(failure_of(("y = self.linear(x)", "raise SystemExit(3)")), Crashed)


@pytest.mark.skipif(find_nvcc() is None, reason="nvcc is not installed")
def test_a_compilation_without_end_is_a_timeout_and_no_compile_error():
    (error,) = compile_kernels([Request(matmul(640, 640, 640), [-1])], load_gpu("H100"), timeout_s=1)
    assert isinstance(error, Exception)
    failure = failure_of_compilation(error, "matmul_kernel", 7, 1)
    assert isinstance(failure, TimedOut)
    assert "nvcc did not finish matmul_kernel in 1 s" in failure.message


def test_a_reference_that_fails_is_the_problems_fault():
    broken = Problem("broken", PROBLEM.source.replace("torch.randn(rows, columns)", "torch.randn(rowz, columns)"))
    failure = gather(candidate(), broken, "H100", deadline_s=60)[1]
    assert isinstance(failure, Unscorable)
    assert "NameError" in failure.message
