"""Products of tiles."""

from collections.abc import Callable
from typing import Any

import tilelang.language as T
import torch
from constructs.table import normal, shows, whole

A, B = normal(64, 32), normal(32, 64)
HALF_A, HALF_B = A.half(), B.half()


def product(
    dtype: str, accumulated: str, *, multiply: Any = T.gemm, transpose_b: bool = False, **options: Any
) -> Callable[[], Any]:
    shape_b = (64, 32) if transpose_b else (32, 64)

    def build() -> Any:
        @T.prim_func
        def kernel(A: T.Tensor((64, 32), dtype), B: T.Tensor(shape_b, dtype), C: T.Tensor((64, 64), accumulated)):
            with T.Kernel(1, threads=128) as _:
                a = T.alloc_shared((64, 32), dtype)
                b = T.alloc_shared(shape_b, dtype)
                c = T.alloc_fragment((64, 64), accumulated)
                T.copy(A, a)
                T.copy(B, b)
                T.clear(c)
                multiply(a, b, c, transpose_B=transpose_b, **options)
                T.copy(c, C)

        return kernel

    return build


EXACT = HALF_A.float() @ HALF_B.float()
shows("gemm", HALF_A, HALF_B, equals=EXACT)(product("float16", "float32"))
shows("gemm", HALF_A, HALF_B.T.contiguous(), equals=EXACT)(product("float16", "float32", transpose_b=True))
shows("GemmWarpPolicy", HALF_A, HALF_B, equals=EXACT)(
    product("float16", "float32", policy=T.GemmWarpPolicy.FullRow, clear_accum=True)
)
shows("gemm", HALF_A, HALF_B, equals=EXACT.half(), tolerance=0.01)(product("float16", "float16"))
shows("bfloat16", A.bfloat16(), B.bfloat16(), equals=A.bfloat16().float() @ B.bfloat16().float())(
    product("bfloat16", "float32")
)
shows("float32", A, B, equals=A @ B)(product("float32", "float32"))
INT_A, INT_B = whole(-128, 128, 64, 32, dtype=torch.int8), whole(-128, 128, 32, 64, dtype=torch.int8)
shows("int8 int32", INT_A, INT_B, equals=(INT_A.double() @ INT_B.double()).int())(product("int8", "int32"))
for name, dtype in (("float8_e4m3fn", torch.float8_e4m3fn), ("float8_e5m2", torch.float8_e5m2)):
    a, b = A.to(dtype), B.to(dtype)
    shows(name, a, b, equals=a.float() @ b.float())(product(name, "float32"))
shows("wgmma_gemm", HALF_A, HALF_B, equals=EXACT)(product("float16", "float32", multiply=T.wgmma_gemm))
shows("wgmma_mma", HALF_A, HALF_B, equals=EXACT)(product("float16", "float32", multiply=T.wgmma_mma))


@shows(
    "wait_wgmma warpgroup_arrive warpgroup_commit_batch warpgroup_wait warpgroup_fence_operand",
    *(HALF_A, HALF_B),
    equals=EXACT,
)
def with_explicit_waits() -> Any:
    @T.prim_func
    def kernel(A: T.Tensor((64, 32), "float16"), B: T.Tensor((32, 64), "float16"), C: T.Tensor((64, 64), "float32")):
        with T.Kernel(1, threads=128) as _:
            a = T.alloc_shared((64, 32), "float16")
            b = T.alloc_shared((32, 64), "float16")
            c = T.alloc_fragment((64, 64), "float32")
            T.copy(A, a)
            T.copy(B, b)
            T.clear(c)
            T.warpgroup_fence_operand(c, num_regs=32)
            T.warpgroup_arrive()
            T.wgmma_gemm(a, b, c)
            T.warpgroup_commit_batch()
            T.warpgroup_wait(0)
            T.wait_wgmma(0)
            T.copy(c, C)

    return kernel


@shows("gemm", HALF_A, HALF_B, equals=EXACT)
def an_operand_in_registers() -> Any:
    @T.prim_func
    def kernel(A: T.Tensor((64, 32), "float16"), B: T.Tensor((32, 64), "float16"), C: T.Tensor((64, 64), "float32")):
        with T.Kernel(1, threads=128) as _:
            a = T.alloc_fragment((64, 32), "float16")
            b = T.alloc_shared((32, 64), "float16")
            c = T.alloc_fragment((64, 64), "float32")
            T.copy(A, a)
            T.copy(B, b)
            T.gemm(a, b, c, clear_accum=True)
            T.copy(c, C)

    return kernel


@shows("dp4a", INT_A, INT_B, not_checked="DP4A")
def dot_products_of_four() -> Any:
    @T.prim_func
    def kernel(A: T.Tensor((64, 32), "int8"), B: T.Tensor((32, 64), "int8"), C: T.Tensor((64,), "int32")):
        with T.Kernel(1, threads=64) as _:
            tx = T.get_thread_binding()
            a = T.alloc_local((4,), "int8")
            b = T.alloc_local((4,), "int8")
            c = T.alloc_local((1,), "int32")
            c[0] = 0
            for k in T.vectorized(4):
                a[k] = A[tx, k]
                b[k] = B[0, tx // 16 * 4 + k]
            T.dp4a(a, b, c)
            C[tx] = c[0]

    return kernel


@shows("tcgen05_gemm alloc_tmem", HALF_A, HALF_B, not_checked="tcgen05_gemm|memory scope")
def into_tensor_memory() -> Any:
    @T.prim_func
    def kernel(A: T.Tensor((64, 32), "float16"), B: T.Tensor((32, 64), "float16"), C: T.Tensor((64, 64), "float32")):
        with T.Kernel(1, threads=128) as _:
            a = T.alloc_shared((64, 32), "float16")
            b = T.alloc_shared((32, 64), "float16")
            c = T.alloc_tmem((64, 64), "float32")
            done = T.alloc_barrier(1)
            T.copy(A, a)
            T.copy(B, b)
            T.tcgen05_gemm(a, b, c, mbar=done, clear_accum=True)
            T.copy(c, C)

    return kernel


@shows("gemm_sp", HALF_A, whole(0, 16, 64, 8, dtype=torch.uint8), normal(64, 64).half(), not_checked="gemm_sp")
def sparse() -> Any:
    @T.prim_func
    def kernel(
        A: T.Tensor((64, 32), "float16"),
        E: T.Tensor((64, 8), "uint8"),
        B: T.Tensor((64, 64), "float16"),
        C: T.Tensor((64, 64), "float32"),
    ):
        with T.Kernel(1, threads=128) as _:
            a = T.alloc_shared((64, 32), "float16")
            e = T.alloc_shared((64, 8), "uint8")
            b = T.alloc_shared((64, 64), "float16")
            c = T.alloc_fragment((64, 64), "float32")
            T.copy(A, a)
            T.copy(E, e)
            T.copy(B, b)
            T.clear(c)
            T.gemm_sp(a, e, b, c)
            T.copy(c, C)

    return kernel
