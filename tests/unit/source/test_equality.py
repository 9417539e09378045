"""When are two candidates surely the same work? Knobs may differ, nothing that could tell them apart outside."""

from __future__ import annotations

from dataclasses import replace

import pytest

from samples import PROBLEM
from tilewright.records import Candidate, Evidence, Facts, KernelFacts, SupportFile
from tilewright.source.equality import equal_outside_factories, equal_work

KERNEL = """
import math
import tilelang
import tilelang.language as T
import torch

BLOCK = 64
SCALE = 2.0


@tilelang.jit(out_idx=[-1])
def double(N, block=BLOCK, threads=128):
    rows = max(1, block // 32)

    @T.prim_func
    def kernel(x: T.Tensor((N,), "float16"), y: T.Tensor((N,), "float16")):
        with T.Kernel(T.ceildiv(N, block), threads=threads) as bx:
            tile = T.alloc_shared((block,), "float16")
            T.copy(x[bx * block], tile)
            for i in T.Parallel(block):
                tile[i] = tile[i] * 2
            T.copy(tile, y[bx * block])

    return kernel


class ModelNew(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.kernels = {}

    def forward(self, x):
        if x.shape not in self.kernels:
            self.kernels[x.shape] = double(x.numel(), BLOCK, threads=256)
        return self.kernels[x.shape](x) * SCALE
"""


def changed(*pairs: tuple[str, str], source: str = KERNEL) -> str:
    for old, new in pairs:
        assert old in source
        source = source.replace(old, new)
    return source


def found(code_hash: str = "c0de", **more: object) -> Evidence:
    kernel = KernelFacts("kernel", 1, (8, 1, 1), 128, code_hash=code_hash)
    return Evidence((replace(Facts("H100", "default", (kernel,)), **more),))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "change",
    [
        ("BLOCK = 64", "BLOCK = 128"),
        ("threads=128):", "threads=256):"),
        ("threads=256)", "threads=512)"),
        ("block // 32", "block // 16"),
        ("tile[i] * 2", "tile[i] + tile[i]"),
        ("import math", "import math  # a comment"),
    ],
)
def test_what_only_factories_see_may_differ(change: tuple[str, str]) -> None:
    assert equal_outside_factories(KERNEL, changed(change))


@pytest.mark.parametrize(
    "change",
    [
        ("* SCALE", "* SCALE + 0"),
        ("SCALE = 2.0", "SCALE = 2.5"),
        ("out_idx=[-1]", "out_idx=[-2]"),
        ("@tilelang.jit(out_idx=[-1])", "@tilelang.jit(out_idx=[-1], compile_flags=['--use_fast_math'])"),
        ("x.numel()", "x.numel() // 2"),
        ("threads=256)", "block=256)"),
    ],
)
def test_a_change_that_the_wrapper_sees_is_one(change: tuple[str, str]) -> None:
    assert not equal_outside_factories(KERNEL, changed(change))


@pytest.mark.parametrize(
    "use",
    [
        ("* SCALE", "* SCALE * BLOCK"),  # the constant flows into the wrapper too
        ("import math", "import math\nHALF = BLOCK"),
        ("double(x.numel(), BLOCK,", "double(self.rounded(BLOCK), BLOCK,"),
        ("self.kernels = {}", "self.kernels = {}\n        global BLOCK\n        BLOCK = 32"),
        ("SCALE = 2.0", "SCALE = 2.0\nBLOCK += 1"),
        ("@tilelang.jit(out_idx=[-1])", "@tilelang.jit(out_idx=[BLOCK - 65])"),
    ],
)
def test_a_constant_that_is_used_elsewhere_too_may_not_differ(use: tuple[str, str]) -> None:
    source = changed(use)
    assert equal_outside_factories(source, source)
    assert not equal_outside_factories(source, source.replace("BLOCK = 64", "BLOCK = 128"))


@pytest.mark.parametrize(
    "use",
    [
        ("* SCALE", "* globals()['BLOCK']"),
        ("* SCALE", "* double.__defaults__[0]"),
        ("* SCALE", "* getattr(double, 'x')"),
        ("* SCALE", "* len(open('k.py').read())"),
        ("* SCALE", "* torch.sys.maxsize"),
        ("* SCALE", "* len(str(self.kernels[x.shape].prim_func))"),
        ("import math", "import inspect"),
        ("import math", "from os import path"),
    ],
)
def test_a_file_that_could_read_itself_is_equal_to_nothing(use: tuple[str, str]) -> None:
    source = changed(use)
    assert not equal_outside_factories(source, source)


@pytest.mark.parametrize(
    "use",
    [
        ("    rows = max(1, block // 32)", "    SEEN.append(block)"),
        ("    rows = max(1, block // 32)", "    global LAST\n    LAST = block"),
        ("    rows = max(1, block // 32)", "    SEEN[0] = block"),
        ("    rows = max(1, block // 32)", "    torch.set_num_threads(block)"),
        ("    rows = max(1, block // 32)", "    rows = (max := block)"),
        ("tile[i] = tile[i] * 2", "SEEN[0] = block"),
        ("            for i in", "            seen = SEEN\n            seen[0] = block\n            for i in"),
        ("    return kernel\n", "    return lambda x: kernel(x) * block\n"),
        ("    return kernel\n", "    return tilelang.compile(kernel)\n"),
        ("    return kernel\n", "    kernel = block\n    return kernel\n"),
        ("    return kernel\n", "    if block > 64:\n        return block\n    return kernel\n"),
        ("@tilelang.jit(out_idx=[-1])", "@tilelang.autotune(configs=[])"),
        ("SCALE = 2.0", "SCALE = 2.0\nmax = print"),
        ("SCALE = 2.0", "SCALE = 2.0\nalso = double"),
    ],
)
def test_a_factory_that_might_leave_something_behind_may_not_differ(use: tuple[str, str]) -> None:
    source = changed(use)
    assert equal_outside_factories(source, source)
    assert not equal_outside_factories(source, source.replace("threads=128):", "threads=256):"))


def test_equal_work_needs_the_same_generated_code_for_every_workload() -> None:
    one, other = Candidate(KERNEL), Candidate(changed(("BLOCK = 64", "BLOCK = 128")))
    assert equal_work(PROBLEM, one, found(), other, found())
    assert not equal_work(PROBLEM, one, found(), other, found("0ther"))
    assert not equal_work(PROBLEM, one, found(""), other, found(""))
    assert not equal_work(PROBLEM, one, found(kernels=()), other, found(kernels=()))
    assert not equal_work(PROBLEM, one, Evidence(), other, Evidence())
    assert not equal_work(PROBLEM, one, found(), other, found(torch_ops=(("mul", 1),)))
    two_sizes = replace(PROBLEM, workloads=(PROBLEM.workloads[0], replace(PROBLEM.workloads[0], name="large")))
    assert not equal_work(two_sizes, one, found(), other, found())


def test_modules_beside_the_kernel_make_it_unsure() -> None:
    with_module = Candidate(KERNEL, support=(SupportFile("tiles.py", "BLOCK = 64"),))
    assert not equal_work(PROBLEM, with_module, found(), with_module, found())
