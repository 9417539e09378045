"""The knob search: what it proposes first, what it learns, how near it comes to the best."""

from __future__ import annotations

import hashlib
import itertools
import math
from dataclasses import dataclass, replace

import pytest

from tilewright.proposers.tuner import KnobTuner, response_surface
from tilewright.protocols import Proposer
from tilewright.records import (
    Attempt,
    Brief,
    Candidate,
    CompileFailed,
    Estimate,
    Estimated,
    Evaluation,
    Measured,
    Measurement,
    Problem,
    WorkloadEstimate,
)
from tilewright.source.knobs import find_knobs, values_of, with_values

SOURCE = """
import tilelang
import tilelang.language as T


@tilelang.jit(out_idx=[-1])
def matmul(M, N, K, block_M=64, block_N=64, block_K=32, threads=128, num_stages=1):
    @T.prim_func
    def kernel(A: T.Tensor((M, K), "float16"), B: T.Tensor((K, N), "float16"), C: T.Tensor((M, N), "float16")):
        with T.Kernel(T.ceildiv(N, block_N), T.ceildiv(M, block_M), threads=threads) as (bx, by):
            a = T.alloc_shared((block_M, block_K), "float16")
            b = T.alloc_shared((block_K, block_N), "float16")
            c = T.alloc_fragment((block_M, block_N), "float32")
            T.use_swizzle(panel_size=8)
            T.clear(c)
            for k in T.Pipelined(T.ceildiv(K, block_K), num_stages=num_stages):
                T.copy(A[by * block_M, k * block_K], a)
                T.copy(B[k * block_K, bx * block_N], b)
                T.gemm(a, b, c)
            T.copy(c, C[by * block_M, bx * block_N])

    return kernel
"""
PROBLEM = Problem(name="matmul", source="def reference(a, b): return a @ b")


@dataclass(frozen=True)
class SmallGpu:
    shared_bytes_per_block: int = 232448


def estimated(milliseconds: float) -> Estimated:
    workload = WorkloadEstimate("default", 1.0, milliseconds, milliseconds, milliseconds, 0.01, "compute")
    return Estimated(Estimate((workload,), "H100", "roofline", True))


def measured(low: float, ratio: float | None = None) -> Measured:
    return Measured(
        Measurement(
            speedup_ratio=ratio or low, low=low, high=2 * low, timings=(), baseline="eager", gpu="H100", device="",
            versions=(), clock="events", checked_calls=1, error_ratio=None, trust="A",
        )
    )  # fmt: skip


def seed_of(source: str, evaluation: Evaluation) -> Attempt:
    return Attempt(0, 0, "seed", Candidate(source), evaluation)


def brief_for(history: list[Attempt], limit: int) -> Brief:
    return Brief(PROBLEM, history[0], tuple(history), len(history), "knobs", "H100", limit)


def search(source: str, evaluate, tuner: KnobTuner, limit: int) -> list[Attempt]:
    history = [seed_of(source, evaluate(source))]
    while proposals := tuner.propose(brief_for(history, limit)):
        for candidate in proposals:
            history.append(Attempt(len(history), 1, "knobs", candidate, evaluate(candidate.source)))
    return history


def milliseconds_of_a_matmul(values: dict, seed: int) -> float:
    """A made-up H100: waves, tensor-core efficiency by tile, latency hidden by stages and threads, and roughness."""
    sizes = [(4096, 4096, 4096), (1024, 8192, 2048), (8192, 512, 8192), (512, 512, 16384)]
    m, n, k = sizes[seed % len(sizes)]
    tile_m, tile_n, tile_k = values["block_M"], values["block_N"], values["block_K"]
    threads, stages = values["threads"], values["num_stages"]
    panel = next(value for name, value in values.items() if name.startswith("panel_size"))
    shared = max(1, stages) * (tile_m + tile_n) * tile_k * 2
    per_sm = max(
        1, min(232448 // shared, 2048 // threads, 65536 // max(1, threads * (tile_m * tile_n // threads + 40)))
    )
    blocks = math.ceil(m / tile_m) * math.ceil(n / tile_n)
    waves = math.ceil(blocks / (132 * per_sm)) * per_sm
    reuse = tile_m * tile_n / (tile_m + tile_n)
    efficiency = min(1.0, reuse / 64) ** 0.7 * min(1.0, tile_k / 64) ** 0.3
    hidden = min(1.0, 0.35 + 0.15 * stages + 0.1 * (per_sm - 1)) * min(1.0, 0.6 + threads / 640)
    spilled = max(1.0, tile_m * tile_n / threads / 160)
    rough = int(hashlib.sha256(repr((sorted(values.items()), seed)).encode()).hexdigest()[:6], 16) / 0xFFFFFF
    flops = 2 * tile_m * tile_n * k * waves
    return flops / (6e9 * efficiency * hidden) * spilled * (0.97 + 0.06 * rough) * (1 + 0.02 * (panel == 4))


def best_of_all(seed: int) -> float:
    """By trying every setting that fits, with the limits written out again."""
    knobs = find_knobs(SOURCE)
    best = math.inf
    for values in itertools.product(*(knob.choices for knob in knobs)):
        named = {knob.name: value for knob, value in zip(knobs, values)}
        m, n, k, warps = named["block_M"], named["block_N"], named["block_K"], named["threads"] // 32
        fits = max(1, named["num_stages"]) * (m + n) * k * 2 <= 232448 and m * n // named["threads"] <= 255
        splits = [
            d for d in (1, 2, 4, 8, 16, 32) if warps % d == 0 and m % (16 * d) == 0 and n % (8 * warps // d) == 0
        ]
        if fits and splits:
            best = min(best, milliseconds_of_a_matmul(named, seed))
    return best


def changes(candidate: Candidate, source: str = SOURCE) -> dict[str, tuple[object, object]]:
    before, after = values_of(source), values_of(candidate.source)
    return {name: (before[name], after[name]) for name in before if before[name] != after[name]}


def test_it_is_a_proposer():
    assert isinstance(KnobTuner(SmallGpu()), Proposer)


def test_forty_evaluations_come_within_a_tenth_of_the_best_on_most_landscapes():
    near = []
    for seed in range(20):
        history = search(
            SOURCE,
            lambda source, seed=seed: estimated(milliseconds_of_a_matmul(values_of(source), seed)),
            KnobTuner(SmallGpu(), budget=40),
            limit=4,
        )
        assert len(history) <= 41
        times = [a.evaluation.estimate.estimates[0].candidate_ms for a in history]
        near.append(min(times) / best_of_all(seed))
    assert sum(ratio <= 1.1 for ratio in near) >= 15


def test_the_first_round_tries_what_usually_helps_one_step_from_the_seed():
    proposals = KnobTuner(SmallGpu()).propose(brief_for([seed_of(SOURCE, estimated(1.0))], 4))
    assert [len(changes(candidate)) for candidate in proposals].count(1) >= 2
    steps = {name: step for candidate in proposals for name, step in changes(candidate).items()}
    assert steps["block_M"] == (64, 128)
    assert steps["block_N"] == (64, 128)
    assert steps["num_stages"] == (1, 2)


def test_a_proposal_is_the_seed_with_its_values_written_in():
    seed = seed_of(SOURCE, estimated(1.0))
    for candidate in KnobTuner(SmallGpu()).propose(brief_for([seed], 6)):
        assert candidate.source == with_values(SOURCE, dict(candidate.knobs))
        assert dict(candidate.knobs) == values_of(candidate.source)
        assert candidate.structure_id == seed.candidate.id == candidate.parent
        assert candidate.proposer == "tuner"


def test_the_hypothesis_names_the_step_and_the_reason():
    proposals = KnobTuner(SmallGpu()).propose(brief_for([seed_of(SOURCE, estimated(1.0))], 8))
    assert "num_stages 1 -> 2: loads run further ahead of their use" in [c.hypothesis for c in proposals]


def test_steps_that_helped_alone_are_taken_together():
    def evaluate(source: str) -> Evaluation:
        values = values_of(source)
        return estimated(1e6 / (values["block_M"] * values["block_N"] * (1 + values["num_stages"])))

    history = search(SOURCE, evaluate, KnobTuner(SmallGpu(), budget=8), 4)
    joint = history[5].candidate
    assert changes(joint).keys() >= {"block_M", "block_N", "num_stages"}
    assert joint.hypothesis.endswith("steps that promise something on their own, taken together")


def test_the_same_brief_gives_the_same_proposals():
    history = search(
        SOURCE, lambda s: estimated(milliseconds_of_a_matmul(values_of(s), 3)), KnobTuner(SmallGpu(), 9), 3
    )
    tuner = KnobTuner(SmallGpu(), budget=60)
    assert tuner.propose(brief_for(history, 5)) == tuner.propose(brief_for(history, 5))


def test_nothing_is_proposed_twice_and_never_more_than_the_budget():
    history = search(SOURCE, lambda s: estimated(1.0), KnobTuner(SmallGpu(), budget=25), 4)
    ids = [attempt.candidate.id for attempt in history]
    assert len(ids) == len(set(ids)) == 26


def test_a_small_space_is_exhausted_and_then_nothing_more_comes():
    source = SOURCE.replace("block_M=64, block_N=64, block_K=32, threads=128, num_stages=1", "num_stages=1")
    source = source.replace("panel_size=8", "PANEL").replace("import tilelang\n", "import tilelang\nthreads = None\n")
    history = search(source, lambda s: estimated(1.0), KnobTuner(SmallGpu()), 3)
    assert sorted(values_of(attempt.candidate.source)["num_stages"] for attempt in history) == [0, 1, 2, 3, 4]


def test_a_kernel_without_knobs_gets_no_proposals():
    assert KnobTuner(SmallGpu()).propose(brief_for([seed_of("x = 1\n", estimated(1.0))], 4)) == ()


def test_settings_that_do_not_fit_the_gpu_are_never_proposed():
    tiny = SmallGpu(shared_bytes_per_block=8192)
    history = search(SOURCE, lambda s: estimated(milliseconds_of_a_matmul(values_of(s), 0)), KnobTuner(tiny, 20), 4)
    for attempt in history[1:]:
        v = values_of(attempt.candidate.source)
        assert max(1, v["num_stages"]) * (v["block_M"] + v["block_N"]) * v["block_K"] * 2 <= 8192


def test_a_value_that_failed_twice_and_never_worked_is_not_tried_again():
    def evaluate(source: str) -> Evaluation:
        values = values_of(source)
        return CompileFailed("no") if values["threads"] == 256 else estimated(2.0 - values["block_M"] / 256)

    history = search(SOURCE, evaluate, KnobTuner(SmallGpu(), budget=40), 1)
    assert sum(values_of(attempt.candidate.source)["threads"] == 256 for attempt in history) == 2


def test_once_something_is_measured_estimates_no_longer_lead():
    history = [seed_of(SOURCE, measured(1.0))]
    for values, evaluation in [({"block_M": 128}, estimated(0.001)), ({"num_stages": 2}, measured(1.4))]:
        made = Candidate(with_values(SOURCE, values), structure=history[0].candidate.id, proposer="tuner")
        history.append(Attempt(len(history), 1, "knobs", made, evaluation))
    for candidate in KnobTuner(SmallGpu()).propose(brief_for(history, 4)):
        assert candidate.parent == history[2].candidate.id
        assert values_of(candidate.source)["num_stages"] != 1


def test_of_two_measurements_the_one_with_the_better_low_end_leads():
    history = [seed_of(SOURCE, measured(1.0))]
    for values, evaluation in [({"block_M": 128}, measured(1.1, ratio=1.9)), ({"num_stages": 2}, measured(1.3))]:
        made = Candidate(with_values(SOURCE, values), structure=history[0].candidate.id, proposer="tuner")
        history.append(Attempt(len(history), 1, "knobs", made, evaluation))
    assert {c.parent for c in KnobTuner(SmallGpu()).propose(brief_for(history, 3))} == {history[2].candidate.id}


def test_attempts_at_another_structure_count_for_nothing():
    other = seed_of(SOURCE.replace("matmul", "another"), estimated(0.1))
    tuned = Attempt(
        1, 1, "knobs", replace(other.candidate, proposer="tuner", structure=other.candidate.id), estimated(0.1)
    )
    seed = seed_of(SOURCE, estimated(1.0))
    tuner = KnobTuner(SmallGpu(), budget=4)
    brief = Brief(PROBLEM, seed, (other, tuned, seed), 2, "knobs", "H100", 4)
    assert tuner.propose(brief) == tuner.propose(brief_for([seed], 4)) != ()


def test_the_response_surface_lists_settings_with_scores_and_outcomes():
    seed = seed_of(SOURCE, estimated(0.5))
    failed = Candidate(with_values(SOURCE, {"threads": 512}), structure=seed.candidate.id, proposer="tuner")
    surface = response_surface([seed, Attempt(1, 1, "knobs", failed, CompileFailed("no"))], seed.candidate.id)
    assert [(values["threads"], score, outcome) for values, score, outcome in surface] == [
        (128, pytest.approx(2.0), "estimated"),
        (512, None, "compile_failed"),
    ]
