"""Samples of what the rewrites write, compiled for an H100 by nvcc; the interpreter does not see layouts."""

import shutil

import pytest
from test_gather_before_reducing import CALL as DOT_CALL
from test_gather_before_reducing import DOT
from test_one_atomic_per_block import CALL as COUNT_CALL
from test_one_atomic_per_block import COUNT
from test_scan_in_tiles import SCAN
from test_split_rows import CALL as SOFTMAX_CALL
from test_split_rows import SOFTMAX
from test_tiled_matmul import CALL as LINEAR_CALL
from test_tiled_matmul import LINEAR

from tilewright.proposers.rewrites import (
    gather_before_reducing,
    one_atomic_per_block,
    scan_in_tiles,
    split_rows,
    tiled_matmul,
)

torch = pytest.importorskip("torch")
tilelang = pytest.importorskip("tilelang")
H100 = {"kind": "cuda", "arch": "sm_90a"}


@pytest.mark.skipif(shutil.which("nvcc") is None, reason="no nvcc on the PATH")
@pytest.mark.parametrize(
    ("rewrite", "factory", "call", "shapes"),
    [
        (gather_before_reducing.rewrite, DOT, DOT_CALL, ((8, 4096), (1, 4096))),
        (one_atomic_per_block.rewrite, COUNT, COUNT_CALL, ((10000,), (10000,))),
        (scan_in_tiles.rewrite, SCAN, "return scan(*x[0].shape)(x[0])", ((4, 3000),)),
        (split_rows.rewrite, SOFTMAX, SOFTMAX_CALL, ((4, 300000),)),
        (tiled_matmul.rewrite, LINEAR, LINEAR_CALL, ((256, 128), (512, 256), (512,))),
    ],
    ids=lambda value: getattr(value, "__module__", "").rpartition(".")[2] or "",
)
def test_the_kernel_compiles_for_an_h100(module, tmp_path, monkeypatch, rewrite, factory, call, shapes):
    from tilewright.interpreter import interpreted
    from tilewright.records import Candidate
    from tilewright.toolchain.modules import module_of

    monkeypatch.setenv("TILELANG_CACHE_DIR", str(tmp_path))
    (found,) = rewrite(module(factory, call))
    with interpreted() as kernels, module_of(Candidate(source=found.source)) as loaded, torch.no_grad():
        loaded.ModelNew()(*(torch.zeros(shape, dtype=torch.float16) for shape in shapes))
    for kernel in kernels:
        tilelang.compile(kernel.prim_func, out_idx=kernel.out_idx, target=H100)
