"""Grids, blocks and clusters, persistent kernels, and hints that leave the values as they are."""

from collections.abc import Callable
from typing import Any

import tilelang
import tilelang.language as T
import torch
from constructs.table import normal, shows

X = normal(64, 48)


def doubled_under(hint: Any) -> Callable[[], Any]:
    """A kernel that says something of its own before it does anything."""

    def build() -> Any:
        @T.prim_func
        def kernel(A: T.Tensor((64, 48), "float32"), B: T.Tensor((64, 48), "float32")):
            with T.Kernel(3, 4, threads=128) as (bx, by):
                a = T.alloc_shared((16, 16), "float32")
                hint(A, a)
                T.copy(A[by * 16, bx * 16], a)
                for i, j in T.Parallel(16, 16):
                    B[by * 16 + i, bx * 16 + j] = a[i, j] * 2.0

        return kernel

    return build


def enter(name: str, hint: Any) -> None:
    shows(name, X, equals=X * 2)(doubled_under(hint))


enter("Kernel", lambda A, a: None)
enter("use_swizzle", lambda A, a: T.use_swizzle(4))
enter("use_swizzle", lambda A, a: T.use_swizzle(8, order="column", enable=True))
enter("annotate_layout Layout", lambda A, a: T.annotate_layout({a: T.Layout((16, 16), lambda i, j: (j, i))}))
enter("annotate_l2_hit_ratio", lambda A, a: T.annotate_l2_hit_ratio({A: 0.8}))
enter("annotate_min_blocks_per_sm", lambda A, a: T.annotate_min_blocks_per_sm(2))
enter("annotate_restrict_buffers", lambda A, a: T.annotate_restrict_buffers(A))
enter("annotate_pass_configs", lambda A, a: T.annotate_pass_configs({"tl.disable_tma_lower": True}))
enter("annotate_compile_flags", lambda A, a: T.annotate_compile_flags(["--use_fast_math"]))
enter("annotate_producer_reg_dealloc", lambda A, a: T.annotate_producer_reg_dealloc(24))
enter("annotate_consumer_reg_alloc", lambda A, a: T.annotate_consumer_reg_alloc(240))
enter("set_max_nreg", lambda A, a: T.set_max_nreg(240, 1))
enter("inc_max_nreg", lambda A, a: T.inc_max_nreg(240))
enter("dec_max_nreg", lambda A, a: T.dec_max_nreg(24))
enter("no_set_max_nreg", lambda A, a: T.no_set_max_nreg())
enter("disable_warp_group_reg_alloc", lambda A, a: T.disable_warp_group_reg_alloc())
enter("pdl_sync", lambda A, a: T.pdl_sync())
enter("pdl_trigger", lambda A, a: T.pdl_trigger())
enter("print", lambda A, a: T.print(A[0, 0], msg="first"))
enter("device_assert", lambda A, a: T.device_assert(A[0, 0] < 100.0))
enter("assume", lambda A, a: T.assume(A[0, 0] < 100.0))
enter("import_source", lambda A, a: T.import_source("__device__ int unused() { return 1; }"))


@shows(
    "ClusterKernel get_cluster_dims get_cluster_size get_cluster_id get_cluster_ids get_cluster_extent "
    "get_cluster_extents",
    equals=torch.tensor([[5, 15], [5, 15], [105, 115], [105, 115]], dtype=torch.int32),
)
def clusters_that_share_nothing() -> Any:
    @T.prim_func
    def kernel(B: T.Tensor((4, 2), "int32")):
        with T.ClusterKernel(4, 2, threads=32, cluster_dims=(2, 1, 1)) as (bx, by):
            extents = T.get_cluster_extent(0) + T.get_cluster_extents()[1]
            sizes = T.get_cluster_size() - T.get_cluster_dims()[1]
            B[bx, by] = T.get_cluster_id(0) * 100 + T.get_cluster_ids()[1] * 10 + extents + sizes

    return kernel


@shows("ws_op", X, equals=X)
def an_operation_with_a_name() -> Any:
    @T.prim_func
    def kernel(A: T.Tensor((64, 48), "float32"), B: T.Tensor((64, 48), "float32")):
        with T.Kernel(4, threads=128) as bx:
            a = T.alloc_shared((16, 48), "float32")
            with T.ws_op("load"):
                T.copy(A[bx * 16, 0], a)
            T.copy(a, B[bx * 16, 0])

    return kernel


@shows("thread_binding", X, not_checked="bound to threadIdx.x")
def bound_loops() -> Any:
    @T.prim_func
    def kernel(A: T.Tensor((64, 48), "float32"), B: T.Tensor((64, 48), "float32")):
        for bx in T.thread_binding(64, thread="blockIdx.x"):
            for tx in T.thread_binding(48, thread="threadIdx.x"):
                B[bx, tx] = A[bx, tx]

    return kernel


@shows("const empty", X, X, equals=X + X)
def traced_from_python() -> Any:
    @tilelang.jit
    def add(A, B):
        M, N = T.const("M, N")
        A: T.Tensor[[M, N], T.float32]
        B: T.Tensor[[M, N], T.float32]
        C = T.empty((M, N), T.float32)
        with T.Kernel(M, threads=32) as bx:
            for j in T.Parallel(N):
                C[bx, j] = A[bx, j] + B[bx, j]
        return C

    return add.get_tir(M=64, N=48)


def in_a_cluster(use: Any) -> Callable[[], Any]:
    def build() -> Any:
        @T.prim_func
        def kernel(A: T.Tensor((64, 48), "float32"), B: T.Tensor((64, 48), "float32")):
            with T.Kernel(4, threads=128, cluster_dims=(2, 1, 1)) as bx:
                use()
                for i, j in T.Parallel(16, 48):
                    B[bx * 16 + i, j] = A[bx * 16 + i, j]

        return kernel

    return build


for name in ("cluster_sync", "cluster_arrive", "cluster_arrive_relaxed", "cluster_wait"):
    shows(name, X, not_checked="cluster")(in_a_cluster(getattr(T, name)))


@shows("block_rank_in_cluster", X, not_checked="cluster")
def by_rank() -> Any:
    @T.prim_func
    def kernel(A: T.Tensor((64, 48), "float32"), B: T.Tensor((64, 48), "int32")):
        with T.Kernel(4, threads=128, cluster_dims=2) as bx:
            for i, j in T.Parallel(16, 48):
                B[bx * 16 + i, j] = T.block_rank_in_cluster()

    return kernel


@shows("CUDASourceCodeKernel", X, not_checked="external function main_kernel")
def given_as_cuda() -> Any:
    source = 'extern "C" __global__ void main_kernel(float* A, float* B) { B[threadIdx.x] = A[threadIdx.x]; }'

    @T.prim_func
    def kernel(A: T.Tensor((64, 48), "float32"), B: T.Tensor((64, 48), "float32")):
        T.CUDASourceCodeKernel(1, threads=64, source_code_or_path=source)

    return kernel


@shows("call_extern", X, not_checked="external function|call_extern")
def by_a_function_of_its_own() -> Any:
    @T.prim_func
    def kernel(A: T.Tensor((64, 48), "float32"), B: T.Tensor((64, 48), "float32")):
        with T.Kernel(64, threads=48) as bx:
            tx = T.get_thread_binding()
            B[bx, tx] = T.call_extern("float32", "mine", A[bx, tx])

    return kernel


@shows("Persistent", X, equals=X * 2)
def persistent() -> Any:
    @T.prim_func
    def kernel(A: T.Tensor((64, 48), "float32"), B: T.Tensor((64, 48), "float32")):
        with T.Kernel(5, threads=64) as block:
            for by, bx in T.Persistent([4, 3], 5, block):
                for i, j in T.Parallel(16, 16):
                    B[by * 16 + i, bx * 16 + j] = A[by * 16 + i, bx * 16 + j] * 2.0

    return kernel


@shows("PersistentTileScheduler BaseTileScheduler meta_class inline", X, equals=X * 2)
def scheduled() -> Any:
    @T.prim_func
    def kernel(A: T.Tensor((64, 48), "float32"), B: T.Tensor((64, 48), "float32")):
        with T.Kernel(5, threads=64) as block:
            tiles = T.PersistentTileScheduler(4, 3, num_workers=5, swizzle_size=2)
            tiles.init(block)
            while tiles.valid():
                for i, j in T.Parallel(16, 16):
                    B[tiles.m_idx * 16 + i, tiles.n_idx * 16 + j] = (
                        A[tiles.m_idx * 16 + i, tiles.n_idx * 16 + j] * 2.0
                    )
                tiles.next_tile()

    return kernel


@shows("rng_init rng_rand rng_rand_float", not_checked="rng")
def random_numbers() -> Any:
    @T.prim_func
    def kernel(B: T.Tensor((64,), "float32")):
        with T.Kernel(1, threads=64) as _:
            tx = T.get_thread_binding()
            T.rng_init(1)
            B[tx] = T.rng_rand_float() + T.cast(T.rng_rand(), "float32")

    return kernel
