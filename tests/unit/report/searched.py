"""A run as a search leaves it, of any length, made without a GPU: structures, their knobs, failures, a best."""

from __future__ import annotations

import math
from dataclasses import replace

from samples import measured
from tilewright.records import (
    Attempt,
    Candidate,
    Comparison,
    CompileFailed,
    Cost,
    Crashed,
    Evaluation,
    Evidence,
    Execution,
    Facts,
    Finding,
    KernelFacts,
    KernelShare,
    Measured,
    Mismatch,
    Problem,
    Reason,
    Rejected,
    Run,
    TensorFacts,
    WorkloadTiming,
    Wrong,
)

_N = 4096
_SOURCE = '''"""Problem Name: 12_Gemm_Scale"""
import tilelang
import tilelang.language as T
import torch


@tilelang.jit(out_idx=[-1])
def gemm_kernel(m, n, k, block_M={m}, block_N={n}, block_K=32, num_stages={stages}, threads=128):
    @T.prim_func
    def gemm(a: T.Tensor((m, k), "float16"), b: T.Tensor((k, n), "float16"), c: T.Tensor((m, n), "float16")):
        with T.Kernel(T.ceildiv(n, block_N), T.ceildiv(m, block_M), threads=threads) as (bx, by):
            a_tile = T.alloc_shared((block_M, block_K), "float16")
            b_tile = T.alloc_shared((block_K, block_N), "float16")
            acc = T.alloc_fragment((block_M, block_N), "float32")
            T.clear(acc)
            for step in T.Pipelined(T.ceildiv(k, block_K), num_stages=num_stages):
                T.copy(a[by * block_M, step * block_K], a_tile)
                T.copy(b[step * block_K, bx * block_N], b_tile)
                T.gemm(a_tile, b_tile, acc)
{body}
            T.copy(acc, c[by * block_M, bx * block_N])

    return gemm


class ModelNew(torch.nn.Module):
    def forward(self, x, w):
        return gemm_kernel(*x.shape, w.shape[1])(x, w)
'''
_PROBLEM = Problem("12_Gemm_Scale", "class Model:\n    '''the reference'''\n", 2, 12)
_IDEAS = (
    "Stage tiles of both operands in shared memory, so that each is read once a block",
    "Fuse the scale into the epilogue: one kernel instead of two",
    "Swizzle the blocks for reuse in L2",
    "Transpose the second operand once, so that its loads are contiguous",
    "Store the tile through shared memory in 128-bit pieces",
)
_FAILURES: tuple[Evaluation, ...] = (
    Rejected(
        "compile", (Reason("shared_memory", "a block asks for 262144 B of shared memory, 232448 are there", 9),)
    ),
    Wrong(Mismatch("wrong values in output 0: first at [0, 128], got 0.0, expected 1.37", cause="the last tile")),
    CompileFailed("expected a buffer of rank 2", 12, "Index the buffer by two values."),
    Crashed("an illegal memory access was encountered"),
)
_TILES = (64, 128, 256)


def searched_run(attempts: int, settings: int = 8) -> Run:
    """Turns of a structure and `settings` knob settings each; every seventh candidate fails."""
    made = [_attempt(0, 0, "seed", Candidate(_source(64, 64, 0, 0)), _measured(0.412))]
    structure = made[0].candidate
    for index in range(1, attempts):
        turn, step = divmod(index - 1, settings + 2)
        if step < 2:
            parent = max(made, key=_ratio).candidate
            idea = f"{_IDEAS[(turn + 2 * step) % len(_IDEAS)]} (idea {index})"
            made_new = Candidate(_source(64, 64, 2, index), parent=parent.id, proposer="llm", hypothesis=idea)
            structure = made_new if step == 0 else structure
            ended = _measured(_reached(turn)) if step == 0 else _FAILURES[turn % len(_FAILURES)]
            made.append(_attempt(index, turn + 1, "structure", made_new, ended))
            continue
        m, n, stages = _TILES[step % 3], _TILES[step // 3 % 3], 1 + step % 4
        candidate = Candidate(
            f"{structure.source}# setting {step}\n".replace("block_M=64, block_N=64", f"block_M={m}, block_N={n}"),
            parent=structure.id,
            proposer="tuner",
            hypothesis=f"block_M 64 -> {m}, block_N 64 -> {n}",
            knobs=(("block_M", m), ("block_N", n), ("num_stages", stages)),
            structure=structure.id,
        )
        ratio = _reached(turn) * (1 + 0.12 * math.log2(m * n / 4096) - 0.04 * abs(stages - 3))
        made.append(_attempt(index, turn + 1, "knobs", candidate, _outcome(index, ratio)))
    settings_of_run = (("kernel_file", '"2_12"'), ("model", '"none"'), ("explicit", '["kernel_file", "model"]'))
    return Run(
        id="1122abcdef",
        problem=_PROBLEM,
        kernel_path="kernels/2_12.py",
        settings=settings_of_run,
        evaluator="local",
        gpu="H100",
        started="2026-11-22T09:30:00Z",
        attempts=tuple(made),
        stop_reason="patience",
        stop_detail="2 turns without progress",
        seconds=3.1 * attempts,
        notes=("evaluator local: a CUDA GPU is here (NVIDIA H100 80GB HBM3)",),
    )


def with_hypothesis(run: Run, index: int, hypothesis: str, source: str) -> Run:
    """The run with another text and another source at one place."""
    old = run.attempts[index]
    mended = replace(old, candidate=replace(old.candidate, hypothesis=hypothesis, source=source))
    return replace(run, attempts=(*run.attempts[:index], mended, *run.attempts[index + 1 :]))


def _reached(turn: int) -> float:
    return 1.2 - 0.65 * 0.8**turn


def _source(m: int, n: int, stages: int, structure: int) -> str:
    body = "\n".join(f"            # step {number} of structure {structure}" for number in range(structure))
    return _SOURCE.format(m=m, n=n, stages=stages, body=body)


def _outcome(index: int, ratio: float) -> Evaluation:
    return _FAILURES[index // 7 % len(_FAILURES)] if index % 7 == 5 else _measured(ratio)


def _measured(ratio: float) -> Measured:
    device, latency = _timing(ratio), _timing(0.9 * ratio)
    return measured(
        ratio,
        0.03 * ratio,
        timings=(device,),
        gpu="H100",
        device="NVIDIA H100 80GB HBM3",
        versions=(("cuda", "13.0"), ("tilelang", "0.1.15"), ("torch", "2.11.0")),
        trust="A",
        trust_notes=("its own user and network namespace",),
        comparisons=(Comparison("eager", "latency", latency), Comparison("seed", "device", _timing(ratio / 0.412))),
        census=(KernelShare("gemm_kernel", 1, 0.86, True), KernelShare("elementwise_kernel<scale>", 1, 0.14, False)),
        confirmations=((ratio, 0.99 * ratio, 1.01 * ratio),),
    )


def _timing(ratio: float) -> WorkloadTiming:
    return WorkloadTiming(
        "default", 1.0, ((0.35 / ratio, 0.35),), ratio, 0.96 * ratio, 1.03 * ratio, 0.35 / ratio, 0.35
    )


def _attempt(index: int, turn: int, phase: str, candidate: Candidate, evaluation: Evaluation) -> Attempt:
    ratio = evaluation.measurement.speedup_ratio if isinstance(evaluation, Measured) else 0.5
    square = TensorFacts((_N, _N), "float16", 2 * _N * _N)
    kernel = KernelFacts("gemm", 1, (64, 64), 128, 96, global_bytes=6e8 / ratio, flops=2.0 * _N**3)
    facts = Facts("H100", "default", (kernel,), (square, square), (), (square,), reference_flops=2.0 * _N**3)
    found = Finding("no_pipelining", "memory", "high", "loads wait for each other", "T.Pipelined", (), 17, 0.31)
    more = Finding(
        "small_matmul_tile", "compute", "medium", "tiles of 64 x 64 reuse little", "128 x 128", (), 9, 0.18
    )
    return Attempt(
        index,
        turn,
        phase,  # type: ignore[arg-type]
        candidate,
        evaluation,
        Evidence((facts,), Execution(4096, 4096)),
        (found, more) if index == 0 else (more,),
        Cost(2.7, 1.4),
    )


def _ratio(attempt: Attempt) -> float:
    return attempt.evaluation.measurement.speedup_ratio if isinstance(attempt.evaluation, Measured) else 0.0
