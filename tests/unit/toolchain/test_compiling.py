import os
from pathlib import Path

import pytest
from counted_kernels import add, matmul

from tilewright.hardware import load_gpu
from tilewright.toolchain.compile import Compiled, Request, compile_kernels
from tilewright.toolchain.lower import Launch, cuda_target, lower
from tilewright.toolchain.programs import find_nvcc

H100 = load_gpu("H100")

needs_nvcc = pytest.mark.skipif(find_nvcc() is None, reason="nvcc is not installed")


def compiled(*requests: Request) -> list[Compiled]:
    found = compile_kernels(requests, H100, timeout_s=120)
    assert all(isinstance(result, Compiled) for result in found), found
    return [result for result in found if isinstance(result, Compiled)]


def kernels_in_cache() -> set[Path]:
    return set(Path(os.environ["TILELANG_CACHE_DIR"]).glob("*/*/kernels/*/executable.so"))


@needs_nvcc
def test_one_compilation_gives_launch_shape_and_resources_and_leaves_the_kernel_for_the_gpu():
    before = kernels_in_cache()
    (found,) = compiled(Request(add(64, 512), [-1]))
    assert found.lowered.launches == (Launch("add_kernel_kernel", (4, 2, 1), 128, 0),)
    usage = found.usage["add_kernel_kernel"]
    assert 10 < usage.registers < 100 and usage.spill_bytes == 0
    assert len(kernels_in_cache() - before) == 1


@needs_nvcc
def test_where_no_gpu_will_launch_it_the_same_is_found_out_and_no_library_made():
    before = kernels_in_cache()
    wanted = Request(add(64, 2048), [-1])
    (checked,) = compile_kernels([wanted], H100, timeout_s=120, launched=False)
    assert kernels_in_cache() == before
    assert isinstance(checked, Compiled) and checked.usage and checked.code
    _forget_kernels()
    assert compiled(wanted) == [checked]
    assert len(kernels_in_cache() - before) == 1


def _forget_kernels() -> None:
    """As in a new process."""
    from tilelang.cache import _dispatch_map

    for cache in _dispatch_map.values():
        cache._memory_cache.clear()


@needs_nvcc
def test_the_module_finds_the_compiled_kernel_under_the_same_key(monkeypatch):
    import tilelang

    kernel = add(64, 1024)
    compiled(Request(kernel, -1, {"tl.disable_warp_specialized": True}))
    before = kernels_in_cache()
    tilelang.compile(kernel, out_idx=-1, target=cuda_target(H100), pass_configs={"tl.disable_warp_specialized": True})
    assert kernels_in_cache() == before


@needs_nvcc
def test_resources_are_known_again_when_the_kernel_comes_from_the_cache():
    first = compiled(Request(add(128, 512), [-1]))
    second = compiled(Request(add(128, 512), [-1]))
    assert first[0].usage == second[0].usage != {}


@needs_nvcc
def test_a_tile_too_large_for_its_threads_spills_and_says_that_its_products_wait():
    (found,) = compiled(Request(matmul(512, 512, 512, block=256, block_k=32), [-1]))
    (usage,) = found.usage.values()
    assert usage.spill_bytes > 1000
    assert found.serialised_wgmma


def test_what_tilelang_refuses_is_returned_in_its_place():
    (refused,) = compile_kernels([Request(matmul(threads=100), [-1])], H100, timeout_s=60)
    assert "No valid warp partition" in str(refused)


def test_warp_specialisation_launches_more_threads_than_the_kernel_asks_for():
    (launch,) = lower(matmul(threads=128, num_stages=2), H100).launches
    assert launch.block_threads == 256
    assert launch.dynamic_shared_bytes == 2 * 2 * 128 * 32 * 2


def test_each_gpu_gets_code_for_its_own_instructions():
    assert "wgmma" in lower(matmul(), H100).source
    assert "cp_async" in lower(matmul(), load_gpu("A100")).source
    assert "cp_async" not in lower(matmul(), load_gpu("T4")).source
