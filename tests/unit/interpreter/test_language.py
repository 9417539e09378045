"""Threads, loops, masks, shuffles, dynamic shapes and dtypes of the language around the tile operations."""

from typing import Any

import pytest
import tilelang.language as T
import torch

from tilewright.interpreter import Fault, Unsupported, allocate_outputs, run


def call(kernel: Any, *inputs: Any) -> torch.Tensor:
    full = allocate_outputs(kernel, [-1], inputs)
    run(kernel, *full)
    output: torch.Tensor = full[-1]
    return output


def test_symbolic_sizes_come_from_the_tensors() -> None:
    n = T.dynamic("n")

    @T.prim_func
    def kernel(A: T.Tensor((n, 8), "float32"), scale: T.float32, B: T.Tensor((n, 8), "float32")):
        with T.Kernel(T.ceildiv(n, 32), threads=64) as bx:
            for i, j in T.Parallel(32, 8):
                if bx * 32 + i < n:
                    B[bx * 32 + i, j] = A[bx * 32 + i, j] * scale

    for rows in (1, 32, 45):
        x = torch.randn(rows, 8)
        torch.testing.assert_close(call(kernel, x, 2.5), x * 2.5)


def test_branches_that_differ_between_threads_and_blocks_run_under_masks() -> None:
    @T.prim_func
    def kernel(A: T.Tensor((4, 64), "float32"), B: T.Tensor((4, 64), "float32")):
        with T.Kernel(4, threads=64) as bx:
            tx = T.get_thread_binding()
            value = T.alloc_var("float32")
            if tx % 2 == 0:
                value = A[bx, tx] * 2.0
            else:
                if bx > 1:
                    value = -A[bx, tx]
                else:
                    value = 0.0
            B[bx, tx] = value

    x = torch.randn(4, 64)
    expected = x * 2
    expected[:2, 1::2] = 0
    expected[2:, 1::2] = -x[2:, 1::2]
    torch.testing.assert_close(call(kernel, x), expected)


def test_loop_bounds_may_differ_between_blocks() -> None:
    @T.prim_func
    def kernel(A: T.Tensor((8, 16), "float32"), B: T.Tensor((8,), "float32")):
        with T.Kernel(8, threads=32) as bx:
            total = T.alloc_var("float32")
            total = 0.0
            for i in T.serial(bx + 1):
                total = total + A[bx, i]
            B[bx] = total

    x = torch.randn(8, 16)
    expected = torch.stack([x[i, : i + 1].sum() for i in range(8)])
    torch.testing.assert_close(call(kernel, x), expected)


def test_a_loop_without_iterations_does_nothing() -> None:
    nothing = 1 // 2

    @T.prim_func
    def kernel(A: T.Tensor((4, 8), "float32"), B: T.Tensor((4, 8), "float32")):
        with T.Kernel(4, threads=32) as bx:
            for j in T.Parallel(8):
                B[bx, j] = 1.0
            for i, j in T.Parallel(nothing, 8):
                B[bx + i, j] = A[bx + i, j]

    assert bool((call(kernel, torch.randn(4, 8)) == 1).all())


def test_while_loops_end_for_each_thread_on_its_own() -> None:
    @T.prim_func
    def kernel(A: T.Tensor((64,), "int32"), B: T.Tensor((64,), "int32")):
        with T.Kernel(1, threads=64) as _:
            tx = T.get_thread_binding()
            left = T.alloc_var("int32")
            steps = T.alloc_var("int32")
            left = A[tx]
            steps = 0
            while left > 1:
                left = left // 2
                steps = steps + 1
            B[tx] = steps

    x = torch.arange(1, 65, dtype=torch.int32)
    assert call(kernel, x).tolist() == [int(n).bit_length() - 1 for n in x]


def test_a_loop_that_never_ends_is_a_fault_unless_it_may_wait_for_another_block(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("tilewright.interpreter.loops.ENDLESS", 100)

    @T.prim_func
    def counting(A: T.Tensor((1,), "int32")):
        with T.Kernel(1, threads=32) as _:
            n = T.alloc_var("int32")
            n = 1
            while n > 0:
                n = 2
            A[0] = n

    @T.prim_func
    def waiting(A: T.Tensor((1,), "int32")):
        with T.Kernel(2, threads=32) as bx:
            while A[0] < bx:
                T.sync_threads()
            A[0] = 1

    with pytest.raises(Fault, match="still runs"):
        run(counting, torch.zeros(1, dtype=torch.int32))
    with pytest.raises(Unsupported, match="waits"):
        run(waiting, torch.zeros(1, dtype=torch.int32))


def test_break_leaves_the_innermost_loop() -> None:
    @T.prim_func
    def kernel(B: T.Tensor((4,), "int32")):
        with T.Kernel(1, threads=32) as _:
            for i in T.serial(4):
                B[i] = 0
                for j in T.serial(10):
                    if j == i:
                        T.loop_break()
                    B[i] = j + 1

    assert call(kernel).tolist() == [0, 1, 2, 3]


def test_guarded_reads_outside_a_tensor_are_no_fault() -> None:
    @T.prim_func
    def kernel(A: T.Tensor((16,), "float32"), B: T.Tensor((16,), "float32")):
        with T.Kernel(1, threads=16) as _:
            s = T.alloc_shared((16,), "float32")
            T.copy(A, s)
            for i in T.Parallel(16):
                B[i] = T.if_then_else(i >= 3, s[i - 3], 0.0) + A[i]

    x = torch.randn(16)
    expected = x.clone()
    expected[3:] += x[:-3]
    torch.testing.assert_close(call(kernel, x), expected)


def test_shuffles_and_warp_reductions_stay_within_a_warp() -> None:
    @T.prim_func
    def kernel(A: T.Tensor((64,), "float32"), B: T.Tensor((3, 64), "float32")):
        with T.Kernel(1, threads=64) as _:
            tx = T.get_thread_binding()
            B[0, tx] = T.shfl_xor(A[tx], 1)
            B[1, tx] = T.shfl_down(A[tx], 4)
            B[2, tx] = T.warp_reduce_sum(A[tx])

    x = torch.randn(64)
    warps = x.view(2, 32)
    down = torch.cat([warps[:, 4:], warps[:, 28:]], 1)
    expected = torch.stack(
        [x.view(32, 2).flip(1).reshape(64), down.reshape(64), warps.sum(1, keepdim=True).expand(2, 32).reshape(64)]
    )
    torch.testing.assert_close(call(kernel, x), expected)


def test_a_thread_all_reduce_sums_over_the_axis_it_names() -> None:
    @T.prim_func
    def kernel(A: T.Tensor((4, 32), "float32"), B: T.Tensor((4,), "float32")):
        with T.Kernel(1, threads=(32, 4)) as _:
            tx = T.get_thread_binding(0)
            ty = T.get_thread_binding(1)
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

    x = torch.randn(4, 32)
    torch.testing.assert_close(call(kernel, x), x.sum(1))


def test_vector_loops_and_private_arrays_are_each_threads_own() -> None:
    @T.prim_func
    def kernel(A: T.Tensor((1024,), "float16"), B: T.Tensor((1024,), "float16")):
        with T.Kernel(2, threads=64) as bx:
            tx = T.get_thread_binding()
            v = T.alloc_local((8,), "float16")
            for k in T.vectorized(8):
                v[k] = A[bx * 512 + tx * 8 + k]
            for k in T.serial(8):
                v[k] = v[k] * v[7 - k]
            for k in T.vectorized(8):
                B[bx * 512 + tx * 8 + k] = v[k]

    x = torch.randn(1024).half()
    v = x.view(-1, 8).clone()
    for k in range(8):
        v[:, k] = v[:, k] * v[:, 7 - k]
    torch.testing.assert_close(call(kernel, x), v.view(-1))


def test_private_memory_after_a_parallel_loop_is_not_guessed() -> None:
    @T.prim_func
    def kernel(A: T.Tensor((64,), "float32"), B: T.Tensor((1,), "float32")):
        with T.Kernel(1, threads=32) as _:
            last = T.alloc_local((1,), "float32")
            for i in T.Parallel(64):
                last[0] = A[i]
            B[0] = last[0]

    with pytest.raises(Unsupported, match="which thread runs which iteration"):
        call(kernel, torch.randn(64))


def test_summing_into_a_fragment_over_a_parallel_axis_is_a_reduction() -> None:
    @T.prim_func
    def kernel(A: T.Tensor((16, 32), "float32"), B: T.Tensor((16,), "float32")):
        with T.Kernel(1, threads=64) as _:
            total = T.alloc_fragment((16,), "float32")
            T.clear(total)
            for i, j in T.Parallel(16, 32):
                if j % 2 == 0:
                    total[i] += A[i, j]
            T.copy(total, B)

    x = torch.randn(16, 32)
    torch.testing.assert_close(call(kernel, x), x[:, ::2].sum(1))


def test_a_reshaped_buffer_is_the_same_memory() -> None:
    @T.prim_func
    def kernel(A: T.Tensor((8, 16), "float32"), B: T.Tensor((128,), "float32")):
        with T.Kernel(1, threads=64) as _:
            s = T.alloc_shared((8, 16), "float32")
            flat = T.reshape(s, (128,))
            T.copy(A, s)
            for i in T.Parallel(128):
                B[i] = flat[127 - i]

    x = torch.randn(8, 16)
    assert torch.equal(call(kernel, x), x.view(-1).flip(0))


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float8_e4m3fn", "int8", "int32", "bool"])
def test_elementwise_arithmetic_rounds_to_the_stored_dtype(dtype: str) -> None:
    @T.prim_func
    def kernel(A: T.Tensor((64,), "float32"), B: T.Tensor((64,), dtype)):
        with T.Kernel(1, threads=64) as _:
            for i in T.Parallel(64):
                B[i] = T.cast(A[i] * 3.0, dtype)

    x = torch.randn(64)
    assert torch.equal(call(kernel, x).float(), (x * 3).to(getattr(torch, dtype)).float())


@pytest.mark.parametrize("dtype", ["float16", "float8_e5m2"])
def test_private_arrays_of_every_float_are_indexed_by_what_threads_computed(dtype: str) -> None:
    @T.prim_func
    def kernel(A: T.Tensor((32, 4), dtype), B: T.Tensor((32, 4), dtype)):
        with T.Kernel(1, threads=32) as _:
            tx = T.get_thread_binding()
            v = T.alloc_local((4,), dtype)
            for k in T.serial(4):
                v[(k + tx) % 4] = A[tx, k]
            for k in T.serial(4):
                if k != tx % 4:
                    B[tx, k] = v[k]

    x = torch.randn(32, 4).to(getattr(torch, dtype))
    got = call(kernel, x).float()
    for t in range(32):
        for k in range(4):
            assert got[t, k].isnan() if k == t % 4 else got[t, k] == x[t, (k - t) % 4].float()


def test_unsigned_arithmetic_wraps() -> None:
    @T.prim_func
    def kernel(A: T.Tensor((64,), "int32"), B: T.Tensor((64,), "int64")):
        with T.Kernel(1, threads=64) as _:
            tx = T.get_thread_binding()
            B[tx] = T.cast(T.cast(A[tx], "uint32") * T.uint32(2654435761), "int64")

    x = torch.arange(64, dtype=torch.int32)
    assert call(kernel, x).tolist() == [(n * 2654435761) % 2**32 for n in range(64)]


def test_a_barrier_handshake_in_program_order_is_followed_and_another_is_not_judged() -> None:
    def handshake(parity: int) -> Any:
        @T.prim_func
        def kernel(A: T.Tensor((128,), "float32"), B: T.Tensor((128,), "float32")):
            with T.Kernel(1, threads=256) as _:
                tx = T.get_thread_binding()
                s = T.alloc_shared((128,), "float32")
                ready = T.alloc_barrier(128)
                if tx < 128:
                    T.copy(A, s)
                    T.barrier_arrive(ready[0])
                else:
                    T.barrier_wait(ready[0], parity)
                    T.copy(s, B)

        return kernel

    x = torch.randn(128)
    assert torch.equal(call(handshake(0), x), x)
    with pytest.raises(Unsupported, match="mbarrier"):
        call(handshake(1), x)


def test_causal_attention_equals_torch() -> None:
    length, dim, block = 96, 32, 32

    @T.prim_func
    def kernel(
        Q: T.Tensor((2, length, dim), "float16"),
        K: T.Tensor((2, length, dim), "float16"),
        V: T.Tensor((2, length, dim), "float16"),
        O: T.Tensor((2, length, dim), "float16"),  # noqa: E741
    ):
        with T.Kernel(T.ceildiv(length, block), 2, threads=128) as (bx, head):
            q = T.alloc_shared((block, dim), "float16")
            k = T.alloc_shared((block, dim), "float16")
            v = T.alloc_shared((block, dim), "float16")
            scores = T.alloc_fragment((block, block), "float32")
            probs = T.alloc_fragment((block, block), "float16")
            out = T.alloc_fragment((block, dim), "float32")
            largest = T.alloc_fragment((block,), "float32")
            before = T.alloc_fragment((block,), "float32")
            part = T.alloc_fragment((block,), "float32")
            total = T.alloc_fragment((block,), "float32")
            T.copy(Q[head, bx * block, 0], q)
            T.clear(out)
            T.clear(total)
            T.fill(largest, -T.infinity("float32"))
            for step in T.Pipelined(bx + 1, num_stages=2):
                T.copy(K[head, step * block, 0], k)
                T.copy(V[head, step * block, 0], v)
                for i, j in T.Parallel(block, block):
                    scores[i, j] = T.if_then_else(bx * block + i >= step * block + j, 0.0, -T.infinity("float32"))
                T.gemm(q, k, scores, transpose_B=True)
                T.copy(largest, before)
                T.reduce_max(scores, largest, dim=1, clear=False)
                for i, j in T.Parallel(block, block):
                    scores[i, j] = T.exp((scores[i, j] - largest[i]) * dim**-0.5)
                T.reduce_sum(scores, part, dim=1)
                for i in T.Parallel(block):
                    before[i] = T.exp((before[i] - largest[i]) * dim**-0.5)
                    total[i] = total[i] * before[i] + part[i]
                for i, j in T.Parallel(block, dim):
                    out[i, j] *= before[i]
                T.copy(scores, probs)
                T.gemm(probs, v, out)
            for i, j in T.Parallel(block, dim):
                out[i, j] /= total[i]
            T.copy(out, O[head, bx * block, 0])

    q, k, v = (torch.randn(2, length, dim).half() for _ in range(3))
    expected = torch.nn.functional.scaled_dot_product_attention(q.float(), k.float(), v.float(), is_causal=True)
    torch.testing.assert_close(call(kernel, q, k, v).float(), expected, atol=2e-3, rtol=1e-2)


def test_persistent_blocks_take_several_tiles_each() -> None:
    @T.prim_func
    def kernel(A: T.Tensor((128, 96), "float32"), B: T.Tensor((128, 96), "float32")):
        with T.Kernel(5, threads=64) as block:
            for by, bx in T.Persistent([4, 3], 5, block):
                for i, j in T.Parallel(32, 32):
                    B[by * 32 + i, bx * 32 + j] = A[by * 32 + i, bx * 32 + j] * 2.0

    x = torch.randn(128, 96)
    torch.testing.assert_close(call(kernel, x), x * 2)


def test_reads_out_of_bounds_give_the_annotated_safe_value() -> None:
    @T.prim_func
    def kernel(A: T.Tensor((16,), "float32"), B: T.Tensor((16,), "float32")):
        with T.Kernel(1, threads=32) as _:
            T.annotate_safe_value({A: -7.0})
            for i in T.Parallel(16):
                B[i] = A[i + 1]

    x = torch.randn(16)
    assert torch.equal(call(kernel, x), torch.cat([x[1:], torch.tensor([-7.0])]))


def test_a_thread_number_inside_a_parallel_loop_is_not_guessed() -> None:
    @T.prim_func
    def kernel(A: T.Tensor((64,), "float32"), B: T.Tensor((64,), "float32")):
        with T.Kernel(1, threads=32) as _:
            tx = T.get_thread_binding()
            for i in T.Parallel(64):
                B[i] = A[i] + tx

    with pytest.raises(Unsupported, match="differs between threads"):
        call(kernel, torch.randn(64))
