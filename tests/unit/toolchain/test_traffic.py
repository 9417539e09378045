"""Counts of kernels that can be worked out by hand."""

from typing import Any

import pytest
import tilelang.language as T
from counted_kernels import add, column_sum, matmul

from tilewright.toolchain.traffic import Traffic, traffic


def counts(kernel: Any, **sizes: int) -> Traffic:
    by_name = {
        dim.name: dim for b in kernel.buffer_map.values() for dim in b.shape if getattr(dim, "name", "") in sizes
    }
    (found,) = traffic(kernel, {by_name[name]: size for name, size in sizes.items()})
    return found


def test_an_elementwise_kernel_moves_its_operands_and_a_vector_shared_by_rows_once_a_block():
    found = counts(add(1024, 1024))
    blocks, bytes_a, bytes_c = 8 * 32, 2 * 1024 * 1024, 2 * 1024 * 1024
    assert found.global_bytes == bytes_a + bytes_c + blocks * 128 * 2
    assert found.flops == 1024 * 1024
    assert found.matmul_flops == 0
    assert found.tensor_bytes == bytes_a + bytes_c + 1024 * 2
    assert found.coalescing == 1.0
    assert found.serial_depth == 0


def test_a_tile_product_reads_its_operands_once_for_each_row_or_column_of_blocks():
    found = counts(matmul(512, 512, 512, block=128, block_k=32))
    assert found.matmul_flops == 2 * 512**3
    assert found.global_bytes == 2 * 512 * 512 * (4 + 4 + 1)
    assert found.tensor_bytes == 2 * 512 * 512 * 3
    assert found.serial_depth == 512 / 32
    assert found.multiplies_tiles and found.pipelined


def test_tiles_that_hang_over_the_edge_move_only_what_is_inside():
    found = counts(matmul(500, 512, 512, block=128))
    assert found.global_bytes == pytest.approx(2 * (500 * 512 * 4 + 512 * 512 * 4 + 500 * 512))
    assert found.matmul_flops == 2 * 512**3, "the padding is multiplied all the same"


def test_a_kernel_without_stages_is_not_pipelined():
    assert not counts(matmul(num_stages=0)).pipelined


def test_one_thread_a_column_reads_whole_sectors():
    found = counts(column_sum())
    assert found.global_bytes == 4 * (256 * 4096 + 4096)
    assert found.coalescing == 1.0
    assert found.serial_depth == 256
    assert found.flops == 256 * 4096


def test_one_thread_a_row_uses_one_word_of_each_sector():
    assert counts(column_sum(transposed=True)).coalescing == pytest.approx(4 / 32)


def test_threads_that_ask_for_the_same_address_count_once():
    n = 256

    @T.prim_func
    def naive(A: T.Tensor((n, n), "float16"), B: T.Tensor((n, n), "float16"), C: T.Tensor((n, n), "float16")):
        with T.Kernel(n // 16, n // 16, threads=(16, 16)) as (bx, by):
            tx = T.get_thread_binding(0)
            ty = T.get_thread_binding(1)
            total = T.alloc_local((1,), "float32")
            total[0] = 0.0
            for k in T.serial(n):
                total[0] += T.cast(A[by * 16 + ty, k], "float32") * T.cast(B[k, bx * 16 + tx], "float32")
            C[by * 16 + ty, bx * 16 + tx] = total[0]

    found = counts(naive)
    assert found.global_bytes == 2 * ((n // 16) ** 2 * n * 32 + n * n)
    assert found.flops == 2 * n**3


def test_a_guard_that_lets_one_thread_through_counts_one_thread():
    @T.prim_func
    def first_thread(X: T.Tensor((64, 1000), "float32"), Y: T.Tensor((64,), "float32")):
        with T.Kernel(64, threads=128) as bx:
            tx = T.get_thread_binding(0)
            total = T.alloc_local((1,), "float32")
            if tx == 0:
                total[0] = 0.0
                for i in T.serial(1000):
                    total[0] += X[bx, i]
                Y[bx] = total[0]

    found = counts(first_thread)
    assert found.global_bytes == 4 * (64 * 1000 + 64)
    assert found.flops == pytest.approx(64 * 1000)
    assert found.serial_depth == 1000


def test_a_guard_at_the_edge_counts_what_is_inside():
    @T.prim_func
    def guarded(X: T.Tensor((1000,), "float32"), Y: T.Tensor((1000,), "float32")):
        with T.Kernel(T.ceildiv(1000, 128), threads=128) as bx:
            for i in T.Parallel(128):
                if bx * 128 + i < 1000:
                    Y[bx * 128 + i] = X[bx * 128 + i] * 2.0

    assert counts(guarded).global_bytes == pytest.approx(2 * 4 * 1000)


def test_an_expression_that_names_an_address_twice_loads_it_once():
    @T.prim_func
    def square(X: T.Tensor((1024,), "float32"), Y: T.Tensor((1024,), "float32")):
        with T.Kernel(8, threads=128) as bx:
            for i in T.Parallel(128):
                Y[bx * 128 + i] = X[bx * 128 + i] * X[bx * 128 + i]

    assert counts(square).global_bytes == 2 * 4 * 1024


def test_a_load_that_does_not_change_in_a_loop_counts_once_and_a_store_each_time():
    @T.prim_func
    def repeated(X: T.Tensor((1024,), "float32"), Y: T.Tensor((1024,), "float32")):
        with T.Kernel(8, threads=128) as bx:
            tx = T.get_thread_binding(0)
            for k in T.serial(10):
                Y[bx * 128 + tx] = X[bx * 128 + tx] + T.cast(k, "float32")

    assert counts(repeated).global_bytes == 4 * 1024 * (1 + 10)


def test_one_atomic_an_element_is_counted_as_such():
    @T.prim_func
    def accumulate(X: T.Tensor((4096,), "float32"), Y: T.Tensor((1,), "float32")):
        with T.Kernel(32, threads=128) as bx:
            tx = T.get_thread_binding(0)
            T.atomic_add(Y[0], X[bx * 128 + tx])

    assert counts(accumulate).atomics == 4096


def test_a_tile_of_atomics_counts_its_elements():
    @T.prim_func
    def accumulate(X: T.Tensor((4096,), "float32"), Y: T.Tensor((128,), "float32")):
        with T.Kernel(32, threads=128) as bx:
            tile = T.alloc_shared((128,), "float32")
            T.copy(X[bx * 128], tile)
            T.atomic_add(Y[0:128], tile)

    assert counts(accumulate).atomics == 4096


def test_a_tensor_of_which_a_part_is_asked_for_counts_with_that_part_and_one_that_is_changed_twice():
    @T.prim_func
    def main(A: T.Tensor((64, 1024), "float32"), B: T.Tensor((1024,), "float32")):
        with T.Kernel(8, threads=128) as bx:
            for j in T.Parallel(128):
                B[bx * 128 + j] = B[bx * 128 + j] + A[3, bx * 128 + j] + A[4, bx * 128 + j]

    found = counts(main)
    assert found.tensor_bytes == found.global_bytes == 4 * 1024 * 4


def test_symbolic_sizes_take_the_values_of_the_call():
    m = T.dynamic("m")

    @T.prim_func
    def scale(X: T.Tensor((m, 128), "float32"), Y: T.Tensor((m, 128), "float32")):
        with T.Kernel(m, threads=128) as bx:
            for j in T.Parallel(128):
                Y[bx, j] = X[bx, j] * 2.0

    found = counts(scale, m=300)
    assert found.tensor_bytes == found.global_bytes == 2 * 4 * 300 * 128
    assert found.grid == (300, 1, 1)


def test_a_loop_whose_length_depends_on_the_block_counts_with_its_mean():
    @T.prim_func
    def causal(X: T.Tensor((1024, 128), "float32"), Y: T.Tensor((1024, 128), "float32")):
        with T.Kernel(8, threads=128) as bx:
            tile = T.alloc_fragment((128, 128), "float32")
            for k in T.serial(bx + 1):
                T.copy(X[k * 128, 0], tile)
            T.copy(tile, Y[bx * 128, 0])

    found = counts(causal)
    assert found.global_bytes == pytest.approx(4 * 128 * 128 * (8 * 4.5 + 8))


def test_rows_gathered_by_an_index_count_once_each():
    @T.prim_func
    def embed(
        W: T.Tensor((1000, 512), "float16"), Index: T.Tensor((64,), "int32"), Y: T.Tensor((64, 512), "float16")
    ):
        with T.Kernel(64, threads=128) as bx:
            for j in T.Parallel(512):
                Y[bx, j] = W[Index[bx], j]

    assert counts(embed).global_bytes == 64 * (512 * 2 + 512 * 2 + 4)


def test_a_persistent_kernel_computes_each_tile_once():
    tiles, blocks = 16 * 16, 132

    @T.prim_func
    def persistent(X: T.Tensor((2048, 2048), "float32"), Y: T.Tensor((2048, 2048), "float32")):
        with T.Kernel(blocks, threads=128) as b:
            tile = T.alloc_fragment((128, 128), "float32")
            for i, j in T.Persistent([16, 16], blocks, b):
                T.copy(X[i * 128, j * 128], tile)
                T.copy(tile, Y[i * 128, j * 128])

    assert counts(persistent).global_bytes == pytest.approx(2 * 4 * tiles * 128 * 128)


def test_a_while_loop_makes_the_counts_unknown_rather_than_small():
    @T.prim_func
    def search(X: T.Tensor((1024,), "float32"), Y: T.Tensor((8,), "int32")):
        with T.Kernel(8, threads=128) as bx:
            i = T.alloc_var("int32")
            i = 0
            while X[i] < 1.0:
                i = i + 1
            Y[bx] = i

    found = counts(search)
    assert found.global_bytes is None and found.flops is None and found.serial_depth is None


def test_a_serial_loop_whose_iterations_do_not_depend_on_each_other_overlaps():
    @T.prim_func
    def strided(X: T.Tensor((8192,), "float32"), Y: T.Tensor((8192,), "float32")):
        with T.Kernel(1, threads=128):
            tx = T.get_thread_binding(0)
            for i in T.serial(64):
                Y[i * 128 + tx] = X[i * 128 + tx] * 2.0

    assert counts(strided).serial_depth == 16


def test_every_kernel_of_a_function_is_counted_apart():
    @T.prim_func
    def both(X: T.Tensor((1024,), "float32"), Y: T.Tensor((1024,), "float32"), Z: T.Tensor((1024,), "float32")):
        with T.Kernel(8, threads=128) as bx:
            for i in T.Parallel(128):
                Y[bx * 128 + i] = X[bx * 128 + i] * 2.0
        with T.Kernel(4, threads=128) as bx:
            for i in T.Parallel(256):
                Z[bx * 256 + i] = X[bx * 256 + i] + Y[bx * 256 + i]

    first, second = traffic(both, {})
    assert (first.grid, second.grid) == ((8, 1, 1), (4, 1, 1))
    assert (first.global_bytes, second.global_bytes) == (2 * 4096, 3 * 4096)
