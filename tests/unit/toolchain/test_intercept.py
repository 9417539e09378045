"""What `intercept` catches, what it says about it, and where CUDA requests go."""

from typing import Any

import pytest
import tilelang
import tilelang.language as T
import torch

from tilewright.toolchain.arguments import ArgumentError, allocate_outputs, normalized_out_idx
from tilewright.toolchain.intercept import CapturedKernel, intercept, redirect_cuda, returned


def on_meta(kernel: CapturedKernel, args: tuple[Any, ...]) -> Any:
    return returned(kernel, allocate_outputs(kernel.prim_func, kernel.out_idx, args, "meta"))


def twice(n: int, block: int = 64) -> Any:
    @T.prim_func
    def twice_kernel(A: T.Tensor((n,), "float32"), B: T.Tensor((n,), "float32")):
        with T.Kernel(T.ceildiv(n, block), threads=block) as bx:
            for i in T.Parallel(block):
                B[bx * block + i] = A[bx * block + i] * 2.0

    return twice_kernel


def test_a_kernel_is_caught_with_its_outputs_and_pass_configurations() -> None:
    with intercept(on_meta) as captured, redirect_cuda("meta"):
        factory = tilelang.jit(out_idx=[-1], pass_configs={"tl.disable_tma_lower": True})(twice)
        out = factory(1 << 40)(torch.empty(1 << 40, device="cuda"))
    assert out.shape == (1 << 40,) and out.is_meta
    (kernel,) = captured
    assert (kernel.name, kernel.out_idx, kernel.pass_configs) == ("twice_kernel", [1], {"tl.disable_tma_lower": True})


def test_copies_of_the_compile_function_taken_earlier_are_covered() -> None:
    compile_taken_earlier = tilelang.compile
    with intercept(on_meta) as captured:
        compile_taken_earlier(twice(64), out_idx=-1)
        tilelang.par_compile([twice(64), twice(128)], out_idx=[-1], num_workers=1)
    assert [kernel.out_idx for kernel in captured] == [[1], [1], [1]]


def test_a_function_decorated_before_is_caught_when_it_is_called_inside() -> None:
    factory = tilelang.jit(out_idx=[-1])(twice)
    with intercept(on_meta) as captured:
        factory(64)
    assert len(captured) == 1


def test_several_outputs_come_back_as_a_list() -> None:
    @T.prim_func
    def split(A: T.Tensor((64,), "float32"), B: T.Tensor((64,), "float32"), C: T.Tensor((64,), "float16")):
        with T.Kernel(1, threads=64) as _:
            for i in T.Parallel(64):
                B[i] = A[i]
                C[i] = A[i]

    with intercept(on_meta):
        outputs = tilelang.compile(split, out_idx=[1, -1])(torch.empty(64, device="meta"))
    assert [output.dtype for output in outputs] == [torch.float32, torch.float16]


def test_persistent_kernels_are_told_the_number_of_multiprocessors() -> None:
    from tilelang.carver.arch import driver

    with intercept(on_meta, sm_count=108):
        assert driver.get_num_sms() == 108


def test_out_idx_is_made_non_negative_and_checked() -> None:
    kernel = twice(64)
    assert normalized_out_idx(kernel, -1) == normalized_out_idx(kernel, [1]) == [1]
    assert normalized_out_idx(kernel, None) == []
    for wrong in ([2], [-3], [1, -1]):
        with pytest.raises(ArgumentError):
            normalized_out_idx(kernel, wrong)


def test_outputs_are_poisoned_and_take_symbolic_sizes_from_the_inputs() -> None:
    n = T.dynamic("n")

    @T.prim_func
    def kernel(A: T.Tensor((n, 4), "float32"), B: T.Tensor((4, n), "float32"), C: T.Tensor((n,), "int32")):
        with T.Kernel(1, threads=32) as _:
            for i in T.Parallel(4):
                B[i, 0] = A[0, i]
                C[0] = 1

    _, floats, integers = allocate_outputs(kernel, [1, 2], [torch.zeros(7, 4)])
    assert floats.shape == (4, 7) and bool(floats.isnan().all())
    assert integers.shape == (7,) and bool((integers == integers[0]).all()) and int(integers[0]) != 0


def test_cuda_requests_of_every_kind_go_where_they_are_redirected() -> None:
    with redirect_cuda("cpu"):
        device = torch.device("cuda:0")
        made = [
            torch.zeros(2, device="cuda"),
            torch.zeros(2, device=device),
            torch.zeros(2).cuda(),
            torch.zeros(2).to("cuda:0"),
            torch.nn.Linear(2, 2).cuda().weight,
            torch.nn.Linear(2, 2).to(device).weight,
        ]
        assert all(tensor.is_cuda and tensor.device == device for tensor in made)
        assert torch.cuda.is_available() and torch.cuda.get_device_capability() == (9, 0)
        torch.cuda.synchronize()
    assert all(tensor.device.type == "cpu" for tensor in made)


def test_a_default_device_is_redirected_too_and_does_not_outlive_the_block() -> None:
    with redirect_cuda("cpu"):
        torch.set_default_device("cuda")
        assert torch.zeros(2).is_cuda
    assert torch.get_default_device().type == "cpu"
    assert not torch.zeros(2).is_cuda
