"""The static gate rejects what shows the intent to tamper, and lets honest kernels through."""

from __future__ import annotations

from pathlib import Path

import pytest

from tilewright.gates.static import StaticGate
from tilewright.protocols import Gate, Verdict
from tilewright.records import Candidate, Evidence, Problem, Reason, Rejected, SupportFile

PROBLEM = Problem("p", "class Model: pass")
CORPUS = Path(__file__).parents[3] / "src" / "prompts" / "correct_tilelang"

HONEST = '''"""A kernel as people write them."""
import functools
import math
import os
import sys
import typing
from dataclasses import dataclass

import torch
import torch.nn as nn
import torch.nn.functional as F

try:
    import tilelang
    import tilelang.language as T
except ImportError:
    tilelang = None

DEBUG = os.environ.get("KERNEL_DEBUG", "0") == "1" or os.environ["HOME"] == ""
TUNABLES = {"block": (64, 128)}
_plans: dict = {}


@dataclass
class Plan:
    block: int = 128


@functools.lru_cache(maxsize=None)
def build(n, block=128):
    @tilelang.jit(out_idx=[-1])
    def scale(X: T.Tensor((n,), "float16"), Y: T.Tensor((n,), "float16")):
        with T.Kernel(T.ceildiv(n, block), threads=block) as bx:
            for i in T.Parallel(block):
                Y[bx * block + i] = X[bx * block + i] * math.pi

    return scale


class ModelNew(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))
        self.plan = Plan()
        self.plan.block = 64
        self.weight.data = torch.zeros(1)
        setattr(self, "cache", {})
        torch.manual_seed(0)

    def forward(self, x):
        key = tuple(x.shape)
        if key not in _plans:
            _plans[key] = build(x.numel())
        x.record_stream if False else None
        compiled = tilelang.compile
        return _plans[key](x.contiguous().view(-1)).view(x.shape)
'''
KERNEL = """
import tilelang
import tilelang.language as T
import torch
import torch.nn as nn

@tilelang.jit
def k(X: T.Tensor((8,), "float16")):
    with T.Kernel(1) as b:
        X[0] = X[1]

class ModelNew(nn.Module):
    def forward(self, x):
        return k(x)
"""


def check(source: str, **more: object) -> Verdict:
    return StaticGate().check(Candidate(source, **more), PROBLEM, Evidence())  # type: ignore[arg-type]


def reasons(source: str, **more: object) -> list[Reason]:
    failure = check(source, **more).failure
    if failure is None:
        return []
    assert isinstance(failure, Rejected) and failure.gate == "static"
    return list(failure.reasons)


def warnings(source: str) -> list[str]:
    verdict = check(source)
    assert verdict.failure is None
    return [warning.rule for warning in verdict.evidence.warnings]


def test_it_follows_the_gate_protocol() -> None:
    assert isinstance(StaticGate(), Gate)


def test_an_honest_kernel_passes_without_a_warning() -> None:
    assert reasons(HONEST) == [] and warnings(HONEST) == []


@pytest.mark.parametrize("path", sorted(CORPUS.rglob("*.py")), ids=lambda path: path.name)
def test_a_shipped_kernel_passes_without_a_warning(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    assert reasons(source) == [] and warnings(source) == []


@pytest.mark.parametrize(
    "module",
    [
        *("gc", "inspect", "ctypes", "socket", "threading", "multiprocessing", "subprocess", "signal", "pickle"),
        *("marshal", "importlib", "builtins", "base64", "concurrent.futures", "urllib.request", "shutil", "atexit"),
        *("torch.utils.cpp_extension", "torch.multiprocessing"),
    ],
)
def test_an_import_that_no_kernel_needs_is_rejected(module: str) -> None:
    (reason, *_) = reasons(f"{KERNEL}\nimport {module}\n")
    assert reason.rule == "forbidden-import" and module in reason.message
    assert reason.line == KERNEL.count("\n") + 2 and reason.action


@pytest.mark.parametrize(
    "line",
    [
        "from torch.utils import cpp_extension",
        "from os import system",
        "from sys import _getframe",
        "import gc as harmless",
        "def late():\n    from threading import Thread",
    ],
)
def test_an_import_is_found_in_any_form(line: str) -> None:
    assert [r.rule for r in reasons(f"{KERNEL}\n{line}\n")] == ["forbidden-import"]


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        ("exec('x = 1')", "forbidden-call"),
        ("eval('1')", "forbidden-call"),
        ("compile('1', '', 'eval')", "forbidden-call"),
        ("__import__('gc')", "forbidden-call"),
        ("open('/tmp/x', 'w')", "forbidden-call"),
        ("import os; os.system('true')", "forbidden-call"),
        ("import os; os._exit(0)", "forbidden-call"),
        ("import os; os.kill(1, 9)", "forbidden-call"),
        ("import os; getattr(os, 'system')('true')", "forbidden-call"),
        ("import sys; sys._getframe(1)", "forbidden-call"),
        ("import sys; sys.modules['torch'] = None", "forbidden-call"),
        ("torch.load('x')", "forbidden-call"),
        ("torch.cuda.cudart()", "forbidden-call"),
        ("import types\ntypes.FunctionType", "forbidden-call"),
        ("torch.utils.cpp_extension.load_inline('x', '')", "forbidden-call"),
        ("k.__globals__['x'] = 1", "interpreter"),
        ("getattr(k, '__code__')", "interpreter"),
        ("try:\n    1 / 0\nexcept ZeroDivisionError as e:\n    e.__traceback__", "interpreter"),
        ("__builtins__['print'] = None", "interpreter"),
        ("object.__subclasses__()", "interpreter"),
    ],
)
def test_reaching_out_of_the_kernel_is_rejected(line: str, rule: str) -> None:
    assert rule in [r.rule for r in reasons(f"{KERNEL}\n{line}\n")]


@pytest.mark.parametrize(
    "line",
    [
        "torch.allclose = lambda *a, **k: True",
        "torch.cuda.Event.elapsed_time = lambda *a: 0.001",
        "import time\ntime.perf_counter = lambda: 0.0",
        "from time import perf_counter as now\nimport time as t\nt.time = now",
        "cuda = torch.cuda\ncuda.synchronize = print",
        "setattr(torch, 'allclose', None)",
        "del torch.allclose",
        "torch.cuda.synchronize, x = print, 1",
        "torch.__dict__['allclose'] = None",
        "from torch import Tensor\nTensor.cpu = lambda self: self",
        "import sys\nsys.stdout = None",
    ],
)
def test_changing_a_module_is_rejected(line: str) -> None:
    assert "patched-module" in [r.rule for r in reasons(f"{KERNEL}\n{line}\n")]


def test_a_tensor_whose_methods_are_replaced_is_rejected() -> None:
    source = KERNEL.replace("return k(x)", "y = k(x)\n        y.cpu = lambda: None\n        return y")
    assert [r.rule for r in reasons(source)] == ["patched-object"]


def test_a_tensor_subclass_is_rejected() -> None:
    source = (
        KERNEL + "\nclass Lazy(torch.Tensor):\n    @classmethod\n    def __torch_function__(cls, *a):\n        pass\n"
    )
    assert {r.rule for r in reasons(source)} == {"tensor-subclass"}


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        ("torch.backends.cuda.matmul.allow_tf32 = True", "global-mode"),
        ("torch._inductor.config.max_autotune = True", "global-mode"),
        ("torch.set_float32_matmul_precision('high')", "global-mode"),
        ("import os; os.environ['X'] = '1'", "environment"),
        ("s = torch.cuda.Stream()", "other-stream"),
        ("g = torch.compile(k)", "torch-compile"),
        ("f = getattr(torch, 'mat' + 'mul')", "computed-name"),
        (
            "def f(x):\n    try:\n        return k(x)\n    except RuntimeError:\n        return torch.relu(x)",
            "fallback",
        ),
    ],
)
def test_what_honest_files_do_too_is_only_warned_of(line: str, rule: str) -> None:
    assert warnings(f"{KERNEL}\n{line}\n") == [rule]


MODULE = """
import contextlib
import tilelang
import tilelang.language as T
import torch
import torch.nn as nn
import torch.nn.functional as F

@tilelang.jit(out_idx=[-1])
def scaled(n):
    @T.prim_func
    def main(X: T.Tensor((n,), "float16"), Y: T.Tensor((n,), "float16")):
        with T.Kernel(1) as b:
            Y[b] = X[b]
    return main

def kernel_for(n):
    return scaled(n)

def by_torch(x):
    return torch.relu(x)

class ModelNew(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(3, 3)
        try:
            self.kernel = scaled(8)
        except RuntimeError:
            self.kernel = F.relu
        self.plans = {8: kernel_for(8)}

    def by_hand(self, x):
        return x.softmax(-1)

    def forward(self, x):
"""


def with_forward(body: str) -> str:
    return MODULE + "".join(f"        {line}\n" for line in body.splitlines())


@pytest.mark.parametrize(
    "body",
    [
        "try:\n    return scaled(x.numel())(x)\nexcept Exception:\n    return torch.relu(x)",
        "try:\n    y = self.kernel(x)\nexcept RuntimeError:\n    y = x @ x\nreturn y",
        "k = kernel_for(8)\ntry:\n    y = k(x)\nexcept RuntimeError:\n    y = self.linear(x)\nreturn y",
        "try:\n    return self.plans[8](x)\nexcept Exception:\n    pass\nreturn F.relu(x)",
        "try:\n    y = self.kernel(x)\nexcept Exception:\n    y = None\nif y is None:\n    y = by_torch(x)\nreturn y",
        "try:\n    y = self.kernel(x)\nexcept Exception:\n    pass\nelse:\n    return y\nreturn self.by_hand(x)",
        "with contextlib.suppress(Exception):\n    return self.kernel(x)\nreturn super().forward(x)",
    ],
    ids=["return", "product", "module", "after", "flag", "else", "suppressed"],
)
def test_pytorch_standing_in_for_a_failing_kernel_is_rejected(body: str) -> None:
    (reason,) = reasons(with_forward(body))
    assert reason.rule == "fallback" and reason.action
    assert reason.line == MODULE.count("\n") + 1 + body.startswith("k =")


@pytest.mark.parametrize(
    "body",
    [
        "try:\n    y = self.plans[9](x)\nexcept KeyError:\n    y = scaled(9)(x)\nreturn y",
        "try:\n    k = self.plans[9]\nexcept KeyError:\n    k = kernel_for(9)\nreturn k(torch.relu(x))",
        "try:\n    return self.kernel(x)\nexcept RuntimeError as e:\n    raise ValueError(torch.sum(x)) from e",
        "try:\n    y = self.room\nexcept AttributeError:\n    y = self.room = torch.empty(8)\nreturn self.kernel(x)",
        "try:\n    v = x.view(-1)\nexcept RuntimeError:\n    v = torch.clone(x)\nreturn self.kernel(v)",
        "try:\n    y = self.kernel(x)\nfinally:\n    self.calls = 1\nreturn torch.relu(y)",
    ],
    ids=["built", "planned", "raised on", "room made", "another try", "finally"],
)
def test_a_try_that_hides_no_broken_kernel_is_honest(body: str) -> None:
    assert reasons(with_forward(body)) == []


def test_a_mode_that_intercepts_operations_is_rejected() -> None:
    source = KERNEL + "\nfrom torch.overrides import TorchFunctionMode\n"
    assert [r.rule for r in reasons(source)] == ["forbidden-import"]


def test_a_file_that_is_no_python_is_rejected_with_its_line() -> None:
    (reason,) = reasons("import torch\ndef broken(:\n")
    assert reason.rule == "syntax" and reason.line == 2 and reason.action
    assert [r.rule for r in reasons("x = 1\0")] == ["syntax"]
    assert [r.rule for r in reasons("x = " + "(" * 5000 + ")" * 5000)] == ["syntax"]


def test_a_missing_entry_point_names_what_is_there() -> None:
    (reason,) = reasons(KERNEL.replace("ModelNew", "Model"))
    assert reason.rule == "entry-point" and "no class ModelNew (found: Model)" in reason.message
    (reason,) = reasons(KERNEL, form="function", entry_point="matmul")
    assert "no function matmul (found: k)" in reason.message
    assert reasons(KERNEL, form="function", entry_point="k") == []


def test_an_entry_point_may_be_assigned_imported_or_guarded() -> None:
    for line in ("ModelNew = Other", "if True:\n    ModelNew = Other", "from other import ModelNew"):
        assert reasons(f"{KERNEL.replace('ModelNew', 'Other')}\n{line}\n") == []


def test_a_module_without_a_kernel_is_warned_of() -> None:
    source = "import torch.nn as nn\nclass ModelNew(nn.Module):\n    def forward(self, x):\n        return x\n"
    assert warnings(source) == ["no-tilelang-kernel"]


def test_support_files_are_read_too_and_named() -> None:
    support = (SupportFile("lib/tools.py", "import gc\n"), SupportFile("notes.txt", "import gc"))
    (reason,) = reasons(KERNEL, support=support)
    assert reason.message.startswith("lib/tools.py:1: ") and reason.line is None


def test_warnings_join_those_of_earlier_gates() -> None:
    earlier = Evidence(warnings=(Reason("earlier", "said before"),))
    verdict = StaticGate().check(Candidate("class ModelNew: pass"), PROBLEM, earlier)
    assert [w.rule for w in verdict.evidence.warnings] == ["earlier", "no-tilelang-kernel"]
