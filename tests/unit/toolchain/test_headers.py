from pathlib import Path

import pytest
from counted_kernels import add, matmul

from tilewright.hardware import load_gpu
from tilewright.toolchain.headers import write_short_headers
from tilewright.toolchain.lower import lower
from tilewright.toolchain.programs import find_nvcc

pytestmark = pytest.mark.skipif(find_nvcc() is None, reason="nvcc is not installed")


def kernel_code(source: str, arch: str, *options: str) -> str:
    """The PTX without what names the file, which lies in a folder of its own."""
    from tilelang.contrib import nvcc

    made = nvcc.compile_cuda(source, "ptx", [f"-arch={arch}"], [*nvcc.default_compile_options(), *options])
    text = bytes(made).decode()
    return text[text.index(".entry") : text.index(".file")]


@pytest.mark.parametrize(("kernel", "gpu"), [(add(64, 512), "H100"), (matmul(), "H100"), (matmul(), "A100")])
def test_a_kernel_is_the_same_to_the_last_instruction_with_headers_in_short(kernel, gpu, tmp_path):
    gpu = load_gpu(gpu)
    source = lower(kernel, gpu).source
    assert kernel_code(source, gpu.arch, write_short_headers(tmp_path)) == kernel_code(source, gpu.arch)


def test_what_is_not_in_a_header_in_short_is_an_error(tmp_path: Path):
    source = "#include <cstdio>\n#include <vector>\n__global__ void f(int *n) { *n = sizeof(std::vector<int>); }"
    assert "sizeof" not in kernel_code(source, "sm_80")
    with pytest.raises(RuntimeError, match="vector"):
        kernel_code(source, "sm_80", write_short_headers(tmp_path))
