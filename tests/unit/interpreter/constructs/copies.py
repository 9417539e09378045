"""Memory of every scope, and what moves between them."""

from collections.abc import Callable
from typing import Any

import tilelang.language as T
import torch
from constructs.table import normal, shows, whole

X = normal(32, 16)
HALF = X.half()


def through(allocate: Any) -> Callable[[], Any]:
    def build() -> Any:
        @T.prim_func
        def kernel(A: T.Tensor((32, 16), "float32"), B: T.Tensor((32, 16), "float32")):
            with T.Kernel(1, threads=64) as _:
                a = allocate((32, 16), "float32")
                T.copy(A, a)
                T.copy(a, B)

        return kernel

    return build


shows("alloc_shared copy Tensor", X, equals=X)(through(T.alloc_shared))
shows("alloc_fragment", X, equals=X)(through(T.alloc_fragment))
shows("alloc_global", X, equals=X)(through(T.alloc_global))


def moved(copy: Any) -> Callable[[], Any]:
    def build() -> Any:
        @T.prim_func
        def kernel(A: T.Tensor((32, 16), "float16"), B: T.Tensor((32, 16), "float16")):
            with T.Kernel(2, threads=64) as bx:
                a = T.alloc_shared((16, 16), "float16")
                copy(A[bx * 16, 0], a)
                T.ptx_commit_group()
                T.ptx_wait_group(0)
                T.copy(a, B[bx * 16, 0])

        return kernel

    return build


shows("copy", HALF, equals=HALF)(moved(lambda a, b: T.copy(a, b, coalesced_width=4, disable_tma=True)))
shows("copy", HALF, equals=HALF)(moved(lambda a, b: T.copy(a, b, eviction_policy="evict_first")))
shows("async_copy ptx_commit_group ptx_wait_group", HALF, equals=HALF)(moved(T.async_copy))


@shows("tma_copy alloc_barrier mbarrier_expect_tx mbarrier_wait_parity mbarrier_arrive", HALF, equals=HALF)
def by_tma() -> Any:
    @T.prim_func
    def kernel(A: T.Tensor((32, 16), "float16"), B: T.Tensor((32, 16), "float16")):
        with T.Kernel(1, threads=128) as _:
            a = T.alloc_shared((32, 16), "float16")
            ready = T.alloc_barrier(128)
            T.tma_copy(A, a, barrier=ready[0])
            T.mbarrier_arrive(ready[0])
            T.mbarrier_wait_parity(ready[0], 0)
            T.tma_copy(a, B)
            T.tma_store_arrive()
            T.tma_store_wait()

    return kernel


@shows("tma_store_arrive tma_store_wait fence_proxy_async", HALF, equals=HALF)
def stored_by_tma() -> Any:
    @T.prim_func
    def kernel(A: T.Tensor((32, 16), "float16"), B: T.Tensor((32, 16), "float16")):
        with T.Kernel(1, threads=128) as _:
            a = T.alloc_shared((32, 16), "float16")
            T.copy(A, a)
            T.fence_proxy_async()
            T.tma_copy(a, B)
            T.tma_store_arrive()
            T.tma_store_wait()

    return kernel


@shows("tma_gather4", HALF, not_checked="gather4")
def rows_gathered_by_tma() -> Any:
    @T.prim_func
    def kernel(A: T.Tensor((32, 16), "float16"), B: T.Tensor((4, 16), "float16")):
        with T.Kernel(1, threads=128) as _:
            a = T.alloc_shared((4, 16), "float16")
            ready = T.alloc_barrier(128)
            T.tma_gather4(A, a, 0, [3, 1, 7, 5], barrier=ready[0])
            T.copy(a, B)

    return kernel


@shows("tma_scatter4", HALF, not_checked="gather4")
def rows_scattered_by_tma() -> Any:
    @T.prim_func
    def kernel(A: T.Tensor((32, 16), "float16"), B: T.Tensor((32, 16), "float16")):
        with T.Kernel(1, threads=128) as _:
            a = T.alloc_shared((4, 16), "float16")
            T.copy(A[0, 0], a)
            T.tma_scatter4(a, B, 0, [3, 1, 7, 5])

    return kernel


@shows("copy_cluster", HALF, not_checked="dst_block")
def to_another_block_of_the_cluster() -> Any:
    @T.prim_func
    def kernel(A: T.Tensor((32, 16), "float16"), B: T.Tensor((32, 16), "float16")):
        with T.Kernel(2, threads=128, cluster_dims=2) as _:
            a = T.alloc_shared((32, 16), "float16")
            b = T.alloc_shared((32, 16), "float16")
            T.copy(A, a)
            T.copy_cluster(a, b, dst_block=0)
            T.copy(b, B)

    return kernel


@shows("tma_copy", HALF, not_checked="cluster_mask")
def to_all_blocks_of_the_cluster() -> Any:
    @T.prim_func
    def kernel(A: T.Tensor((32, 16), "float16"), B: T.Tensor((32, 16), "float16")):
        with T.Kernel(2, threads=128, cluster_dims=2) as _:
            a = T.alloc_shared((32, 16), "float16")
            ready = T.alloc_barrier(128)
            T.tma_copy(A, a, barrier=ready[0], cluster_mask=3)
            T.copy(a, B)

    return kernel


@shows("fill clear", equals=torch.stack([torch.zeros(16), torch.full((16,), 2.5)]))
def filled() -> Any:
    @T.prim_func
    def kernel(B: T.Tensor((2, 16), "float32")):
        with T.Kernel(1, threads=32) as _:
            a = T.alloc_fragment((16,), "float32")
            b = T.alloc_shared((16,), "float32")
            T.clear(a)
            T.fill(b, 2.5)
            T.copy(a, B[0, 0:16])
            T.copy(b, B[1, 0:16])

    return kernel


@shows("transpose", HALF, equals=HALF.T.contiguous())
def transposed() -> Any:
    @T.prim_func
    def kernel(A: T.Tensor((32, 16), "float16"), B: T.Tensor((16, 32), "float16")):
        with T.Kernel(1, threads=64) as _:
            a = T.alloc_shared((32, 16), "float16")
            b = T.alloc_shared((16, 32), "float16")
            T.copy(A, a)
            T.transpose(a, b)
            T.copy(b, B)

    return kernel


@shows("alloc_local alloc_var vectorized Vectorized", X, equals=X * 2 + 1)
def own_memory() -> Any:
    @T.prim_func
    def kernel(A: T.Tensor((32, 16), "float32"), B: T.Tensor((32, 16), "float32")):
        with T.Kernel(1, threads=32) as _:
            tx = T.get_thread_binding()
            v = T.alloc_local((16,), "float32")
            one = T.alloc_var("float32", init=1.0)
            for k in T.vectorized(16):
                v[k] = A[tx, k]
            for k in T.Vectorized(16):
                B[tx, k] = v[k] * 2.0 + one

    return kernel


@shows("reshape view", X, equals=X.view(8, 64))
def the_same_memory_in_another_shape() -> Any:
    @T.prim_func
    def kernel(A: T.Tensor((32, 16), "float32"), B: T.Tensor((8, 64), "float32")):
        with T.Kernel(1, threads=64) as _:
            wide = T.view(T.reshape(A, (16, 32)), (8, 64))
            for i, j in T.Parallel(8, 64):
                B[i, j] = wide[i, j]

    return kernel


@shows("view", HALF, not_checked="another dtype")
def the_same_memory_as_another_dtype() -> Any:
    @T.prim_func
    def kernel(A: T.Tensor((32, 16), "float16"), B: T.Tensor((32, 16), "int16")):
        with T.Kernel(1, threads=64) as _:
            bits = T.view(A, dtype="int16")
            for i, j in T.Parallel(32, 16):
                B[i, j] = bits[i, j]

    return kernel


@shows("StridedTensor", X.T, equals=X.T.contiguous())
def strided() -> Any:
    @T.prim_func
    def kernel(A: T.StridedTensor((16, 32), (1, 16), "float32"), B: T.Tensor((16, 32), "float32")):
        with T.Kernel(1, threads=64) as _:
            for i, j in T.Parallel(16, 32):
                B[i, j] = A[i, j]

    return kernel


@shows("annotate_safe_value", X[:30].contiguous(), equals=torch.cat([X[:30].amin(0)]).clone())
def safe_value() -> Any:
    @T.prim_func
    def kernel(A: T.Tensor((30, 16), "float32"), B: T.Tensor((16,), "float32")):
        with T.Kernel(1, threads=64) as _:
            T.annotate_safe_value({A: 1000.0})
            a = T.alloc_shared((32, 16), "float32")
            b = T.alloc_fragment((16,), "float32")
            T.copy(A[0:32, 0:16], a)
            T.reduce_min(a, b, dim=0)
            T.copy(b, B)

    return kernel


@shows("index_to_coordinates", X, equals=X)
def by_coordinates() -> Any:
    @T.prim_func
    def kernel(A: T.Tensor((32, 16), "float32"), B: T.Tensor((32, 16), "float32")):
        with T.Kernel(4, threads=128) as bx:
            tx = T.get_thread_binding()
            at = T.index_to_coordinates(bx * 128 + tx, [32, 16])
            B[at[0], at[1]] = A[at[0], at[1]]

    return kernel


IMAGE = normal(1, 4, 4, 8).half()
COLUMNS = torch.nn.functional.unfold(IMAGE.permute(0, 3, 1, 2).float(), 3, padding=1)
COLUMNS = COLUMNS.view(8, 9, 16).permute(2, 1, 0).reshape(16, 72).half().contiguous()


def image_to_columns(im2col: Any) -> Callable[[], Any]:
    def build() -> Any:
        @T.prim_func
        def kernel(A: T.Tensor((1, 4, 4, 8), "float16"), B: T.Tensor((16, 72), "float16")):
            with T.Kernel(9, threads=128) as bx:
                columns = T.alloc_shared((16, 8), "float16")
                im2col(A, columns, 0, bx, 3, 1, 1, 1)
                T.copy(columns, B[0, bx * 8])

        return kernel

    return build


shows("im2col", IMAGE, equals=COLUMNS)(image_to_columns(T.im2col))
shows("c2d_im2col", IMAGE, equals=COLUMNS)(image_to_columns(T.c2d_im2col))

WORDS = whole(0, 2**31 - 1, 64, dtype=torch.uint32)


@shows("make_tensor ptr", X, equals=X)
def a_tensor_from_a_pointer() -> Any:
    @T.prim_func
    def kernel(A: T.ptr(T.float32), B: T.Tensor((32, 16), "float32")):
        with T.Kernel(1, threads=64) as _:
            a = T.make_tensor(A, (32, 16), "float32")
            T.copy(a, B)

    return kernel


def words_at_once(load: str, store: str, words: int) -> Callable[[], Any]:
    """Loads and stores of 32 bits or more by one instruction, of global and of shared memory."""

    def build() -> Any:
        @T.prim_func
        def kernel(A: T.Tensor((64,), "uint32"), B: T.Tensor((64,), "uint32")):
            with T.Kernel(1, threads=64 // words) as _:
                tx = T.get_thread_binding()
                s = T.alloc_shared((64,), "uint32")
                if load.startswith("lds"):
                    T.copy(A, s)
                    getattr(T, store)(B[tx * words], getattr(T, load)(s[tx * words]))
                elif store.startswith("sts"):
                    getattr(T, store)(s[tx * words], getattr(T, load)(A[tx * words]))
                    T.copy(s, B)
                else:
                    getattr(T, store)(B[tx * words], getattr(T, load)(A[tx * words]))

        return kernel

    return build


for width in (32, 64, 128):
    shows(f"ldg{width} stg{width}", WORDS, not_checked=f"tg{width}|ldg{width}")(
        words_at_once(f"ldg{width}", f"stg{width}", width // 32)
    )
    shows(f"lds{width}", WORDS, not_checked=f"lds{width}|stg{width}")(
        words_at_once(f"lds{width}", f"stg{width}", width // 32)
    )
    shows(f"sts{width}", WORDS, not_checked=f"sts{width}|ldg{width}")(
        words_at_once(f"ldg{width}", f"sts{width}", width // 32)
    )
shows("ldg256 stg256", WORDS, not_checked="[lt]dg256|stg256")(words_at_once("ldg256", "stg256", 8))


@shows("__ldg", X, equals=X)
def read_only_loads() -> Any:
    read = getattr(T, "__ldg")

    @T.prim_func
    def kernel(A: T.Tensor((32, 16), "float32"), B: T.Tensor((32, 16), "float32")):
        with T.Kernel(1, threads=64) as _:
            for i, j in T.Parallel(32, 16):
                B[i, j] = read(A[i, j])

    return kernel
