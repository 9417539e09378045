"""Bringing kernels of older TileLang up to date: what changes, and that nothing else does."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import tilewright
from tilewright.errors import KernelFileError
from tilewright.source.migrate import diff, migrate

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

SAMPLES = Path(__file__).parents[2] / "samples" / "legacy"
CORPUS = Path(__file__).parents[3] / "src" / "prompts" / "correct_tilelang"
LEGACY = sorted(path.stem for path in SAMPLES.glob("*.py"))


def sample(name: str) -> str:
    return (SAMPLES / f"{name}.py").read_text(encoding="utf-8")


def kernel(body: str, before: str = "") -> str:
    """A modern factory with the given statements inside T.Kernel."""
    indented = "".join(f"            {line}\n" for line in body.strip("\n").splitlines())
    outside = "".join(f"        {line}\n" for line in before.splitlines())
    return (
        "import tilelang\nimport tilelang.language as T\n\n\n"
        "@tilelang.jit(out_idx=[-1])\n"
        'def build(n, scale, flag, dtype="float16"):\n'
        "    @T.prim_func\n"
        '    def kernel(X: T.Tensor((n,), dtype), I: T.Tensor((n,), "int32"), Y: T.Tensor((n,), dtype)):\n'
        f"{outside}"
        "        with T.Kernel(n, threads=128) as b:\n"
        f"{indented}\n"
        "    return kernel\n"
    )


def changed_lines(source: str) -> list[str]:
    old, new = source.splitlines(), migrate(source).source.splitlines()
    return [line.strip() for line in new if line not in old]


def test_a_decorator_over_a_prim_func_becomes_a_compile_call_below_it():
    lines = migrate(sample("elementwise")).source.splitlines()
    assert "    relu = tilelang.compile(relu, out_idx=-1)  # compiled when the builder runs" in lines
    assert lines[
        lines.index("    relu = tilelang.compile(relu, out_idx=-1)  # compiled when the builder runs") + 2
    ] == ("    return relu")
    assert not any("@tilelang.jit" in line for line in lines)


def test_a_bare_decorator_of_a_module_level_kernel_is_compiled_below_it_too():
    assert (
        "\n\n\nfirst_bit = tilelang.compile(first_bit)\n\n\ndef prim_func" in migrate(sample("module_level")).source
    )


def test_decorators_above_jit_are_applied_to_the_compiled_kernel():
    source = (
        "import tilelang as tl\nimport tilelang.language as T\n\n@register\n@tl.jit(out_idx=-1)\n@T.prim_func\n"
        'def k(X: T.Tensor((8,), "float16")):\n    pass'
    )
    assert migrate(source).source.endswith("    pass\n\n\nk = register(tl.compile(k, out_idx=-1))\n")


def test_a_jit_call_on_a_prim_func_becomes_compile():
    head = "import tilelang\nimport tilelang.language as T\n"
    head += '@T.prim_func\ndef k(X: T.Tensor((8,), "float16")):\n    pass\n'
    now = head + "a = tilelang.compile(k, out_idx=-1)\n"
    assert migrate(head + "a = tilelang.jit(k, out_idx=-1)\n").source == now
    assert migrate(head + "a = tilelang.jit(out_idx=-1)(k)\n").source == now


def test_an_imported_jit_brings_its_own_import_and_loses_what_is_gone():
    source = migrate(sample("gemm")).source
    assert "import tilelang\nimport tilelang.language as T\nfrom tilelang import jit\n" in source
    call = source[source.index("gemm = tilelang.compile(") : source.index("    return gemm")]
    assert "dlpack" not in call and "dynamic_tail_split" not in call
    assert '"tirx.disable_vectorize": False' in call and '"tl.disable_warp_specialized": True' in call
    assert "T.copy(A[by * block_M, ko * block_K], A_shared, coalesced_width=8)" in source
    assert "T.gemm(A_shared, B_shared, C_local, transpose_B=True)" in source


def test_a_sum_kept_in_a_python_scalar_becomes_a_variable_of_its_type():
    assert changed_lines(sample("softmax"))[:2] == [
        "largest = T.alloc_var(accum_dtype, init=-T.infinity(accum_dtype))",
        'total = T.alloc_var("float32", init=0.0)',
    ]


def test_a_constant_set_in_a_branch_is_found_though_tilelang_takes_it_in_silence():
    assert changed_lines(kernel("v = X[b]\nif v < 0:\n    v = 0.0\nY[b] = v")) == [
        "v = T.alloc_var(dtype, init=X[b])"
    ]


def test_a_scalar_first_set_in_both_branches_is_declared_before_them():
    source = kernel(
        "if I[b] > 0:\n    v = X[b]\nelif I[b] < -1:\n    v = X[b] * scale\nelse:\n    v = X[0]\nY[b] = v"
    )
    assert changed_lines(source) == ["v = T.alloc_var(dtype)"]
    ast.parse(migrate(source).source)


def test_a_scalar_set_outside_the_launch_is_allocated_inside_it():
    source = kernel("for i in T.serial(n):\n    acc += X[i]\nY[b] = acc", before="acc = 0.0")
    assert changed_lines(source) == ['acc = T.alloc_var("float32", init=acc)']


def test_a_tuple_of_scalars_and_an_annotated_one_are_variables_each():
    assert changed_lines(
        kernel("s, q = 0.0, 0\nfor i in T.serial(n):\n    s, q = s + X[i], q + I[i]\nY[b] = s + q")
    ) == ['s, q = T.alloc_var("float32", init=0.0), T.alloc_var("int32", init=0)']
    assert changed_lines(kernel("s: T.float32 = 0.0\nfor i in T.serial(n):\n    s += X[i]\nY[b] = s")) == [
        's = T.alloc_var("float32", init=0.0)'
    ]


@pytest.mark.parametrize(
    "body",
    [
        "v = X[b]\nv = v * 2\nY[b] = v",
        "i = b\nif i < n:\n    w = i % 4\n    i = i // 4\n    Y[i] = w",
        "for i in T.serial(n):\n    t = X[i]\n    t = t * t\n    Y[i] = t",
        "v = X[b]\nif flag:\n    v = v + 1\nY[b] = v",
        "v = X[b]\nfor q in (1, 2, 3):\n    v = v + X[q]\nY[b] = v",
        "v = T.alloc_var(dtype, init=X[b])\nif v < 0:\n    v = 0.0\nY[b] = v",
        "acc = T.alloc_local((1,), dtype)\nacc[0] = 0\nfor i in T.serial(n):\n    acc[0] += X[i]\nY[b] = acc[0]",
        "for k in T.serial(2):\n    Y[k] = X[k]\nfor k in T.serial(3):\n    Y[k] = X[k]",
    ],
    ids=["same_block", "inside_one_branch", "each_turn", "decided_while_tracing", "python_loop", "variable", "local",
         "loop_names"],
)  # fmt: skip
def test_a_modern_kernel_comes_back_byte_for_byte(body: str):
    source = kernel(body)
    assert migrate(source).source == source
    assert migrate(source).changes == ()


def test_a_scalar_whose_type_the_source_does_not_tell_is_left_alone():
    source = kernel("v = helper(b)\nfor i in T.serial(n):\n    v = v + helper(i)\nY[b] = v")
    assert migrate(source).source == source


@pytest.mark.parametrize("name", LEGACY)
def test_a_second_migration_changes_nothing(name: str):
    once = migrate(sample(name))
    assert once.changes
    assert migrate(once.source).source == once.source
    assert migrate(once.source).changes == ()


def test_windows_line_ends_and_letters_beyond_ascii_are_kept():
    source = sample("softmax").replace("rows, columns, threads", "rows, columns, größe=1, threads")
    source = source.replace("\n", "\r\n")
    new = migrate(source).source
    assert new.count("\n") == new.count("\r\n") and "größe=1" in new
    assert new.replace("\r\n", "\n") == migrate(source.replace("\r\n", "\n")).source


def test_names_and_modules_that_moved_are_found_under_the_files_own_aliases():
    source = (
        "import tilelang.language as tl\nfrom tilelang.intrinsics import make_mma_swizzle_layout\n"
        "class T:\n    gemm_v2 = 1\nx = T.gemm_v2\ntl.gemm_v2(a, b, c, k_pack=1)\n"
    )
    new = migrate(source).source
    assert "from tilelang.cuda.intrinsics import make_mma_swizzle_layout" in new
    assert "x = T.gemm_v2" in new and "tl.gemm(a, b, c)\n" in new


def test_no_kernel_of_the_corpus_changes():
    for path in sorted(CORPUS.rglob("*.py"))[:60]:
        source = path.read_text(encoding="utf-8")
        assert migrate(source).source == source, path.name


def test_each_change_says_what_and_where():
    found = migrate(sample("elementwise")).changes
    assert [(change.line, change.what.split(":")[0]) for change in found] == [(10, "relu")]


def test_the_diff_is_unified_and_empty_without_changes():
    old = sample("elementwise")
    text = diff(old, migrate(old).source, "elementwise.py")
    assert text.startswith("--- elementwise.py\n+++ elementwise.py (migrated)\n@@ ")
    assert diff(old, old, "elementwise.py") == ""


def test_a_file_that_is_no_python_is_refused_with_its_line():
    with pytest.raises(KernelFileError, match="line 2: this is no Python"):
        migrate("x = 1\ndef f(:\n")


COMPILE = """
import importlib.util, json, os, sys, tempfile
os.environ["TILELANG_DEFAULT_TARGET"] = '{"kind": "cuda", "arch": "sm_90a"}'
os.environ["TILELANG_CACHE_DIR"] = tempfile.mkdtemp()
import tilelang
outcome = {}
for path in sys.argv[1:]:
    spec = importlib.util.spec_from_file_location("kernel", path)
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
        outcome[os.path.basename(path)] = type(module.prim_func()).__name__
    except Exception as error:  # whatever tilelang raises is the answer
        outcome[os.path.basename(path)] = type(error).__name__
print(json.dumps(outcome))
"""


def test_legacy_kernels_fail_as_they_are_and_compile_once_migrated(tmp_path: Path):
    pytest.importorskip("tilelang")
    for name in ("softmax", "gemm"):
        (tmp_path / f"{name}_old.py").write_text(sample(name), encoding="utf-8")
        (tmp_path / f"{name}_new.py").write_text(migrate(sample(name)).source, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-c", COMPILE, *map(str, sorted(tmp_path.glob("*.py")))],
        capture_output=True, text=True, timeout=300, cwd=tmp_path, env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    outcome = json.loads(done.stdout.strip().splitlines()[-1])
    assert outcome["softmax_new.py"] == outcome["gemm_new.py"] == "JITKernel"
    assert outcome["softmax_old.py"].endswith("Error") and outcome["gemm_old.py"].endswith("Error")


INSTALLED = """
import importlib, json, sys
import tilelang, tilelang.language
def known(dotted):
    owner, _, name = dotted.rpartition(".")
    try:
        return hasattr(importlib.import_module(owner), name)
    except ImportError:
        return False
def importable(module):
    try:
        importlib.import_module(module)
    except ImportError:
        return False
    return True
names, modules = json.loads(sys.argv[1])
members = {member.value for member in tilelang.PassConfigKey} | set(tilelang.PassConfigKey.__members__)
print(json.dumps([{n: known(n) for n in names}, {m: importable(m) for m in modules}, sorted(members)]))
"""


def test_the_table_of_renames_is_true_of_the_installed_tilelang():
    pytest.importorskip("tilelang")
    table = tomllib.loads(
        (Path(tilewright.__file__).parent / "data" / "api_renames.toml").read_text(encoding="utf-8")
    )
    new_names = {old: f"{old.rpartition('.')[0]}.{new}" for old, new in table["names"].items()}
    asked = [[*new_names, *new_names.values()], [*table["modules"], *table["modules"].values()]]
    done = subprocess.run(
        [sys.executable, "-c", INSTALLED, json.dumps(asked)], capture_output=True, text=True, timeout=300
    )  # fmt: skip
    names, modules, configurations = json.loads(done.stdout.strip().splitlines()[-1])
    assert [old for old in new_names if names[old]] == []
    assert [new for new in new_names.values() if not names[new]] == []
    assert [old for old in table["modules"] if modules[old]] == []
    assert [new for new in table["modules"].values() if not modules[new]] == []
    assert [name for name in table["pass_configs"]["removed"] if name in configurations] == []
    assert [new for new in table["pass_configs"]["renamed"].values() if new not in configurations] == []
