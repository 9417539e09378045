"""The tile advised for a product fills the GPU, fits its shared memory, and keeps to the product's edges."""

from __future__ import annotations

import pytest
from analysis_facts import elementwise_kernel, facts, gemm_facts, gemm_kernel, tensor

from tilewright.analysis.tiles import Tile, product_tile
from tilewright.hardware import load_gpu
from tilewright.records import Facts, Problem

MATMUL = Problem("p", "class Model: pass")
CONVOLUTION = Problem("p", "self.conv = nn.Conv2d(64, 128, 3)")


def tile(one: Facts, problem: Problem = MATMUL, gpu: str = "H100") -> Tile | None:
    return product_tile(one, one.kernels[0], problem, load_gpu(gpu))


def convolved(inputs: int, outputs: int, edge: int = 56) -> Facts:
    taps = 9
    flops = 2.0 * 16 * outputs * edge * edge * inputs * taps
    return facts(
        [elementwise_kernel(flops=flops)],
        inputs=(tensor(16, inputs, edge, edge),),
        parameters=(tensor(outputs, inputs, 3, 3), tensor(outputs)),
        outputs=(tensor(16, outputs, edge, edge),),
        reference_flops=flops,
    )


@pytest.mark.parametrize(("n", "edges"), [(8192, (128, 256)), (1536, (128, 128)), (1024, (128, 64))])
def test_the_largest_tile_that_fills_the_multiprocessors_is_advised(n: int, edges: tuple[int, int]) -> None:
    advised = tile(gemm_facts(gemm_kernel(n), n))
    assert advised is not None and (advised.block_m, advised.block_n, advised.block_k) == (*edges, 64)
    assert advised.blocks == n * n // (edges[0] * edges[1]) >= 0.9 * load_gpu("H100").sms
    assert "only" not in advised.worded(load_gpu("H100"))


def test_where_no_tile_fills_the_gpu_its_k_is_split() -> None:
    gpu, advised = load_gpu("H100"), tile(gemm_facts(gemm_kernel(512), 512))
    assert advised is not None and advised.blocks == 64
    assert "only 64 blocks for the 132 multiprocessors of H100: split K over about 2 blocks each" in advised.worded(
        gpu
    )


def test_stages_fit_in_the_gpus_shared_memory() -> None:
    one = gemm_facts(gemm_kernel(8192), 8192)
    stages = {gpu: advised.stages for gpu in ("H100", "L40S") if (advised := tile(one, gpu=gpu))}
    assert stages == {"H100": 4, "L40S": 2}


def test_a_tile_is_no_longer_than_the_product() -> None:
    flops = 2.0 * 32 * 4096 * 4096
    thin = gemm_kernel(flops=flops, matmul_flops=flops)
    one = gemm_facts(thin, inputs=(tensor(32, 4096), tensor(4096, 4096)), outputs=(tensor(32, 4096),))
    advised = tile(one)
    assert advised is not None and (advised.block_m, advised.block_n) == (32, 64)


def test_a_convolution_goes_tap_by_tap_where_its_channels_are_enough() -> None:
    advised = tile(convolved(64, 128), CONVOLUTION)
    assert advised is not None and not advised.patches
    assert (advised.block_m, advised.block_n, advised.block_k) == (128, 256, 64)
    few = tile(convolved(3, 32), CONVOLUTION)
    assert few is not None and few.patches and few.positions_first
    assert (few.block_m, few.block_n, few.block_k) == (128, 32, 32)


def test_a_product_whose_shape_is_not_the_outputs_has_no_tile() -> None:
    assert tile(gemm_facts(gemm_kernel(), outputs=(tensor(4096),))) is None
    assert tile(gemm_facts(gemm_kernel(), outputs=(tensor(4096, 512),))) is None
    assert tile(convolved(64, 128), MATMUL) is None
