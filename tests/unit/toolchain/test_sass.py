import pytest
import tilelang.language as T
from counted_kernels import add, column_sum, matmul
from tvm import tirx

from tilewright.hardware import load_gpu
from tilewright.records import Instructions, TensorAccess
from tilewright.toolchain.compile import Compiled, Request, compile_kernels
from tilewright.toolchain.disassemble import DeviceCode
from tilewright.toolchain.mix import mix, mix_in_loops
from tilewright.toolchain.moves import tensor_accesses
from tilewright.toolchain.programs import find_nvcc, find_nvdisasm
from tilewright.toolchain.sass import functions

needs_nvdisasm = pytest.mark.skipif(
    find_nvcc() is None or find_nvdisasm() is None, reason="nvcc or nvdisasm is not installed"
)

# A loop, a wait whose waiting was moved behind the end, a subroutine for rare divisors, and padding.
WRITTEN = """
	.target	sm_90a
	.section	.text.scale_kernel,"ax",@progbits
        .global         scale_kernel
scale_kernel:
.text.scale_kernel:
        /*0000*/                   LDC R1, c[0x0][0x28] ;
        /*0010*/                   LDC.64 R2, c[0x0][0x210] ;
        /*0020*/                   LDC.64 R4, c[0x0][0x218] ;
        /*0030*/                   S2R R0, SR_TID.X ;
        /*0040*/                   SYNCS.PHASECHK.TRANS64.TRYWAIT P0, [UR17], R0 ;
        /*0050*/              @!P0 BRA `(.L_x_4) ;
.L_x_1:
        /*0060*/                   IMAD.WIDE R6, R0, 0x2, R2 ;
        /*0070*/                   LDG.E.U16.CONSTANT R8, desc[UR4][R6.64] ;
        /*0080*/                   HADD2.F32 R8, -RZ, R8.H0_H0 ;
.L_x_2:
        /*0090*/                   FFMA R9, R8, R8, R9 ;
        /*00a0*/                   LDG.E.128 R12, desc[UR4][R6.64+0x10] ;
        /*00b0*/                   CALL.REL.NOINC `($__internal_0_$__cuda_sm3x_div_rn_noftz_f32_slowpath) ;
        /*00c0*/               @P1 BRA `(.L_x_2) ;
        /*00d0*/                   SEL R4, R4, R2, P1 ;
        /*00e0*/                   STG.E desc[UR4][R4.64], R9 ;
        /*00e8*/                   STL [R1+0x8], R12 ;
        /*00f0*/                   STG.E.64 desc[UR4][R6.64], R12 ;
        /*0100*/                   EXIT ;
.L_x_4:
        /*0110*/                   SYNCS.PHASECHK.TRANS64.TRYWAIT P0, [UR17], R0 ;
        /*0120*/              @!P0 BRA `(.L_x_4) ;
        /*0130*/                   BRA `(.L_x_1) ;
$__internal_0_$__cuda_sm3x_div_rn_noftz_f32_slowpath:
        /*0140*/                   FMUL R9, R9, R9 ;
        /*0150*/                   RET.REL.NODEC R2 `(scale_kernel) ;
.L_x_9:
        /*0160*/                   BRA `(.L_x_9) ;
"""
SIGNATURE = "__global__ void scale_kernel(const half_t* __restrict__ X, float* __restrict__ Y) {"


def code(kernel: tirx.PrimFunc, gpu: str = "H100") -> DeviceCode:
    (found,) = compile_kernels([Request(kernel, [-1])], load_gpu(gpu), timeout_s=120)
    assert isinstance(found, Compiled), found
    (only,) = found.code.values()
    return only


def moved(found: DeviceCode) -> dict[tuple[str, str], tuple[tuple[int, int], ...]]:
    return {(access.tensor, access.way): access.widths for access in found.accesses or ()}


def scatter(n: int = 4096) -> tirx.PrimFunc:
    @T.prim_func
    def scatter_kernel(X: T.Tensor((n,), "float32"), Y: T.Tensor((n,), "float32")):
        with T.Kernel(T.ceildiv(n, 128), threads=128) as bx:
            for i in T.Parallel(128):
                T.atomic_add(Y[(bx * 128 + i) // 7], X[bx * 128 + i])

    return scatter_kernel


def test_what_stands_in_loops_is_told_apart_and_a_wait_behind_the_end_is_no_loop_around_it():
    (function,) = functions(WRITTEN)
    everywhere, in_loops = mix(function), mix_in_loops(function)
    assert everywhere.global_loads == ((16, 1), (128, 1)) and everywhere.global_stores == ((32, 1), (64, 1))
    assert in_loops is not None
    assert (in_loops.fp32, in_loops.global_loads, in_loops.global_stores) == (1, ((128, 1),), ())


def test_the_compilers_subroutines_and_the_padding_are_not_counted():
    (function,) = functions(WRITTEN)
    assert mix(function).fp32 == 1
    assert mix(function).branches == 4


def test_registers_that_were_spilled_show_as_local_memory():
    (function,) = functions(WRITTEN)
    assert (mix(function).local_stores, mix(function).local_loads) == (1, 0)


def test_a_conversion_is_no_arithmetic():
    (function,) = functions(WRITTEN)
    assert (mix(function).conversions, mix(function).fp16) == (1, 0)


def test_a_computed_branch_hides_the_loops():
    (function,) = functions(WRITTEN.replace("BRA `(.L_x_1)", "BRX R2 -0x10"))
    assert mix_in_loops(function) is None
    assert mix(function).global_loads != ()


def test_addresses_are_followed_to_their_tensor_and_an_address_chosen_between_two_is_neither():
    (function,) = functions(WRITTEN)
    assert tensor_accesses(function, (0x210, 0x218), SIGNATURE) == (
        TensorAccess("X", "load", ((16, 1), (128, 1)), ((128, 1),)),
        TensorAccess("", "store", ((32, 1),)),
        TensorAccess("X", "store", ((64, 1),)),
    )


def test_a_load_of_256_bits_fills_two_rows_of_registers():
    changed = WRITTEN.replace("LDG.E.128 R12, desc[UR4][R6.64+0x10]", "LDG.E.ENL2.256 R20, R24, desc[UR4][R6.64]")
    (function,) = functions(changed.replace("SEL R4, R4, R2, P1", "LDG.E.ENL2.256 R0, R12, desc[UR4][R6.64]"))
    accesses = tensor_accesses(function, (0x210, 0x218), SIGNATURE) or ()
    assert TensorAccess("Y", "store", ((32, 1),)) in accesses and TensorAccess("X", "store", ((64, 1),)) in accesses


def test_a_bulk_copy_names_its_destination_first():
    text = WRITTEN.replace("LDC R1, c[0x0][0x28]", "ULDC.64 UR4, c[0x0][0x218]")
    (function,) = functions(text.replace("SEL R4, R4, R2, P1", "UBLKCP.G.S [UR4], [UR6], UR8, desc[UR10]"))
    assert TensorAccess("Y", "TMA store") in (tensor_accesses(function, (0x210, 0x218), SIGNATURE) or ())
    assert mix(function).tma_stores == 1


def test_a_signature_that_does_not_fit_the_binary_says_nothing_of_tensors():
    (function,) = functions(WRITTEN)
    assert tensor_accesses(function, (0x210,), SIGNATURE) is None


@needs_nvdisasm
def test_an_elementwise_kernel_moves_whole_vectors_and_has_no_loop():
    found = code(add())
    assert moved(found)["A", "load"] == ((128, 4),)
    assert moved(found)["C", "store"] == ((128, 4),)
    assert found.loop_instructions == Instructions(total=0)
    assert found.instructions.wgmma == found.instructions.mma == found.instructions.tma_loads == 0


@needs_nvdisasm
def test_a_product_on_hopper_uses_its_tensor_cores_and_the_tma():
    found = code(matmul())
    assert found.instructions.wgmma > 0 and found.instructions.mma == 0
    assert found.instructions.tma_loads > 0 and found.instructions.local_loads == 0
    assert {("A", "TMA load"), ("B", "TMA load")} <= set(moved(found))


@needs_nvdisasm
def test_the_same_product_on_ampere_copies_asynchronously_to_shared_memory():
    found = code(matmul(), "A100")
    assert found.instructions.wgmma == 0 and found.instructions.mma > 0 and found.instructions.matrix_loads > 0
    assert found.loop_instructions is not None and found.loop_instructions.mma > 0
    assert [bits for bits, _ in moved(found)["A", "async copy"]] == [128]
    assert [bits for bits, _ in moved(found)["B", "async copy"]] == [128]


@needs_nvdisasm
def test_a_thread_that_sums_its_column_loads_one_element_at_a_time_in_a_loop():
    found = code(column_sum())
    (load,) = [access for access in found.accesses or () if access.way == "load"]
    assert load.tensor == "X" and [bits for bits, _ in load.in_loops] == [32]
    assert found.loop_instructions is not None and found.loop_instructions.fp32 > 0


@needs_nvdisasm
def test_atomics_are_told_from_stores():
    found = code(scatter())
    assert ("Y", "atomic") in moved(found) and ("Y", "store") not in moved(found)
    assert found.instructions.atomics > 0


@needs_nvdisasm
def test_what_was_disassembled_is_known_again_without_nvdisasm(monkeypatch):
    first = code(add())
    monkeypatch.setattr("tilewright.toolchain.disassemble.find_nvdisasm", lambda: None)
    assert code(add()) == first
