"""Whole modules, as people write them for a GPU, run on the CPU through `interpreted()`."""

from typing import Any

import pytest
import tilelang
import tilelang.language as T
import torch
from torch import nn

from tilewright.interpreter import ArgumentError, DeadlineExceeded, Report, interpreted, run, sample_blocks


def scaling(n: int, block: int = 64) -> Any:
    @T.prim_func
    def scale_kernel(A: T.Tensor((n,), "float16"), B: T.Tensor((n,), "float16")):
        with T.Kernel(T.ceildiv(n, block), threads=block) as bx:
            for i in T.Parallel(block):
                B[bx * block + i] = A[bx * block + i] * T.float16(2)

    return scale_kernel


def test_a_lazy_jit_factory_returns_a_kernel_that_allocates_its_output() -> None:
    with interpreted() as captured:
        kernel = tilelang.jit(out_idx=[-1])(scaling)(256)
        x = torch.randn(256, device="cuda").half()
        assert torch.equal(kernel(x), x * 2)
    assert [(k.name, k.out_idx) for k in captured] == [("scale_kernel", [1])]


def test_an_eager_jit_function_runs_when_called() -> None:
    with interpreted():

        @tilelang.jit
        def add(A, B, block: int = 64):  # type: ignore[no-untyped-def]
            n = T.const("n")
            A: T.Tensor[[n], T.float32]  # type: ignore[no-redef]
            B: T.Tensor[[n], T.float32]  # type: ignore[no-redef]
            C = T.empty([n], "float32")
            with T.Kernel(T.ceildiv(n, block), threads=block) as bx:
                for i in T.Parallel(block):
                    C[bx * block + i] = A[bx * block + i] + B[bx * block + i]
            return C

        x, y = torch.randn(100), torch.randn(100)
        assert torch.equal(add(x, y), x + y)


def test_the_older_decorator_directly_over_a_prim_func_works() -> None:
    with interpreted():

        @tilelang.jit(out_idx=-1)
        @T.prim_func
        def double(A: T.Tensor((64,), "float32"), B: T.Tensor((64,), "float32")):
            with T.Kernel(1, threads=64) as _:
                for i in T.Parallel(64):
                    B[i] = A[i] * 2.0

        x = torch.randn(64)
        assert torch.equal(double(x), x * 2)


def test_tilelang_compile_works_without_out_idx() -> None:
    with interpreted():
        kernel = tilelang.compile(scaling(64))
        x, out = torch.randn(64).half(), torch.empty(64, dtype=torch.float16)
        assert kernel(x, out) == []
    assert torch.equal(out, x * 2)


def test_an_autotuned_factory_takes_its_first_configuration() -> None:
    with interpreted():
        tuned = tilelang.autotune(configs=[{"block": 32}, {"block": 64}])(tilelang.jit(out_idx=[-1])(scaling))
        x = torch.randn(96).half()
        assert torch.equal(tuned(96)(x), x * 2)


class ModelNew(nn.Module):
    """Weights on the GPU, half precision, a kernel built on first use."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.linear = nn.Linear(features, features)
        self.kernels: dict[int, Any] = {}

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        assert x.is_cuda and x.device.type == "cuda"
        y = self.linear(x).to("cuda", torch.float16).contiguous()
        if y.numel() not in self.kernels:
            self.kernels[y.numel()] = tilelang.jit(out_idx=[-1])(scaling)(y.numel())
        torch.cuda.synchronize()
        result: torch.Tensor = self.kernels[y.numel()](y.view(-1)).view_as(y)
        return result


def test_a_module_written_for_a_gpu_runs_on_the_cpu() -> None:
    reports: list[Report] = []
    with interpreted(on_report=lambda kernel, report: reports.append(report)), torch.no_grad():
        model = ModelNew(16).cuda()
        x = torch.randn(4, 16, device=torch.device("cuda", 0))
        got = model(x)
        expected = model.linear(x).half() * 2
    assert torch.equal(got, expected)
    assert [report.blocks_run for report in reports] == [1]
    assert torch.randn(1).device.type == "cpu" and not torch.randn(1).is_cuda


def test_everything_is_as_before_after_the_block() -> None:
    before = (tilelang.jit, tilelang.compile, torch.cuda.is_available)
    with pytest.raises(ZeroDivisionError), interpreted():
        raise ZeroDivisionError
    assert before == (tilelang.jit, tilelang.compile, torch.cuda.is_available)


@pytest.mark.parametrize(
    ("argument", "words"),
    [
        (torch.randn(64), "expects float16"),
        (torch.randn(65).half(), "expects size 64"),
        (torch.randn(1, 64).half(), "1 dimensions"),
        (torch.randn(128).half()[::2], "contiguous"),
        (3.0, "is a tensor"),
    ],
)
def test_arguments_that_the_launcher_would_refuse_are_refused(argument: Any, words: str) -> None:
    with interpreted():
        kernel = tilelang.jit(out_idx=[-1])(scaling)(64)
        with pytest.raises(ArgumentError, match=words):
            kernel(argument)


def test_a_call_with_too_few_arguments_is_refused() -> None:
    with interpreted(), pytest.raises(ArgumentError, match="expected 1 inputs, but 0"):
        tilelang.jit(out_idx=[-1])(scaling)(64)()


def test_only_the_chosen_blocks_run() -> None:
    x, out = torch.ones(256).half(), torch.full((256,), torch.nan, dtype=torch.float16)
    report = run(scaling(256), x, out, blocks=[0, 3])
    assert (report.blocks_run, report.blocks_total) == (2, 4)
    assert out.isnan().view(4, 64).all(1).tolist() == [False, True, True, False]


def test_the_order_of_the_blocks_follows_the_seed_and_changes_no_result(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tilewright.interpreter.launch.LANE_BUDGET", 1)
    order: list[list[float]] = []
    for seed in (0, 1, 1):

        @T.prim_func
        def tickets(A: T.Tensor((1,), "float32"), B: T.Tensor((8,), "float32")):
            with T.Kernel(8, threads=32) as bx:
                tx = T.get_thread_binding()
                if tx == 0:
                    T.atomic_add(A[0], 1.0)
                    B[bx] = A[0]

        counter, out = torch.zeros(1), torch.zeros(8)
        report = run(tickets, counter, out, seed=seed)
        assert int(counter) == 8 and report.blocks_run == 8
        order.append(out.tolist())
    assert order[0] == list(range(1, 9)) and order[1] == order[2] != order[0]


def test_a_sample_holds_the_corners_of_the_grid_and_as_many_others_as_asked() -> None:
    chosen = sample_blocks(60, (5, 4, 3), 12, seed=1)
    assert len(chosen) == len(set(chosen)) == 12
    assert {0, 4, 15, 19, 40, 44, 55, 59} <= set(chosen)
    assert chosen == sample_blocks(60, (5, 4, 3), 12, seed=1) != sample_blocks(60, (5, 4, 3), 12, seed=2)
    assert sample_blocks(3, (3, 1, 1), 12, seed=0) == [0, 1, 2]


def test_a_run_that_takes_too_long_is_given_up() -> None:
    @T.prim_func
    def endless(A: T.Tensor((1,), "int32")):
        with T.Kernel(1, threads=32) as _:
            for i in T.serial(10_000_000):
                A[0] = i

    with pytest.raises(DeadlineExceeded):
        run(endless, torch.zeros(1, dtype=torch.int32), deadline_s=0.1)
