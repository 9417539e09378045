import re
from pathlib import Path

import pytest
from counted_kernels import add, matmul

from tilewright.hardware import load_gpu
from tilewright.toolchain.headers import ShortHeaders
from tilewright.toolchain.lower import lower
from tilewright.toolchain.programs import find_nvcc

pytestmark = pytest.mark.skipif(find_nvcc() is None, reason="nvcc is not installed")


def ptx(source: str, arch: str, short: ShortHeaders | None = None) -> str:
    from tilelang.contrib import nvcc

    options = nvcc.default_compile_options()
    options = [*(short.options([source], options) if short else []), *options]
    return bytes(nvcc.compile_cuda(source, "ptx", [f"-arch={arch}"], options)).decode()


def instructions(text: str) -> str:
    """All but where in a file, whose folder is another, something comes from."""
    body = text[text.index(".entry") : text.index(".file")]
    return "\n".join(line for line in body.splitlines() if not line.lstrip().startswith(".loc"))


@pytest.mark.parametrize(("kernel", "gpu"), [(add(64, 512), "H100"), (matmul(), "H100"), (matmul(), "A100")])
def test_a_kernel_is_the_same_to_the_last_instruction_with_headers_in_short(kernel, gpu, tmp_path):
    gpu = load_gpu(gpu)
    source = lower(kernel, gpu).source
    whole, short = ptx(source, gpu.arch), ptx(source, gpu.arch, ShortHeaders(tmp_path))
    assert instructions(short) == instructions(whole)
    assert "mma" not in source or "mma" in instructions(short)


def test_lines_are_those_of_the_installed_headers(tmp_path):
    gpu = load_gpu("H100")
    source = lower(matmul(), gpu).source
    whole, short = ptx(source, gpu.arch), ptx(source, gpu.arch, ShortHeaders(tmp_path))

    def lines(text: str) -> list[str]:
        return re.findall(r"^\s*\.loc\s+\d+ (\d+)", text, re.MULTILINE)

    assert str(tmp_path) not in short and lines(short) == lines(whole)


def test_only_shapes_that_are_asked_for_are_read(tmp_path: Path):
    source = lower(matmul(), load_gpu("H100")).source
    (library, shapes) = ShortHeaders(tmp_path).options([source], _searched())
    (columns,) = set(re.findall(r"wgmma_[sr]s<[^(]*?, 64, (\d+),", source))
    read = "".join(path.read_text() for path in Path(shapes[2:]).rglob("*.hpp"))
    assert columns in re.findall(r"struct MMA_64x(\d+)x", read) and len(read) < 300_000 and library != shapes


@pytest.mark.parametrize(
    "source",
    [
        "#include <tl_templates/cuda/instruction/wgmma.h>\ntl::wgmma_ss<A, B, C, 64, N, 16>(a, b, c);",
        "#include <tl_templates/cuda/instruction/wgmma.h>\n#include <tl_templates/cuda/gemm.h>",
        "#include <tl_templates/cuda/copy.h>",
    ],
    ids=["a shape that is no number", "products of another kind", "no products"],
)
def test_where_shapes_are_not_known_or_not_read_the_installed_headers_serve(source: str, tmp_path: Path):
    assert len(ShortHeaders(tmp_path).options([source], _searched())) == 1


def test_what_is_not_in_a_header_in_short_is_an_error(tmp_path: Path):
    source = "#include <cstdio>\n#include <vector>\n__global__ void f(int *n) { *n = sizeof(std::vector<int>); }"
    assert "sizeof" not in ptx(source, "sm_80")
    with pytest.raises(RuntimeError, match="vector"):
        ptx(source, "sm_80", ShortHeaders(tmp_path))


def test_a_shape_that_was_left_out_is_an_error_and_no_other_code(tmp_path: Path):
    """As if a kernel's text had been misread."""
    source = lower(matmul(), load_gpu("H100")).source
    short = ShortHeaders(tmp_path)
    (columns,) = set(re.findall(r"wgmma_[sr]s<[^(]*?, 64, (\d+),", source))
    options = short.options([source.replace(f", 64, {columns},", ", 64, 8,")], _searched())
    from tilelang.contrib import nvcc

    with pytest.raises(RuntimeError):
        nvcc.compile_cuda(source, "ptx", ["-arch=sm_90a"], [*options, *_searched()])


def _searched() -> list[str]:
    from tilelang.contrib import nvcc

    return list(nvcc.default_compile_options())
