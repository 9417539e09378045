"""Which values of a kernel are knobs, and that writing them in changes nothing else."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tilewright.errors import KernelFileError
from tilewright.source.knobs import find_knobs, values_of, with_values

CORPUS = Path(__file__).parents[3] / "src" / "prompts" / "correct_tilelang"

HEAD = "import tilelang\nimport tilelang.language as T\n\n\n"


def factory(
    parameters: str = "block_M=128, block_N=128, block_K=32, num_stages=2, threads=128",
    name: str = "matmul",
    threads: str = "threads",
    stages: str = "num_stages",
    body: str = "",
) -> str:
    return (
        f"def {name}(M, N, K, batch_size, {parameters}):\n{body}"
        "    @T.prim_func\n"
        '    def kernel(A: T.Tensor((M, K), "float16")):\n'
        f"        with T.Kernel(M, threads={threads}) as bx:\n"
        f"            for k in T.Pipelined(K, num_stages={stages}):\n"
        "                T.gemm(a, b, c)\n"
        "    return kernel\n\n\n"
    )


def test_defaults_of_a_factory_are_knobs_and_sizes_are_not():
    assert values_of(HEAD + factory()) == {
        "block_M": 128, "block_N": 128, "block_K": 32, "num_stages": 2, "threads": 128,
    }  # fmt: skip
    kinds = {knob.name: knob.kind for knob in find_knobs(HEAD + factory())}
    assert kinds == {
        "block_M": "tile", "block_N": "tile", "block_K": "tile", "num_stages": "stages", "threads": "threads",
    }  # fmt: skip


def test_choices_are_powers_of_two_around_the_present_value():
    choices = {
        knob.name: knob.choices
        for knob in find_knobs(HEAD + factory("block_M=96, block_K=32, threads=128", stages="0"))
    }
    assert choices["block_M"] == (32, 64, 96, 128, 256)
    assert choices["block_K"] == (16, 32, 64, 128)
    assert choices["threads"] == (64, 128, 256, 512)


def test_a_flat_block_may_grow_to_thousands():
    (block,) = find_knobs(HEAD + factory("block_size=1024", threads="128 if M else 64", stages="n"))
    assert block.choices == (128, 256, 512, 1024, 2048, 4096, 8192)


def test_the_value_that_a_call_passes_is_the_knob_not_the_default_it_overrides():
    source = HEAD + factory() + "kernel = matmul(1024, 1024, 1024, 16, block_M=64, threads=256)\n"
    assert values_of(source)["block_M"] == 64
    assert values_of(source)["threads"] == 256
    changed = with_values(source, {"block_M": 32})
    assert "block_M=128" in changed and "block_M=32" in changed


def test_a_positional_literal_at_the_call_is_the_knob():
    source = HEAD + factory("block_M, block_N=64") + "kernel = matmul(1024, 1024, 1024, 16, 256)\n"
    assert values_of(source)["block_M"] == 256
    assert values_of(source)["block_N"] == 64


def test_a_value_is_followed_through_the_module_that_passes_it_on():
    source = HEAD + factory("block_M") + (
        "class ModelNew:\n"
        "    def __init__(self, features, block_M=64):\n"
        "        self.block = block_M\n"
        "    def forward(self, x):\n"
        "        return matmul(1, 2, 3, 4, block_M=self.block)(x)\n"
    )  # fmt: skip
    (knob,) = (knob for knob in find_knobs(source) if knob.name == "block_M")
    assert knob.value == 64
    assert source.splitlines()[knob.line - 1] == "    def __init__(self, features, block_M=64):"


def test_a_value_that_only_the_run_decides_is_no_knob():
    source = (
        HEAD + factory("block_M") + "def forward(x, **config):\n    return matmul(1, 2, 3, 4, block_M=x.shape[0])\n"
    )
    assert "block_M" not in values_of(source)
    unknown = HEAD + factory("block_M=64") + "kernel = matmul(1, 2, 3, 4, **config)\n"
    assert "block_M" not in values_of(unknown)


def test_values_in_a_dictionary_of_settings_are_knobs_where_it_is_unpacked_or_read():
    source = (
        HEAD
        + 'CONFIG = {"block_M": 64, "threads": 256}\nMORE = dict(block_N=32)\n\n\n'
        + factory()
        + 'kernel = matmul(1, 2, 3, 4, block_N=MORE["block_N"], **CONFIG)\n'
    )
    assert values_of(source) == {"block_M": 64, "block_N": 32, "block_K": 32, "num_stages": 2, "threads": 256}
    assert '"threads": 512' in with_values(source, {"threads": 512})


def test_sizes_passed_with_a_star_leave_the_defaults_in_effect():
    source = HEAD + factory("block_M=64") + "kernel = matmul(*x.shape)\n"
    assert values_of(source)["block_M"] == 64


def test_literals_in_the_launch_and_the_pipeline_are_knobs_named_by_their_line():
    source = HEAD + factory("block_M=64", threads="128", stages="3").replace(
        "            for", "            T.use_swizzle(panel_size=10, enable=True)\n            for"
    )
    assert values_of(source) == {
        "block_M": 64, "threads@8": 128, "panel_size@9": 10, "enable_swizzle@9": True, "num_stages@10": 3,
    }  # fmt: skip


def test_constants_of_the_module_and_of_the_factory_are_knobs():
    body = "    block_N, block_K = 64, 32\n"
    source = (
        HEAD
        + "BLOCK_M = 128\nN = 4096\nEPS = 1\n\n\n"
        + factory("dtype='float16'", body=body, threads="128 + 0", stages="2 * 1")
    )
    assert values_of(source) == {"BLOCK_M": 128, "block_N": 64, "block_K": 32}


def test_a_block_that_is_passed_as_threads_is_a_thread_count():
    (knob,) = find_knobs(HEAD + factory("block_size=256", threads="block_size", stages="n"))
    assert (knob.name, knob.kind, knob.choices) == ("block_size", "threads", (64, 128, 256, 512))


def test_two_factories_with_the_same_parameter_have_a_knob_each():
    source = (
        HEAD + factory("threads=128", name="first", stages="n") + factory("threads=256", name="second", stages="n")
    )
    assert values_of(source) == {"first.threads": 128, "second.threads": 256}
    assert values_of(with_values(source, {"second.threads": 64})) == {"first.threads": 128, "second.threads": 64}


def test_two_calls_with_different_literals_have_a_knob_each():
    calls = "a = matmul(1, 2, 3, 4, block_M=64)\nb = matmul(4, 5, 6, 7, block_M=128)\n"
    blocks = {
        name: value for name, value in values_of(HEAD + factory("block_M") + calls).items() if "block_M" in name
    }
    assert sorted(blocks.values()) == [64, 128]


def test_boolean_pass_configurations_are_flags_but_not_those_that_drop_guards():
    source = HEAD + (
        '@tilelang.jit(out_idx=[-1], pass_configs={"tl.disable_warp_specialized": True, '
        '"tl.disable_safe_memory_legalize": True, tilelang.PassConfigKey.TL_DISABLE_WGMMA: False})\n'
    ) + factory("block_M=64", threads="t", stages="n")  # fmt: skip
    flags = {knob.name: knob.choices for knob in find_knobs(source) if knob.kind == "flag"}
    assert flags == {"tl.disable_warp_specialized": (False, True), "TL_DISABLE_WGMMA": (False, True)}


def test_a_bool_that_changes_the_result_is_no_knob():
    assert values_of(HEAD + factory("use_bias=True, use_swizzle=False", threads="t", stages="n")) == {
        "use_swizzle": False
    }


def test_declared_knobs_come_first_with_their_own_values():
    source = HEAD + 'ROWS = 3\nTUNABLES = {"block_K": (32, 64), "ROWS": [1, 2]}\n\n\n' + factory()
    knobs = find_knobs(source)
    assert [(knob.name, knob.choices, knob.declared) for knob in knobs[:2]] == [
        ("block_K", (32, 64), True),
        ("ROWS", (1, 2, 3), True),
    ]
    assert "block_K" not in [knob.name for knob in knobs[2:]]
    assert "ROWS = 2\n" in with_values(source, {"ROWS": 2})


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ('{"block_Q": (1, 2)}', "names 'block_Q'"),
        ('{"block_M": 64}', "must be a tuple of values"),
        ('{"block_M": ("a",)}', "must be int or bool"),
        ("dict(block_M=(64,))", "must be a dictionary of literals"),
    ],
)
def test_wrong_tunables_are_refused_with_line_and_remedy(table: str, message: str):
    with pytest.raises(KernelFileError, match=message) as refused:
        find_knobs(HEAD + f"TUNABLES = {table}\n\n\n" + factory())
    assert str(refused.value).startswith("line 5: ")


def test_only_the_values_change_byte_for_byte():
    source = HEAD.replace("\n", "\r\n") + "größe = 'äöü'; BLOCK_M = 128  # breite → 128\r\n" + factory(
        "block_N=64,  threads = 128 # keep\n    "
    )  # fmt: skip
    changed = with_values(source, {"BLOCK_M": 64, "threads": 1024})
    assert changed == source.replace("BLOCK_M = 128", "BLOCK_M = 64").replace("threads = 128", "threads = 1024")
    assert with_values(changed, {"BLOCK_M": 128, "threads": 128}) == source


def test_an_unknown_knob_is_refused_by_name():
    with pytest.raises(KernelFileError, match="no knob 'blok_M' in this kernel; known: block_M, block_N"):
        with_values(HEAD + factory(), {"blok_M": 1})


def test_a_file_that_is_no_python_is_refused_with_its_line():
    with pytest.raises(KernelFileError, match="line 3: this is no Python"):
        find_knobs("\n\ndef f(:\n")


@pytest.mark.parametrize("path", sorted(CORPUS.rglob("*.py")), ids=lambda path: path.stem)
def test_every_knob_of_the_corpus_takes_every_choice_and_goes_back(path: Path):
    source = path.read_text(encoding="utf-8")
    for knob in find_knobs(source):
        assert knob.value in knob.choices
        assert source.encode()[knob.start : knob.end].decode() == repr(knob.value)
        for choice in knob.choices[:2]:
            changed = with_values(source, {knob.name: choice})
            assert values_of(changed) == {**values_of(source), knob.name: choice}
            ast.parse(changed)
            assert with_values(changed, {knob.name: knob.value}) == source
