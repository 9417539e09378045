"""Cases for rules that read what a run on a GPU showed."""

from __future__ import annotations

from dataclasses import replace

from analysis_facts import elementwise_kernel, facts, gemm_facts, gemm_kernel

from tilewright.records import Evidence, Facts, Instructions, KernelRun, RunFacts

NO_SOURCE = "class ModelNew: pass"
OWN = KernelRun("scale_kernel", 1.0, 0.07, True)
COPY = KernelRun("void at::native::elementwise_kernel<128, 4, direct_copy_kernel_cuda>(int)", 2.0, 0.03, False)
LIBRARY = KernelRun("sm90_xmma_gemm_f16f16_f16f32_f32_tn_n_tilesize128x128x64", 1.0, 0.5, False)
ALONE = RunFacts("default", 0.07, (OWN,), latency_ms=0.095)
GLUED = RunFacts("default", 0.1, (OWN, COPY))
WITH_LIBRARY = RunFacts("default", 0.57, (LIBRARY, OWN))
WAITED_FOR = RunFacts("default", 0.02, (replace(OWN, device_ms=0.02, launches=6.0),), latency_ms=0.2)
QUICK = replace(ALONE, bytes_per_s=2.6e12)
SLOW = replace(ALONE, device_ms=0.2, bytes_per_s=0.3e12)

one_load = Instructions(17, fp32=1, conversions=2, global_loads=((16, 1),), global_stores=((16, 1),))
many_loads = Instructions(217, global_loads=((128, 8),), global_stores=((128, 8),))
starved = facts([elementwise_kernel(instructions=one_load, threads=128, blocks_per_sm=4)])
fed = facts([elementwise_kernel(instructions=many_loads)])
product = gemm_facts(gemm_kernel(8192), 8192)


def ran(one: Facts, run: RunFacts) -> Evidence:
    return Evidence(facts=(one,), runs=(run,))


def counted(**counters: float) -> RunFacts:
    return RunFacts("default", 2.0, (KernelRun("matmul_kernel", 1.0, 2.0, True, tuple(counters.items())),))


TRIPS = [
    ("glue-kernels", "a copy", ran(fed, GLUED), NO_SOURCE),
    ("host-dominates", "six launches for 20 us", ran(fed, WAITED_FOR), NO_SOURCE),
    ("little-in-flight", "one load a thread", ran(starved, SLOW), NO_SOURCE),
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
    ("glue-kernels", "not measured", Evidence(facts=(fed,)), NO_SOURCE),
    ("host-dominates", "a launch", ran(fed, ALONE), NO_SOURCE),
    ("little-in-flight", "near the bandwidth", ran(starved, QUICK), NO_SOURCE),
    ("little-in-flight", "PyTorch moves more", ran(replace(fed, torch_ops=(("aten::clone", 1),)), SLOW), NO_SOURCE),
    (
        "l2-misses",
        "most hit",
        ran(product, counted(l2_hit=80.0, dram_read_bytes=4e8, dram_write_bytes=1.3e8, dram_throughput=40.0)),
        NO_SOURCE,
    ),
    ("l2-misses", "without counters", ran(product, counted()), NO_SOURCE),
]
