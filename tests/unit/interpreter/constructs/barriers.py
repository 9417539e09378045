"""Warp groups with roles of their own, and the barriers between them."""

from typing import Any

import tilelang.language as T
from constructs.table import normal, shows

X = normal(128)


@shows("ws alloc_barrier barrier_arrive ptx_arrive_barrier barrier_wait", X, equals=X)
def roles() -> Any:
    @T.prim_func
    def kernel(A: T.Tensor((128,), "float32"), B: T.Tensor((128,), "float32")):
        with T.Kernel(1, threads=256) as _:
            s = T.alloc_shared((128,), "float32")
            ready = T.alloc_barrier(128)
            with T.ws(0):
                T.copy(A, s)
                T.barrier_arrive(ready[0])
            with T.ws(1):
                T.barrier_wait(ready[0], 0)
                T.copy(s, B)

    return kernel


@shows("WarpSpecialize mbarrier_arrive mbarrier_wait_parity", X, equals=X)
def roles_with_counted_barriers() -> Any:
    @T.prim_func
    def kernel(A: T.Tensor((128,), "float32"), B: T.Tensor((128,), "float32")):
        with T.Kernel(1, threads=256) as _:
            s = T.alloc_shared((128,), "float32")
            ready = T.alloc_barrier([128, 1])
            with T.WarpSpecialize(0):
                T.copy(A, s)
                T.mbarrier_arrive(ready[0])
            with T.WarpSpecialize(1):
                T.mbarrier_wait_parity(ready[0], 0)
                T.copy(s, B)

    return kernel


@shows("mbarrier_arrive_expect_tx ptx_arrive_barrier_expect_tx", X, equals=X)
def bytes_expected_at_arrival() -> Any:
    @T.prim_func
    def kernel(A: T.Tensor((128,), "float32"), B: T.Tensor((128,), "float32")):
        with T.Kernel(1, threads=128) as _:
            s = T.alloc_shared((128,), "float32")
            ready = T.alloc_barrier(1)
            T.tma_copy(A, s, barrier=ready[0])
            if T.get_thread_binding() == 0:
                T.mbarrier_arrive_expect_tx(ready[0], 512)
            T.mbarrier_wait_parity(ready[0], 0)
            T.copy(s, B)

    return kernel


@shows("barrier_wait", X, not_checked="mbarrier")
def a_wait_that_nobody_ends_before() -> Any:
    @T.prim_func
    def kernel(A: T.Tensor((128,), "float32"), B: T.Tensor((128,), "float32")):
        with T.Kernel(1, threads=256) as _:
            s = T.alloc_shared((128,), "float32")
            ready = T.alloc_barrier(128)
            with T.ws(1):
                T.barrier_wait(ready[0], 0)
                T.copy(s, B)
            with T.ws(0):
                T.copy(A, s)
                T.barrier_arrive(ready[0])

    return kernel


@shows("cp_async_barrier_noinc", X, not_checked="cp_async_barrier")
def copies_that_arrive() -> Any:
    @T.prim_func
    def kernel(A: T.Tensor((128,), "float32"), B: T.Tensor((128,), "float32")):
        with T.Kernel(1, threads=128) as _:
            s = T.alloc_shared((128,), "float32")
            ready = T.alloc_barrier(128)
            T.async_copy(A, s)
            T.cp_async_barrier_noinc(ready[0])
            T.barrier_wait(ready[0], 0)
            T.copy(s, B)

    return kernel


@shows("named_barrier_arrive", X, not_checked="named_barrier")
def named() -> Any:
    @T.prim_func
    def kernel(A: T.Tensor((128,), "float32"), B: T.Tensor((128,), "float32")):
        with T.Kernel(1, threads=128) as _:
            T.named_barrier_arrive(1, 128)
            T.copy(A, B)

    return kernel


@shows("sync_threads", X, equals=X)
def of_some_threads() -> Any:
    @T.prim_func
    def kernel(A: T.Tensor((128,), "float32"), B: T.Tensor((128,), "float32")):
        with T.Kernel(1, threads=256) as _:
            s = T.alloc_shared((128,), "float32")
            with T.ws(0):
                T.copy(A, s)
                T.sync_threads(1, 128)
                T.copy(s, B)

    return kernel
