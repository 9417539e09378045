import pytest

from tilewright.hardware import load_gpu
from tilewright.toolchain.resources import Occupancy, Usage, occupancy, usage_from_ptxas

H100 = load_gpu("H100")

LOG = """\
ptxas info    : (C7511) Potential Performance Loss: wgmma.mma_async instructions are serialized
ptxas info    : 0 bytes gmem
ptxas info    : Compiling entry function 'main_kernel' for 'sm_90a'
ptxas info    : Function properties for main_kernel
    2648 bytes stack frame, 4488 bytes spill stores, 4200 bytes spill loads
ptxas info    : Used 240 registers, used 1 barriers, 2648 bytes cumulative stack size, 1024 bytes smem
ptxas info    : Compile time = 758.167 ms
ptxas info    : Compiling entry function 'main_kernel_1' for 'sm_90a'
ptxas info    : Function properties for main_kernel_1
    0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
ptxas info    : Used 44 registers, used 0 barriers
"""


def test_the_report_of_ptxas_gives_each_function_its_usage():
    assert usage_from_ptxas(LOG) == {
        "main_kernel": Usage(registers=240, stack_bytes=2648, static_shared_bytes=1024, spill_bytes=8688),
        "main_kernel_1": Usage(registers=44, stack_bytes=0, static_shared_bytes=0, spill_bytes=0),
    }


def test_a_log_without_a_report_gives_nothing():
    assert usage_from_ptxas("nvcc warning : something else") == {}


@pytest.mark.parametrize(
    ("registers", "threads", "shared", "expected"),
    [
        (240, 256, 99328, Occupancy(1, 0.125, "registers")),
        (61, 128, 512, Occupancy(8, 0.5, "registers")),
        (32, 256, 0, Occupancy(8, 1.0, "registers")),
        (24, 256, 0, Occupancy(8, 1.0, "threads")),
        (18, 32, 0, Occupancy(32, 0.5, "blocks")),
        (40, 128, 64 * 1024, Occupancy(3, 12 / 64, "shared memory")),
        (168, 384, 98304, Occupancy(1, 12 / 64, "registers")),
    ],
)
def test_occupancy_is_what_nvidias_calculator_says_on_an_h100(registers, threads, shared, expected):
    assert occupancy(H100, registers, threads, shared) == expected


def test_a_block_that_asks_for_more_shared_memory_than_there_is_never_runs():
    assert occupancy(H100, 32, 128, 232448).blocks_per_sm == 1
    assert occupancy(H100, 32, 128, 232449) == Occupancy(0, 0.0, "shared memory")


def test_a_block_that_asks_for_more_registers_than_there_are_never_runs():
    assert occupancy(H100, 168, 1024, 0) == Occupancy(0, 0.0, "registers")


def test_a_turing_card_fits_fewer_threads():
    assert occupancy(load_gpu("T4"), 32, 256, 0) == Occupancy(4, 1.0, "threads")
