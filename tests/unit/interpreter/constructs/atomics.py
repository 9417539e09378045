"""Updates of one element by many threads and blocks."""

from collections.abc import Callable
from typing import Any

import tilelang.language as T
import torch
from constructs.table import normal, shows, whole

X = normal(4, 64)
BITS = whole(0, 2**20, 256)


def tile_updates(update: Any) -> Callable[[], Any]:
    def build() -> Any:
        @T.prim_func
        def kernel(A: T.Tensor((4, 64), "float32"), B: T.Tensor((64,), "float32")):
            with T.Kernel(4, threads=64) as bx:
                a = T.alloc_fragment((64,), "float32")
                T.copy(A[bx, 0:64], a)
                update(B[0:64], a)

        return kernel

    return build


shows("atomic_add", X, torch.zeros(64), equals=X.sum(0))(tile_updates(T.atomic_add))
shows("atomic_max", X, torch.zeros(64), equals=X.amax(0).clamp(min=0))(tile_updates(T.atomic_max))
shows("atomic_min", X, torch.zeros(64), equals=X.amin(0).clamp(max=0))(tile_updates(T.atomic_min))


@shows("atomic_add", X, torch.zeros(64), equals=X.sum(0))
def added_by_tma() -> Any:
    @T.prim_func
    def kernel(A: T.Tensor((4, 64), "float32"), B: T.Tensor((64,), "float32")):
        with T.Kernel(4, threads=64) as bx:
            a = T.alloc_shared((64,), "float32")
            T.copy(A[bx, 0:64], a)
            T.atomic_add(B[0:64], a, use_tma=True)

    return kernel


def one_place(update: Any) -> Callable[[], Any]:
    def build() -> Any:
        @T.prim_func
        def kernel(A: T.Tensor((256,), "int32"), B: T.Tensor((1,), "int32")):
            with T.Kernel(2, threads=128) as bx:
                tx = T.get_thread_binding()
                update(B[0], A[bx * 128 + tx])

        return kernel

    return build


everything = 0
for number in BITS.tolist():
    everything |= number
ZERO = torch.zeros(1, dtype=torch.int32)
shows("atomic_or", BITS, ZERO, equals=torch.tensor([everything], dtype=torch.int32))(one_place(T.atomic_or))
shows("atomic_max", BITS, ZERO, equals=BITS.amax().view(1))(one_place(T.atomic_max))
shows("atomic_add", BITS, ZERO, equals=BITS.sum().int().view(1))(
    one_place(lambda b, a: T.atomic_add(b, a, memory_order="relaxed"))
)


def wide(update: Any, width: int, dtype: str) -> Callable[[], Any]:
    def build() -> Any:
        @T.prim_func
        def kernel(A: T.Tensor((4, 64), dtype), B: T.Tensor((64,), dtype)):
            with T.Kernel(4, threads=32) as bx:
                for i in T.Parallel(64 // width):
                    update(B[i * width], A[bx, i * width])

        return kernel

    return build


HALF = X.half()
shows("atomic_addx2", HALF, HALF[0] * 0, equals=HALF.float().sum(0).half(), tolerance=0.02)(
    wide(T.atomic_addx2, 2, "float16")
)
shows("atomic_addx4", X, torch.zeros(64), equals=X.sum(0))(wide(T.atomic_addx4, 4, "float32"))


@shows("atomic_load atomic_store", X[0].contiguous(), equals=X[0].clone())
def loaded_and_stored() -> Any:
    @T.prim_func
    def kernel(A: T.Tensor((64,), "float32"), B: T.Tensor((64,), "float32")):
        with T.Kernel(1, threads=64) as _:
            tx = T.get_thread_binding()
            T.atomic_store(B[tx], T.atomic_load(A[tx], memory_order="relaxed"), memory_order="relaxed")

    return kernel


@shows("atomic_add", ZERO, equals=torch.arange(64, dtype=torch.int32))
def previous_values() -> Any:
    @T.prim_func
    def kernel(C: T.Tensor((1,), "int32"), B: T.Tensor((64,), "int32")):
        with T.Kernel(1, threads=64) as _:
            place = T.alloc_var("int32")
            place = T.atomic_add(C[0], 1, return_prev=True)
            B[place] = place

    return kernel


@shows("atomic_add", X, torch.zeros(4, 64), ZERO, torch.zeros(64), equals=X.sum(0))
def last_block_adds_up() -> Any:
    """Each block takes a number when its part is written; the one that takes the last number adds the parts up."""

    @T.prim_func
    def kernel(
        A: T.Tensor((4, 64), "float32"),
        Parts: T.Tensor((4, 64), "float32"),
        Taken: T.Tensor((1,), "int32"),
        B: T.Tensor((64,), "float32"),
    ):
        with T.Kernel(4, threads=64) as bx:
            number = T.alloc_shared((1,), "int32")
            for i in T.Parallel(64):
                Parts[bx, i] = A[bx, i]
            T.sync_threads()
            if T.get_thread_binding() == 0:
                number[0] = T.atomic_add(Taken[0], 1, memory_order="acq_rel", return_prev=True)
            T.sync_threads()
            if number[0] == 3:
                for i in T.Parallel(64):
                    B[i] = Parts[0, i] + Parts[1, i] + Parts[2, i] + Parts[3, i]

    return kernel


@shows("atomic_max", BITS, ZERO, ZERO, equals=BITS.amax().view(1))
def previous_maxima() -> Any:
    """The largest of what was found and what was brought is the largest of all, in any order."""

    @T.prim_func
    def kernel(A: T.Tensor((256,), "int32"), M: T.Tensor((1,), "int32"), B: T.Tensor((1,), "int32")):
        with T.Kernel(2, threads=128) as bx:
            mine = T.alloc_local((1,), "int32")
            mine[0] = A[bx * 128 + T.get_thread_binding()]
            found = T.atomic_max(M[0], mine[0], return_prev=True)
            T.atomic_max(B[0], T.max(found, mine[0]))

    return kernel


@shows("atomic_addx2", HALF, HALF[0] * 0, HALF[0] * 0, not_checked="atomic_addx2_ret")
def previous_pairs() -> Any:
    @T.prim_func
    def kernel(A: T.Tensor((4, 64), "float16"), B: T.Tensor((64,), "float16"), C: T.Tensor((64,), "float16")):
        with T.Kernel(4, threads=32) as bx:
            tx = T.get_thread_binding()
            C[tx * 2 : tx * 2 + 2] = T.atomic_addx2(B[tx * 2], A[bx, tx * 2], return_prev=True)

    return kernel
