"""Techniques are recognised by rows of a table."""

import pytest
from references import kernel

from tilewright.analysis.rules import built_in_rules
from tilewright.errors import ConfigError
from tilewright.rag.techniques import found_in, read_techniques, shipped_techniques
from tilewright.records import Finding


def names(source: str) -> set[str]:
    return {technique.name for technique in found_in(source, shipped_techniques())}


def test_a_new_pattern_is_a_row() -> None:
    row = """
[[technique]]
name = "printed"
what = "The kernel prints."
signs = [[{ call = "T.print", inside = "T.serial" }], [{ code = 'printf' }]]
"""
    techniques = read_techniques(row)
    assert [t.name for t in found_in(kernel("T.print(k)", "T.serial(N)"), techniques)] == ["printed"]
    assert [t.name for t in found_in(kernel('T.call_extern("printf", 1)'), techniques)] == ["printed"]
    assert not found_in(kernel("T.print(row)"), techniques)


GEMM = "T.copy(X[0, k], a)\nT.gemm(a, b, c, transpose_B=True)"
PIPELINED = kernel(GEMM, "T.Pipelined(N, num_stages=num_stages)")


@pytest.mark.parametrize(
    ("technique", "has", "has_not"),
    [
        ("pipelined loads", PIPELINED, PIPELINED.replace("num_stages=3", "num_stages=0")),
        ("tensor cores", PIPELINED, PIPELINED.replace("T.gemm", "T.copy")),
        ("transposed operands in place", PIPELINED, PIPELINED.replace("transpose_B=True", "transpose_B=False")),
        ("block rasterisation", kernel("T.use_swizzle(8)"), kernel("T.clear(c)")),
        (
            "gather before reducing",
            kernel("for i in T.Parallel(N):\n    a[i] += X[row, i]", "T.serial(N)") + "\nT.reduce_sum(a, b)",
            kernel("for i in T.Parallel(N):\n    a[i] = X[row, i]\nT.reduce_sum(a, b)", "T.serial(N)"),
        ),
        (
            "fused epilogue",
            kernel("T.gemm(a, b, c)\nfor i in T.Parallel(N):\n    c[i] = T.max(c[i], 0)"),
            kernel("T.gemm(a, b, c)") + kernel("for i in T.Parallel(N):\n    c[i] = 0", name="relu"),
        ),
        (
            "store through shared memory",
            kernel("T.copy(acc, Y_shared)\nT.copy(Y_shared, Y[row, 0])"),
            kernel("T.copy(acc, Y[row, 0])"),
        ),
        (
            "fp32 accumulation",
            kernel('a = T.alloc_fragment((N,), "float32")'),
            kernel("a = T.alloc_fragment((N,), d)"),
        ),
        ("warp shuffles", kernel("a = T.shfl_down(b, 16)"), kernel("T.reduce_sum(a, b)")),
        ("TMA copies", kernel('T.copy(a, b, prefer_instruction="tma")'), kernel("T.copy(a, b)")),
    ],
)
def test_a_technique_is_seen_where_it_is_used_and_nowhere_else(technique: str, has: str, has_not: str) -> None:
    assert technique in names(has)
    assert technique not in names(has_not)


def test_comments_and_docstrings_show_no_technique() -> None:
    source = '"""Uses stream_k."""\n' + kernel("T.clear(c)  # split_k with T.gemm\nT.gemm(a, b, c)")
    assert not {"stream-K", "split-K"} & names(source)


def test_the_name_under_which_tilelang_is_imported_does_not_matter() -> None:
    renamed = PIPELINED.replace("language as T", "language as tl").replace("T.", "tl.")
    assert names(renamed) == names(PIPELINED)


def test_what_is_no_python_shows_nothing() -> None:
    assert not names("def (")


@pytest.mark.parametrize("sign", ['{ kall = "T.copy" }', "{ code = '(' }", "{ times = 2 }"])
def test_a_row_that_says_what_no_row_can_is_refused(sign: str) -> None:
    with pytest.raises(ConfigError):
        read_techniques(f'[[technique]]\nname = "a"\nwhat = "b"\nsigns = [[{sign}]]')


def test_the_rule_of_a_finding_says_more_than_its_category() -> None:
    pipelined = next(t for t in shipped_techniques() if t.name == "pipelined loads")
    named = Finding("no-pipelining", "parallelism", "high", "", "")
    alike = Finding("tail-wave", "parallelism", "high", "", "")
    other = Finding("launch-bound", "host", "high", "", "")
    assert pipelined.answers(named) == 1 > pipelined.answers(alike) > pipelined.answers(other) == 0


def test_techniques_of_other_gpus_are_told_apart() -> None:
    cluster = next(t for t in shipped_techniques() if t.name == "thread-block clusters")
    assert cluster.runs_on("sm_90a") and cluster.runs_on("") and not cluster.runs_on("sm_80")


def test_what_a_technique_answers_is_a_rule() -> None:
    rules = {rule.name for rule in built_in_rules()}
    named = {rule for technique in shipped_techniques() for rule in technique.rules}
    assert named <= rules


def test_names_are_unique_and_each_says_what_it_is() -> None:
    shipped = shipped_techniques()
    assert len({technique.name for technique in shipped}) == len(shipped) >= 25
    assert all(technique.what.endswith(".") and technique.signs for technique in shipped)
