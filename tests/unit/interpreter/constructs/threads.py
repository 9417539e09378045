"""What the threads of a block know of themselves and of each other."""

from collections.abc import Callable
from typing import Any

import tilelang.language as T
import torch
from constructs.table import normal, shows, whole
from torch import Tensor

X = normal(64)
WARPS = X.view(2, 32)
PLACES = torch.arange(64)
LANES = PLACES % 32
VOTES = whole(0, 2, 64)
VOTES[:32] = 1
GROUPS = whole(0, 3, 64)


def thread_by_thread(function: Any, dtype: str, out: str) -> Callable[[], Any]:
    """B[tx] = function(A[tx]) in two warps."""

    def build() -> Any:
        @T.prim_func
        def kernel(A: T.Tensor((64,), dtype), B: T.Tensor((64,), out)):
            with T.Kernel(1, threads=64) as _:
                tx = T.get_thread_binding()
                B[tx] = function(A[tx])

        return kernel

    return build


def enter(names: str, function: Any, given: Tensor, equals: Tensor) -> None:
    dtype, out = (str(tensor.dtype).removeprefix("torch.") for tensor in (given, equals))
    shows(names, given, equals=equals)(thread_by_thread(function, dtype, out))


def of_warps(values: Tensor) -> Tensor:
    """A value for each warp, as all of its lanes see it."""
    return values.reshape(2, 1).expand(2, 32).reshape(64)


def bits(chosen: Tensor) -> int:
    return sum(1 << lane for lane in range(32) if chosen[lane])


def folded(values: Tensor, step: Any) -> Tensor:
    total = values[:, 0]
    for lane in range(1, 32):
        total = step(total, values[:, lane])
    return total


enter("shfl_xor", lambda x: T.shfl_xor(x, 5), X, X[PLACES ^ 5])
enter("shfl_down", lambda x: T.shfl_down(x, 3), X, X[torch.where(LANES < 29, PLACES + 3, PLACES)])
enter("shfl_up", lambda x: T.shfl_up(x, 3), X, X[torch.where(LANES > 2, PLACES - 3, PLACES)])
enter("shfl_sync", lambda x: T.shfl_sync(x, 7), X, of_warps(WARPS[:, 7]))
enter("shfl_down", lambda x: T.shfl_down(x, 1, width=8), X, X[torch.where(PLACES % 8 < 7, PLACES + 1, PLACES)])
enter("warp_reduce_sum", T.warp_reduce_sum, X, of_warps(WARPS.sum(1)))
enter("warp_reduce_max", T.warp_reduce_max, X, of_warps(WARPS.amax(1)))
enter("warp_reduce_min", T.warp_reduce_min, X, of_warps(WARPS.amin(1)))
MASKS = whole(0, 2**20, 64)
enter("warp_reduce_bitand", T.warp_reduce_bitand, MASKS, of_warps(folded(MASKS.view(2, 32), torch.bitwise_and)))
enter("warp_reduce_bitor", T.warp_reduce_bitor, MASKS, of_warps(folded(MASKS.view(2, 32), torch.bitwise_or)))
enter("any_sync", T.any_sync, VOTES, of_warps(VOTES.view(2, 32).amax(1)))
enter("all_sync", T.all_sync, VOTES, of_warps(VOTES.view(2, 32).amin(1)))
ballots = of_warps(torch.tensor([bits(warp) for warp in VOTES.view(2, 32)]))
enter("ballot_sync", lambda x: T.cast(T.ballot_sync(x), "int64"), VOTES, ballots)
enter("ballot", lambda x: T.cast(T.ballot(x), "int64"), VOTES, ballots)
enter("activemask", lambda x: T.cast(T.activemask(), "int64"), VOTES, torch.full((64,), 2**32 - 1))
alike = torch.tensor([bits(GROUPS.view(2, 32)[n // 32] == GROUPS[n]) for n in range(64)])
enter("match_any_sync", lambda x: T.cast(T.match_any_sync(x), "int64"), GROUPS, alike)
same = torch.tensor([2**32 - 1, 0])
enter("match_all_sync", lambda x: T.cast(T.match_all_sync(x), "int64"), VOTES, of_warps(same))
enter("syncthreads_and", T.syncthreads_and, VOTES, VOTES.amin().expand(64).clone())
enter("syncthreads_or", T.syncthreads_or, VOTES, VOTES.amax().expand(64).clone())
enter("syncthreads_count", T.syncthreads_count, VOTES, VOTES.sum().int().expand(64).clone())
enter("get_lane_idx", lambda x: T.get_lane_idx(), X, LANES.int())
enter("get_lane_idx", lambda x: T.get_lane_idx(16), X, (PLACES % 16).int())
enter("get_warp_idx", lambda x: T.get_warp_idx(), X, (PLACES // 32).int())
enter("get_warp_idx_sync", lambda x: T.get_warp_idx_sync(16), X, (PLACES // 16).int())
enter("get_warp_group_idx", lambda x: T.get_warp_group_idx(), X, torch.zeros(64, dtype=torch.int32))
enter("get_warp_group_idx", lambda x: T.get_warp_group_idx(32, 1), X, (PLACES // 32).int())


def no_full_vote(vote: Any) -> Callable[[], Any]:
    return thread_by_thread(vote, "int32", "int32")


shows("any_sync", VOTES, not_checked="lanes")(no_full_vote(lambda x: T.any_sync(x, 0xFF)))


@shows("all_sync", VOTES, not_checked="not all threads")
def vote_of_some_lanes() -> Any:
    @T.prim_func
    def kernel(A: T.Tensor((64,), "int32"), B: T.Tensor((64,), "int32")):
        with T.Kernel(1, threads=64) as _:
            tx = T.get_thread_binding()
            B[tx] = 0
            if tx % 2 == 0:
                B[tx] = T.all_sync(A[tx])

    return kernel


@shows("shuffle_elect", X, equals=torch.tensor([2.0]))
def elected_by_each_warp() -> Any:
    @T.prim_func
    def kernel(A: T.Tensor((64,), "float32"), B: T.Tensor((1,), "float32")):
        with T.Kernel(1, threads=64) as _:
            B[0] = 0.0
            T.sync_threads()
            if T.shuffle_elect(32):
                T.atomic_add(B[0], 1.0)

    return kernel


@shows(
    "get_thread_binding get_thread_bindings get_thread_extent get_thread_extents get_block_binding "
    "get_block_bindings get_block_extent get_block_extents",
    equals=torch.arange(3 * 2 * 4 * 8, dtype=torch.int32).view(2, 3, 4, 8),
)
def numbered_by_place() -> Any:
    @T.prim_func
    def kernel(B: T.Tensor((2, 3, 4, 8), "int32")):
        with T.Kernel(3, 2, threads=(8, 4)) as (bx, by):
            tx, ty, _ = T.get_thread_bindings()
            width, height = T.get_thread_extent(0), T.get_thread_extents()[1]
            block = T.get_block_binding(1) * T.get_block_extent(0) + T.get_block_bindings()[0]
            B[by, bx, ty, tx] = (block * height + T.get_thread_binding(1)) * width + tx

    return kernel


@shows("sync_threads sync_warp sync_grid", X.clone(), equals=X.flip(0))
def through_shared_memory() -> Any:
    @T.prim_func
    def kernel(A: T.Tensor((64,), "float32"), B: T.Tensor((64,), "float32")):
        with T.Kernel(1, threads=64) as _:
            tx = T.get_thread_binding()
            s = T.alloc_shared((64,), "float32")
            s[tx] = A[tx]
            T.sync_warp()
            T.sync_threads()
            T.sync_grid()
            B[tx] = s[63 - tx]

    return kernel


@shows("tvm_warp_shuffle tvm_warp_shuffle_up tvm_warp_shuffle_down tvm_warp_activemask", X, equals=X[PLACES ^ 1])
def older_shuffles() -> Any:
    @T.prim_func
    def kernel(A: T.Tensor((64,), "float32"), B: T.Tensor((64,), "float32")):
        with T.Kernel(1, threads=64) as _:
            tx = T.get_thread_binding()
            mask = T.tvm_warp_activemask()
            up = T.tvm_warp_shuffle_up(mask, A[tx], 1, 32, 32)
            down = T.tvm_warp_shuffle_down(mask, A[tx], 1, 32, 32)
            B[tx] = T.if_then_else(tx % 2 == 0, down, up) + 0.0 * T.tvm_warp_shuffle(mask, A[tx], 0, 32, 32)

    return kernel


@shows("tvm_thread_allreduce attr comm_reducer CommReducer evaluate", X.view(2, 32), equals=WARPS.sum(1))
def sum_over_a_thread_axis() -> Any:
    @T.prim_func
    def kernel(A: T.Tensor((2, 32), "float32"), B: T.Tensor((2,), "float32")):
        with T.Kernel(1, threads=(32, 2)) as _:
            tx, ty = T.get_thread_binding(0), T.get_thread_binding(1)
            own = T.alloc_local((1,), "float32")
            total = T.alloc_local((1,), "float32")
            own[0] = A[ty, tx]
            with T.attr(
                T.comm_reducer(lambda x, y: x + y, [T.Cast("float32", 0)]),
                "reduce_scope",
                T.reinterpret(T.uint64(0), dtype="handle"),
            ):
                T.evaluate(T.tvm_thread_allreduce(T.uint32(1), own[0], True, total[0], tx, dtype="handle"))
            if tx == 0:
                B[ty] = total[0]

    return kernel
