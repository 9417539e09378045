import pytest

from samples import PROBLEM, measured
from tilewright.proposers.rewrites import REWRITES, RewriteProposer
from tilewright.protocols import Proposer
from tilewright.records import Attempt, Brief, Candidate, Finding

SCALE = """
import tilelang
import tilelang.language as T
import torch.nn as nn


@tilelang.jit(out_idx=[-1])
def scale(n, threads=32):
    @T.prim_func
    def kernel(X: T.Tensor((n,), "float16"), Y: T.Tensor((n,), "float16")):
        with T.Kernel(T.ceildiv(n, threads), threads=threads) as bx:
            tx = T.get_thread_binding(0)
            if bx * threads + tx < n:
                Y[bx * threads + tx] = X[bx * threads + tx] * T.float16(2)

    return kernel


class ModelNew(nn.Module):
    def __init__(self):
        super().__init__()

    def forward(self, x):
        return scale(x.numel())(x.view(-1)).view(x.shape)
"""


def _brief(
    source: str, limit: int = 8, findings: tuple[Finding, ...] = (), tried: tuple[Candidate, ...] = ()
) -> Brief:
    seed = Attempt(0, 0, "seed", Candidate(source=source, entry_point="Net"), measured(1.0), findings=findings)
    history = [seed, *(Attempt(n, 1, "structure", c, measured(0.9)) for n, c in enumerate(tried, 1))]
    return Brief(PROBLEM, seed, tuple(history), 1, "structure", "H100", limit)


def test_it_is_a_proposer():
    assert isinstance(RewriteProposer(), Proposer)


def test_all_together_comes_first_then_each_alone():
    found = RewriteProposer().propose(_brief(SCALE))
    assert [c.hypothesis.partition(":")[0] for c in found] == [
        "flat_elementwise + cache_kernels",
        "flat_elementwise",
        "cache_kernels",
    ]
    parent = Candidate(source=SCALE, entry_point="Net")
    assert all(c.proposer == "rewrites" and c.parent == parent.id and c.entry_point == "Net" for c in found)
    assert all(c.hypothesis.endswith(".") for c in found)


def test_what_answers_the_weightiest_finding_goes_before_the_rest():
    host = Finding("kernel-built-in-forward", "host", "high", "m", "a", saves=0.9)
    loads = Finding("scalar_loads", "memory", "low", "m", "a", saves=0.1)
    found = RewriteProposer().propose(_brief(SCALE, findings=(loads, host)))
    assert [c.hypothesis.partition(":")[0] for c in found][1:] == ["cache_kernels", "flat_elementwise"]


def test_what_pays_at_some_sizes_only_waits_for_its_finding():
    rows = SCALE.replace("(n,)", "(n, 64)").replace("tx < n:", "tx < n:\n                s[0] = 0.0\n")
    binding = "get_thread_binding(0)"
    rows = rows.replace(binding, f"{binding}\n            s = T.alloc_local((1,), 'float32')")
    rows = rows.replace(
        "Y[bx * threads + tx] = X[bx * threads + tx] * T.float16(2)",
        "for j in T.serial(64):\n                    s[0] += X[bx * threads + tx, j]\n"
        "                for j in T.serial(64):\n                    Y[bx * threads + tx, j] = s[0]",
    )
    serial = Finding("serial-reduction", "memory", "high", "m", "a", saves=0.9)
    few = Finding("too-few-blocks", "parallelism", "high", "m", "a", saves=0.5)
    for findings, expected in (((serial,), False), ((serial, few), True), ((), True)):
        names = [c.hypothesis.partition(":")[0] for c in RewriteProposer().propose(_brief(rows, findings=findings))]
        assert "block_per_row" in names
        assert ("split_rows" in names) is expected


def test_no_more_than_asked_for_and_nothing_twice():
    proposer = RewriteProposer()
    first = proposer.propose(_brief(SCALE, limit=1))
    assert len(first) == 1
    second = proposer.propose(_brief(SCALE, tried=tuple(first)))
    assert len(second) == 2 and first[0].id not in {c.id for c in second}
    assert proposer.propose(_brief(SCALE, tried=tuple(first + second))) == []


def test_the_same_brief_gives_the_same_proposals():
    assert RewriteProposer().propose(_brief(SCALE)) == RewriteProposer().propose(_brief(SCALE))


@pytest.mark.parametrize("rewrite", REWRITES, ids=lambda rewrite: rewrite.name)
def test_a_file_without_kernels_is_left_alone(rewrite):
    assert list(rewrite.apply("import torch\n\n\ndef f(x):\n    return x + 1\n")) == []
