"""A small brief with everything in it: a kernel, findings, what was tried, an example, advice."""

from __future__ import annotations

from dataclasses import replace

from samples import measured
from tilewright.records import (
    Attempt,
    Before,
    Brief,
    Candidate,
    CompileFailed,
    Evaluation,
    Evidence,
    Example,
    Facts,
    Finding,
    KernelFacts,
    Lesson,
    Mismatch,
    Problem,
    Reason,
    Rejected,
    TensorFacts,
    Wrong,
)

REFERENCE = """import torch
from torch import nn

rows = 128


class Model(nn.Module):
    def forward(self, x):
        return torch.relu(x)


def get_inputs():
    return [torch.randn(rows, 1024)]


def get_init_inputs():
    return []
"""
KERNEL = """import tilelang
import tilelang.language as T
import torch.nn as nn


@tilelang.jit(out_idx=[-1])
def relu(n, block=256, threads=64):
    @T.prim_func
    def relu_kernel(X: T.Tensor((n,), "float16"), Y: T.Tensor((n,), "float16")):
        with T.Kernel(T.ceildiv(n, block), threads=threads) as bx:
            for i in T.Parallel(block):
                Y[bx * block + i] = T.max(X[bx * block + i], T.float16(0))

    return relu_kernel


class ModelNew(nn.Module):
    def forward(self, x):
        return relu(x.numel())(x.view(-1)).view(x.shape)
"""
CACHED = KERNEL.replace(
    "    def forward(self, x):\n        return relu(x.numel())(x.view(-1)).view(x.shape)\n",
    "    def forward(self, x):\n        if x.numel() not in KERNELS:\n"
    "            KERNELS[x.numel()] = relu(x.numel())\n"
    "        return KERNELS[x.numel()](x.view(-1)).view(x.shape)\n",
).replace("class ModelNew", "KERNELS = {}\n\n\nclass ModelNew")
PROBLEM = Problem("19_ReLU", REFERENCE)
SEED = Candidate(KERNEL)
FINDING = Finding(
    "few-threads", "parallelism", "medium", "kernel relu_kernel has 64 threads a block", "Use 128 or 256.",
    (("threads", 64.0),), 10, 0.2,
)  # fmt: skip


def attempt(index: int, source: str, evaluation: Evaluation | None, **more: object) -> Attempt:
    """A structure that the model proposed, grown from the seed."""
    hypothesis = str(more.pop("hypothesis", f"idea {index}"))
    candidate = Candidate(source, parent=SEED.id, proposer="llm", hypothesis=hypothesis)
    return Attempt(index, 1, "structure", candidate, evaluation, **more)  # type: ignore[arg-type]


def knob_attempt(index: int, old: str, new: str, evaluation: Evaluation) -> Attempt:
    candidate = Candidate(KERNEL.replace(old, new), parent=SEED.id, proposer="tuner", structure=SEED.id)
    return Attempt(index, 1, "knobs", candidate, evaluation)


def brief(turn: int = 2, **more: object) -> Brief:
    facts = Facts(
        gpu="H100",
        workload="default",
        kernels=(KernelFacts("relu_kernel", 1, (512, 1, 1), 64, 16, 0, 0, 0, 32, 1.0, "threads", 131072.0),),
        inputs=(TensorFacts((128, 1024), "float16", 262144),),
        outputs=(TensorFacts((128, 1024), "float16", 262144),),
    )
    seed = Attempt(0, 0, "seed", SEED, measured(0.5), Evidence((facts,)), (FINDING,))
    history = (
        seed,
        attempt(1, CACHED, measured(0.4), hypothesis="keep the kernel from call to call"),
        attempt(2, KERNEL.replace("T.max", "T.maxx"), CompileFailed("T.maxx does not exist", 12, "Use T.max.")),
        attempt(3, KERNEL + "\nimport ctypes\n", Rejected("static", (Reason("native", "native code", 22, "No."),))),
        attempt(4, KERNEL.replace("T.float16(0)", "T.float16(1)"), Wrong(Mismatch("wrong values in output 0"))),
        knob_attempt(5, "threads=64", "threads=128", measured(0.6)),
        knob_attempt(6, "block=256", "block=512", measured(0.45)),
        knob_attempt(7, "threads=64", "threads=2048", CompileFailed("too many threads")),
    )
    example = Example(
        "1_20.py", "20_LeakyReLU", KERNEL.replace("relu", "leaky"), 1.0, 1.3, "H100",
        Before(KERNEL.replace("relu", "slow"), 0.7), ("wide loads",), "also elementwise",
    )  # fmt: skip
    made = Brief(
        PROBLEM, seed, history, turn, "structure", "H100", 3,
        examples=(example,),
        guidelines=("0.500x on H100. Look at how the work is cut.", f"{FINDING.message}. {FINDING.action}"),
        lessons=(Lesson("Two elements a thread hide latency.", "elementwise on H100", 1.4, "H100"),),
        standing=("workload default: 12% of what the hardware allows",),
    )  # fmt: skip
    return replace(made, **more)  # type: ignore[arg-type]
