"""Cases for rules that read what a run on a GPU showed."""

from __future__ import annotations

from dataclasses import replace

from analysis_facts import elementwise_kernel, facts, gemm_facts, gemm_kernel

from tilewright.records import Evidence, Facts, Instructions, KernelFacts, KernelRun, RunFacts, TensorFacts

NO_SOURCE = "class ModelNew: pass"
OWN = KernelRun("scale_kernel", 1.0, 0.07, True)
COPY = KernelRun("void at::native::elementwise_kernel<128, 4, direct_copy_kernel_cuda>(int)", 2.0, 0.03, False)
LIBRARY = KernelRun("sm90_xmma_gemm_f16f16_f16f32_f32_tn_n_tilesize128x128x64", 1.0, 0.5, False)
ALONE = RunFacts("default", 0.07, (OWN,), latency_ms=0.095)
GLUED = RunFacts("default", 0.1, (OWN, COPY))
WITH_LIBRARY = RunFacts("default", 0.57, (LIBRARY, OWN))
WAITED_FOR = RunFacts("default", 0.02, (replace(OWN, device_ms=0.02, launches=6.0),), latency_ms=0.2)
QUICK = replace(ALONE, device_ms=0.031, bytes_per_s=2.2e12)
SLOW = replace(ALONE, device_ms=0.2, bytes_per_s=0.3e12)
PROFILED = RunFacts(
    "default",
    0.118,
    (
        KernelRun("fused_rows_kernel", 1.0, 0.061, True),
        KernelRun(
            "void at::native::elementwise_kernel<128, 4, at::native::gpu_kernel_impl_nocast<at::native::"
            "direct_copy_kernel_cuda(at::TensorIteratorBase&)::{lambda()#3}::operator()() const::{lambda()#12}::oper",
            1.0,
            0.048,
            False,
        ),
        KernelRun(
            "void at::native::vectorized_elementwise_kernel<4, at::native::FillFunctor<float>, std::array<char*, 1ul>"
            " >(int, at::native::FillFunctor<float>, std::array<char*, 1ul>)",
            1.0,
            0.005,
            False,
        ),
        KernelRun("Memset (Device)", 2.0, 0.004, False),
    ),
)
"""Names and order as a profile has them: cut off at 200 characters, templates and all."""
LIBRARIES = RunFacts(
    "default",
    0.31,
    (
        KernelRun("nvjet_hsh_128x256_64x4_2x1_v_bz_coopA_TNT", 1.0, 0.14, False),
        KernelRun(
            "void cudnn::ops::nchwToNhwcKernel<__half, __half, float, false, true, (cudnnKernelDataTy",
            2.0,
            0.06,
            False,
        ),
        KernelRun(
            "void (anonymous namespace)::softmax_warp_forward<c10::Half, c10::Half, float, 10, false",
            1.0,
            0.06,
            False,
        ),
        KernelRun("scale_kernel", 1.0, 0.04, True),
        KernelRun("7 others", 7.0, 0.01, False),
    ),
)

one_load = Instructions(17, fp32=1, conversions=2, global_loads=((16, 1),), global_stores=((16, 1),))
many_loads = Instructions(217, global_loads=((128, 8),), global_stores=((128, 8),))
starved = facts([elementwise_kernel(instructions=one_load, threads=128, blocks_per_sm=4)])
fed = facts([elementwise_kernel(instructions=many_loads)])


def measured_on_h200(device_ms: float, kernel: KernelFacts, read: int, written: int) -> Evidence:
    """A row of benchmarks/results/seeds.jsonl with the facts of the same kernel in findings.jsonl."""
    inputs, outputs = ((TensorFacts((count // 2,), "float16", count),) for count in (read, written))
    one = Facts("H200", "default", (kernel,), inputs, (), outputs, reference_flops=kernel.flops)
    ms_of = 1e-3 * device_ms
    run = RunFacts(
        "default", device_ms, (KernelRun(kernel.name, 1.0, device_ms, True),), None, (read + written) / ms_of
    )
    return Evidence(facts=(one,), runs=(run,))


SCALE_1_5 = measured_on_h200(
    1.265,
    elementwise_kernel(
        grid=(128, 16384, 1),
        block_threads=32,
        registers=10,
        blocks_per_sm=32,
        occupancy=0.5,
        flops=67108864.0,
        global_bytes=268435456.0,
        serial_depth=0.0,
        instructions=one_load,
    ),
    134217728,
    134217728,
)
GELU_1_88 = measured_on_h200(
    0.0107,
    elementwise_kernel(
        grid=(1954, 1, 1),
        registers=40,
        blocks_per_sm=6,
        occupancy=0.75,
        flops=100044800.0,
        global_bytes=16000000.0,
        serial_depth=0.0,
        instructions=Instructions(217, global_loads=((128, 1),), global_stores=((128, 1),)),
    ),
    8000000,
    8000000,
)
MATVEC_1_4 = measured_on_h200(
    0.8149,
    elementwise_kernel(
        name="matvec_kernel",
        grid=(8, 1, 1),
        block_threads=128,
        registers=44,
        shared_bytes=8448,
        blocks_per_sm=10,
        occupancy=0.625,
        flops=67371008.0,
        global_bytes=69206528.0,
        serial_depth=1024.0,
        instructions=Instructions(176, global_loads=((16, 1), (128, 4)), global_stores=((16, 4),)),
    ),
    67108864 + 262144,
    512,
)
RELU_1_20 = measured_on_h200(
    0.0058,
    elementwise_kernel(grid=(128, 1, 1), registers=18, flops=262144.0, global_bytes=1048576.0, serial_depth=0.0),
    524288,
    524288,
)
product = gemm_facts(gemm_kernel(8192), 8192)


CELL = facts([replace(gemm_kernel(1024), name=f"gates_{n}_kernel") for n in range(5)], elements=2**20)
"""Products one after another, none of which a block could go on with."""
ROWS = facts([elementwise_kernel(name=f"step_{n}_kernel") for n in range(5)], elements=2**20)


def gapped(device_ms: float, busy_ms: float | None, launches: int = 5) -> RunFacts:
    """So many kernels of equal length."""
    kernels = tuple(
        KernelRun(f"gates_{n}_kernel", 1.0, (busy_ms or device_ms) / launches, True) for n in range(launches)
    )
    return RunFacts("default", device_ms, kernels, busy_ms=busy_ms)


def ran(one: Facts, run: RunFacts) -> Evidence:
    return Evidence(facts=(one,), runs=(run,))


def counted(**counters: float) -> RunFacts:
    return RunFacts("default", 2.0, (KernelRun("matmul_kernel", 1.0, 2.0, True, tuple(counters.items())),))


TRIPS = [
    ("glue-kernels", "a copy", ran(fed, GLUED), NO_SOURCE),
    ("glue-kernels", "a copy and fills by their names in a profile", ran(fed, PROFILED), NO_SOURCE),
    ("host-dominates", "six launches for 20 us", ran(fed, WAITED_FOR), NO_SOURCE),
    ("launch-gaps", "five products with a microsecond between each two", ran(CELL, gapped(0.024, 0.020)), NO_SOURCE),
    ("little-in-flight", "one load a thread", ran(starved, SLOW), NO_SOURCE),
    ("little-in-flight", "one load of 16 bits in 32 threads: 1.265 ms for 62 us of bytes", SCALE_1_5, NO_SOURCE),
    ("little-in-flight", "for another reason", ran(fed, SLOW), NO_SOURCE),
    (
        "l2-misses",
        "three times the operands",
        ran(product, counted(l2_hit=40.0, dram_read_bytes=1.2e9, dram_write_bytes=1.3e8, dram_throughput=80.0)),
        NO_SOURCE,
    ),
]
SPARES = [
    ("glue-kernels", "own kernels only", ran(fed, ALONE), NO_SOURCE),
    ("glue-kernels", "a library's product", ran(fed, WITH_LIBRARY), NO_SOURCE),
    ("glue-kernels", "libraries", ran(fed, LIBRARIES), NO_SOURCE),
    ("glue-kernels", "not measured", Evidence(facts=(fed,)), NO_SOURCE),
    ("host-dominates", "a launch", ran(fed, ALONE), NO_SOURCE),
    ("launch-gaps", "gaps are little beside long kernels", ran(CELL, gapped(0.204, 0.200)), NO_SOURCE),
    ("launch-gaps", "one kernel", ran(fed, gapped(0.024, 0.020, 1)), NO_SOURCE),
    ("launch-gaps", "no profile", ran(CELL, gapped(0.024, None)), NO_SOURCE),
    ("launch-gaps", "the device waits for the host", ran(CELL, gapped(0.120, 0.020)), NO_SOURCE),
    ("launch-gaps", "five that could be one: unfused-kernels says it", ran(ROWS, gapped(0.024, 0.020)), NO_SOURCE),
    ("little-in-flight", "near the bandwidth", ran(starved, QUICK), NO_SOURCE),
    ("little-in-flight", "half of 10.7 us is the start and the end of a kernel", GELU_1_88, NO_SOURCE),
    ("little-in-flight", "1 MB takes what an empty kernel does", RELU_1_20, NO_SOURCE),
    ("little-in-flight", "8 blocks: what is missing is blocks", MATVEC_1_4, NO_SOURCE),
    ("little-in-flight", "PyTorch moves more", ran(replace(fed, torch_ops=(("aten::clone", 1),)), SLOW), NO_SOURCE),
    (
        "l2-misses",
        "most hit",
        ran(product, counted(l2_hit=80.0, dram_read_bytes=4e8, dram_write_bytes=1.3e8, dram_throughput=40.0)),
        NO_SOURCE,
    ),
    ("l2-misses", "without counters", ran(product, counted()), NO_SOURCE),
]
