"""What the notes on TileLang show compiles for a GPU and is right."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import torch

from tilewright.hardware import load_gpu
from tilewright.interpreter import allocate_outputs, run
from tilewright.source.knobs import find_knobs
from tilewright.toolchain.lower import lower
from tilewright.wording.instructions import instructions

SOFTMAX, LINEAR = re.findall(r"```python\n(.*?)```", instructions("tilelang"), re.S)

OTHERS = """import tilelang
import tilelang.language as T


@tilelang.jit(out_idx=[-1])
def tickets():
    @T.prim_func
    def tickets_kernel(
        X: T.Tensor((8, 1024), "float16"), count: T.Tensor((1,), "int32"), Y: T.Tensor((512,), "float16")
    ):
        with T.Kernel(8, threads=128) as bx:
            rows = T.alloc_shared((8, 512), "float16")
            best = T.alloc_fragment((8, 512), "float16")
            ticket = T.alloc_shared((1,), "int32")
            T.clear(best)
            for k in T.Pipelined(2, num_stages=2):
                T.copy(X[0, k * 512], rows)
                for i, j in T.Parallel(8, 512):
                    best[i, j] = T.max(best[i, j], rows[i, j])
            if T.get_thread_binding(0) == 0:
                ticket[0] = T.atomic_add(count[0], 1, memory_order="acq_rel", return_prev=True)
            if ticket[0] == 7:
                for i, j in T.Parallel(8, 512):
                    T.atomic_max(Y[j], best[i, j])

    return tickets_kernel
"""


def loaded(source: str, path: Path) -> ModuleType:
    path.write_text(source, encoding="utf-8")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def called(kernel: object, *inputs: torch.Tensor) -> torch.Tensor:
    everything = allocate_outputs(kernel, [-1], inputs)
    run(kernel, *everything)
    output: torch.Tensor = everything[-1]
    return output


def test_the_row_wise_kernel_is_a_softmax(tmp_path: Path) -> None:
    kernel = loaded(SOFTMAX, tmp_path / "shown_softmax.py").softmax.get_tir(8, 256)
    x = torch.randn(8, 256).half()
    torch.testing.assert_close(called(kernel, x), torch.softmax(x.float(), 1).half(), atol=1e-4, rtol=1e-2)
    assert lower(kernel, load_gpu("H100")).launches[0].grid == (2, 1, 1)


def test_the_product_is_right_on_tensor_cores_and_its_knobs_are_found(tmp_path: Path) -> None:
    kernel = loaded(LINEAR, tmp_path / "shown_linear.py").linear_relu.get_tir(96, 136, 80)
    x, weight, bias = torch.randn(96, 80).half(), torch.randn(136, 80).half(), torch.randn(136).half()
    wanted = torch.relu(x.float() @ weight.float().T + bias.float()).half()
    torch.testing.assert_close(called(kernel, x, weight, bias), wanted, atol=2e-2, rtol=1e-2)
    source = lower(kernel, load_gpu("H100")).source
    assert "wgmma" in source and "tma_load" in source and "tma_store" in source
    assert [knob.name for knob in find_knobs(LINEAR) if knob.declared] == [
        "block_M", "block_N", "block_K", "num_stages",
    ]  # fmt: skip


def test_atomics_give_back_what_stood_there_and_long_rows_are_loaded_in_boxes(tmp_path: Path) -> None:
    source = lower(loaded(OTHERS, tmp_path / "others.py").tickets.get_tir(), load_gpu("H100")).source
    assert "= AtomicAddRet((&(count[0])), 1, 4);" in source  # 4 is acquire and release
    assert "AtomicMax(" in source
    assert re.search(r"for \(int \w+ = 0; \w+ < 2; .*\n.*tma_load", source)
