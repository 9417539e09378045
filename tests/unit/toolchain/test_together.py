from typing import Any

import pytest
import tilelang.language as T
from counted_kernels import add, matmul

from tilewright.hardware import load_gpu
from tilewright.toolchain.compile import Compiled, Request, compile_kernels
from tilewright.toolchain.programs import find_nvcc
from tilewright.toolchain.translation import joined, parted, parted_disassembly, surroundings

H100 = load_gpu("H100")
PTX_OF_TWO = """\
.version 9.0
.extern .shared .align 1024 .b8 tile__of_0_[];
.extern .shared .align 16 .b8 tile__of_1_[];
.visible .entry f__of_0_(
	.param .u64 f__of_0__param_0
)
{
	// begin inline asm
	{
	mov.u32 %r1, %r2;
}
	// end inline asm
	ret;
}
.visible .entry f__of_1_()
{
	ret;
}
.file 1 "kernels.cu"
"""

needs_nvcc = pytest.mark.skipif(find_nvcc() is None, reason="nvcc is not installed")


def scaled(function: str) -> Any:
    @T.prim_func
    def scaled_kernel(A: T.Tensor((128,), "float32"), B: T.Tensor((128,), "float32")):
        with T.Kernel(1, threads=128):
            for i in T.Parallel(128):
                B[i] = T.call_extern("float32", function, A[i])

    return scaled_kernel


@needs_nvcc
def test_kernels_compiled_together_are_the_same_to_the_last_instruction(monkeypatch, tmp_path):
    kernels = [add(64, 512), matmul(block=64), add(96, 512)]
    together = compile_kernels([Request(kernel, [-1]) for kernel in kernels], H100, timeout_s=240)
    monkeypatch.setenv("TILELANG_CACHE_DIR", str(tmp_path))  # and another key, for what TileLang has in memory
    alone = [compile_kernels([Request(kernel, [2])], H100, timeout_s=240)[0] for kernel in kernels[1:]]
    for one, other in zip(together[1:], alone):
        assert isinstance(one, Compiled) and isinstance(other, Compiled)
        assert one.lowered.source == other.lowered.source
        assert one.usage == other.usage != {}
        assert one.code == other.code != {}


@needs_nvcc
def test_a_kernel_that_nvcc_refuses_keeps_none_of_the_others_from_being_compiled():
    kernels = [scaled("fabsf"), scaled("no_such_function"), scaled("sqrtf")]
    right, refused, right_too = compile_kernels([Request(kernel, [-1]) for kernel in kernels], H100, timeout_s=240)
    assert isinstance(right, Compiled) and isinstance(right_too, Compiled)
    assert right.usage and right_too.usage
    assert 'identifier "no_such_function" is undefined' in str(refused)


@needs_nvcc
def test_equal_sources_under_two_keys_have_the_same_facts():
    first, second = compile_kernels([Request(add(32, 512), [-1]), Request(add(32, 512), [2])], H100, timeout_s=240)
    assert isinstance(first, Compiled) and isinstance(second, Compiled)
    assert first.usage == second.usage != {}


def test_each_source_gets_its_own_kernels_and_memory_from_the_ptx_of_all():
    first, second = parted(PTX_OF_TWO, 2)
    assert first.count(".entry") == second.count(".entry") == 1
    assert ".align 1024 .b8 tile[]" in first and ".align 16" not in first
    assert ".visible .entry f()\n{\n\tret;\n}\n" in second and "asm" not in second
    assert "__of_" not in first + second
    assert '.file 1 "kernels.cu"' in first and '.file 1 "kernels.cu"' in second


def test_each_source_gets_its_own_functions_from_the_disassembly_of_all():
    functions = [f'\t.section\t.text.f__of_{n}_,"ax",@progbits\n.L_x_{n}:\n /*0000*/ EXIT ;\n' for n in (1, 0)]
    first, second = parted_disassembly("headerflags\n" + "".join(functions), 2)
    assert ".L_x_0" in first and ".L_x_1" in second
    assert ".text.f," in first and ".text.f," in second


def test_ptx_without_a_kernel_of_each_source_is_refused():
    with pytest.raises(ValueError, match="source 2"):
        parted(PTX_OF_TWO, 3)


def test_sources_with_code_or_macros_of_their_own_stay_alone():
    kernel = 'extern "C" __global__ void f(float* a) {\n  a[0] = 1;\n}\n'
    assert surroundings("#include <a.h>\n" + kernel) == surroundings("#include <b.h>\n" + kernel) == ""
    assert surroundings("#define WIDE 1\n" + kernel) == "#define WIDE 1"
    assert surroundings("__device__ int count;\n" + kernel) is None
    assert surroundings(kernel + "#define f g\n") is None
    assert surroundings("int main() {}\n") is None


def test_kernels_of_one_name_are_told_apart_and_keep_their_lines():
    kernel = 'extern "C" __global__ void f(float* a) {\n  a[0] = 1;\n}\n'
    unit = joined(["#include <a.h>\n" + kernel, "#include <a.h>\n#include <b.h>\n" + kernel])
    assert "#define f f__of_0_" in unit and "#define f f__of_1_" in unit
    assert f'#line 3 "kernel_1.cu"\n{kernel}' in unit
