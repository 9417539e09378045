"""Each tile operation against the torch operation that it should equal."""

from typing import Any

import pytest
import tilelang.language as T
import torch

from tilewright.interpreter import allocate_outputs, run


def call(kernel: Any, *inputs: Any) -> torch.Tensor:
    full = allocate_outputs(kernel, [-1], inputs)
    run(kernel, *full)
    output: torch.Tensor = full[-1]
    return output


def matmul(m: int, n: int, k: int, dtype: str, accum: str, trans_a: bool = False, trans_b: bool = False) -> Any:
    block = 32
    shape_a, shape_b = ((k, m) if trans_a else (m, k)), ((n, k) if trans_b else (k, n))

    @T.prim_func
    def kernel(A: T.Tensor(shape_a, dtype), B: T.Tensor(shape_b, dtype), C: T.Tensor((m, n), accum)):
        with T.Kernel(T.ceildiv(n, block), T.ceildiv(m, block), threads=128) as (bx, by):
            a = T.alloc_shared((block, block), dtype)
            b = T.alloc_shared((block, block), dtype)
            c = T.alloc_fragment((block, block), accum)
            T.clear(c)
            for ko in T.Pipelined(T.ceildiv(k, block), num_stages=2):
                if trans_a:
                    T.copy(A[ko * block, by * block], a)
                else:
                    T.copy(A[by * block, ko * block], a)
                if trans_b:
                    T.copy(B[bx * block, ko * block], b)
                else:
                    T.copy(B[ko * block, bx * block], b)
                T.gemm(a, b, c, transpose_A=trans_a, transpose_B=trans_b)
            T.copy(c, C[by * block, bx * block])

    return kernel


@pytest.mark.parametrize("trans_a", [False, True])
@pytest.mark.parametrize("trans_b", [False, True])
def test_gemm_equals_matmul_on_shapes_that_no_tile_divides(trans_a: bool, trans_b: bool) -> None:
    a, b = torch.randn(70, 50).half(), torch.randn(50, 90).half()
    kernel = matmul(70, 90, 50, "float16", "float32", trans_a, trans_b)
    got = call(kernel, (a.T if trans_a else a).contiguous(), (b.T if trans_b else b).contiguous())
    torch.testing.assert_close(got, a.float() @ b.float(), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(
    ("dtype", "accum"), [("bfloat16", "float32"), ("float32", "float32"), ("float16", "float16"), ("int8", "int32")]
)
def test_gemm_accumulates_in_the_dtype_of_its_target(dtype: str, accum: str) -> None:
    a, b = torch.randn(64, 64) * 4, torch.randn(64, 64) * 4
    a, b = a.to(getattr(torch, dtype)), b.to(getattr(torch, dtype))
    got = call(matmul(64, 64, 64, dtype, accum), a, b)
    assert got.dtype == getattr(torch, accum)
    torch.testing.assert_close(
        got.double(), a.double() @ b.double(), atol=0.5 if accum == "float16" else 1e-3, rtol=2e-3
    )


def test_gemm_multiplies_fp8_operands_exactly() -> None:
    a, b = torch.randn(64, 32).to(torch.float8_e4m3fn), torch.randn(32, 64).to(torch.float8_e4m3fn)
    got = call(matmul(64, 64, 32, "float8_e4m3fn", "float32"), a, b)
    torch.testing.assert_close(got, a.float() @ b.float(), atol=1e-4, rtol=1e-4)


def test_gemm_with_clear_accum_forgets_what_was_there() -> None:
    @T.prim_func
    def kernel(A: T.Tensor((16, 16), "float16"), B: T.Tensor((16, 16), "float16"), C: T.Tensor((16, 16), "float32")):
        with T.Kernel(1, threads=32) as _:
            a = T.alloc_shared((16, 16), "float16")
            b = T.alloc_shared((16, 16), "float16")
            c = T.alloc_fragment((16, 16), "float32")
            T.copy(A, a)
            T.copy(B, b)
            T.fill(c, 5)
            T.gemm(a, b, c, clear_accum=True)
            T.copy(c, C)

    a, b = torch.randn(16, 16).half(), torch.randn(16, 16).half()
    torch.testing.assert_close(call(kernel, a, b), a.float() @ b.float(), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("kind", ["sum", "max", "min", "abssum", "absmax"])
@pytest.mark.parametrize("dim", [0, 1])
def test_reduce_equals_its_torch_counterpart(kind: str, dim: int) -> None:
    reduce = getattr(T, f"reduce_{kind}")
    size = (24, 16)[1 - dim]

    @T.prim_func
    def kernel(A: T.Tensor((24, 16), "float32"), B: T.Tensor((size,), "float32")):
        with T.Kernel(1, threads=64) as _:
            a = T.alloc_fragment((24, 16), "float32")
            b = T.alloc_fragment((size,), "float32")
            T.copy(A, a)
            reduce(a, b, dim=dim)
            T.copy(b, B)

    x = torch.randn(24, 16)
    expected = {
        "sum": x.sum(dim),
        "max": x.amax(dim),
        "min": x.amin(dim),
        "abssum": x.abs().sum(dim),
        "absmax": x.abs().amax(dim),
    }[kind]
    torch.testing.assert_close(call(kernel, x), expected)


def test_reduce_without_clear_continues_from_what_is_there() -> None:
    @T.prim_func
    def kernel(A: T.Tensor((4, 8, 16), "float32"), B: T.Tensor((8,), "float32")):
        with T.Kernel(1, threads=64) as _:
            a = T.alloc_fragment((8, 16), "float32")
            b = T.alloc_fragment((8,), "float32")
            T.fill(b, -T.infinity("float32"))
            for k in T.serial(4):
                T.copy(A[k, 0, 0], a)
                T.reduce_max(a, b, dim=1, clear=False)
            T.copy(b, B)

    x = torch.randn(4, 8, 16)
    torch.testing.assert_close(call(kernel, x), x.amax((0, 2)))


def test_a_reducer_sums_what_a_parallel_loop_contributes() -> None:
    @T.prim_func
    def kernel(A: T.Tensor((16, 32), "float32"), B: T.Tensor((16,), "float32")):
        with T.Kernel(1, threads=64) as _:
            total = T.alloc_reducer((16,), "float32", op="sum")
            result = T.alloc_fragment((16,), "float32")
            T.reducer_init(total)
            for i, j in T.Parallel(16, 32):
                T.reducer_update(total[i], A[i, j])
            T.finalize_reducer(total, result)
            T.copy(result, B)

    x = torch.randn(16, 32)
    torch.testing.assert_close(call(kernel, x), x.sum(1))


@pytest.mark.parametrize("reverse", [False, True])
def test_cumsum_equals_torch(reverse: bool) -> None:
    @T.prim_func
    def kernel(A: T.Tensor((8, 32), "float32"), B: T.Tensor((8, 32), "float32")):
        with T.Kernel(1, threads=64) as _:
            a = T.alloc_shared((8, 32), "float32")
            T.copy(A, a)
            T.cumsum(a, dim=1, reverse=reverse)
            T.copy(a, B)

    x = torch.randn(8, 32)
    expected = x.flip(1).cumsum(1).flip(1) if reverse else x.cumsum(1)
    torch.testing.assert_close(call(kernel, x), expected)


@pytest.mark.parametrize("source", ["shared", "fragment", "local"])
def test_copy_converts_between_dtypes_and_memories(source: str) -> None:
    @T.prim_func
    def kernel(A: T.Tensor((64, 8), "float32"), B: T.Tensor((64, 8), "float16")):
        with T.Kernel(1, threads=64) as _:
            tx = T.get_thread_binding()
            if source == "shared":
                a = T.alloc_shared((64, 8), "float16")
                T.copy(A, a)
                T.copy(a, B)
            elif source == "fragment":
                a = T.alloc_fragment((64, 8), "float16")
                T.copy(A, a)
                T.copy(a, B)
            else:
                a = T.alloc_local((8,), "float16")
                T.copy(A[tx, 0:8], a)
                T.copy(a, B[tx, 0:8])

    x = torch.randn(64, 8)
    assert torch.equal(call(kernel, x), x.half())


def test_copy_reads_zero_and_writes_nothing_beyond_the_edge_of_a_tensor() -> None:
    @T.prim_func
    def kernel(A: T.Tensor((50,), "float32"), S: T.Tensor((64,), "float32"), B: T.Tensor((50,), "float32")):
        with T.Kernel(1, threads=64) as _:
            a = T.alloc_shared((64,), "float32")
            T.copy(A[0:64], a)
            T.copy(a, S)
            T.copy(a, B[0:64])

    x = torch.randn(50)
    padded, out = torch.full((64,), torch.nan), torch.full((50,), torch.nan)
    report = run(kernel, x, padded, out)
    assert torch.equal(padded, torch.cat([x, torch.zeros(14)]))
    assert torch.equal(out, x)
    assert report.warnings == ()


def test_transpose_swaps_the_axes_of_a_shared_tile() -> None:
    @T.prim_func
    def kernel(A: T.Tensor((16, 32), "float16"), B: T.Tensor((32, 16), "float16")):
        with T.Kernel(1, threads=64) as _:
            a = T.alloc_shared((16, 32), "float16")
            b = T.alloc_shared((32, 16), "float16")
            T.copy(A, a)
            T.transpose(a, b)
            T.copy(b, B)

    x = torch.randn(16, 32).half()
    assert torch.equal(call(kernel, x), x.T)


@pytest.mark.parametrize("kind", ["add", "max", "min"])
def test_an_atomic_tile_update_combines_what_all_blocks_bring(kind: str) -> None:
    update = getattr(T, f"atomic_{kind}")

    @T.prim_func
    def kernel(A: T.Tensor((8, 64), "float32"), B: T.Tensor((64,), "float32")):
        with T.Kernel(8, threads=64) as bx:
            a = T.alloc_fragment((64,), "float32")
            T.copy(A[bx, 0:64], a)
            update(B[0:64], a)

    x, start = torch.randn(8, 64), torch.zeros(64)
    run(kernel, x, start)
    expected = {"add": x.sum(0), "max": x.amax(0).clamp(min=0), "min": x.amin(0).clamp(max=0)}[kind]
    torch.testing.assert_close(start, expected)


def test_scalar_atomics_add_once_for_each_thread() -> None:
    @T.prim_func
    def kernel(A: T.Tensor((256,), "float32"), B: T.Tensor((4,), "float32"), C: T.Tensor((1,), "int32")):
        with T.Kernel(2, threads=128) as bx:
            tx = T.get_thread_binding()
            T.atomic_add(B[tx % 4], A[bx * 128 + tx])
            T.atomic_add(C[0], 1)

    x, sums, count = torch.randn(256), torch.zeros(4), torch.zeros(1, dtype=torch.int32)
    run(kernel, x, sums, count)
    torch.testing.assert_close(sums, x.view(64, 4).sum(0))
    assert int(count) == 256


@pytest.mark.parametrize("width", [2, 4])
def test_wide_atomics_add_neighbouring_elements(width: int) -> None:
    dtype = "float16" if width == 2 else "float32"
    update = T.atomic_addx2 if width == 2 else T.atomic_addx4

    @T.prim_func
    def kernel(A: T.Tensor((4, 64), dtype), B: T.Tensor((64,), dtype)):
        with T.Kernel(4, threads=64 // width) as bx:
            a = T.alloc_shared((64,), dtype)
            T.copy(A[bx, 0:64], a)
            for i in T.Parallel(64 // width):
                update(B[i * width], a[i * width])

    x = torch.randn(4, 64).to(getattr(torch, dtype))
    total = torch.zeros(64, dtype=x.dtype)
    run(kernel, x, total)
    torch.testing.assert_close(total, x.sum(0), atol=1e-2, rtol=1e-2)


def test_im2col_and_gemm_make_a_convolution() -> None:
    size, channels, filters, kernel_size = 8, 16, 32, 3
    rows, depth = 2 * size * size, kernel_size * kernel_size * channels

    @T.prim_func
    def kernel(
        X: T.Tensor((2, size, size, channels), "float16"),
        W: T.Tensor((depth, filters), "float16"),
        Y: T.Tensor((rows, filters), "float32"),
    ):
        with T.Kernel(T.ceildiv(rows, 32), threads=128) as by:
            x = T.alloc_shared((32, 16), "float16")
            w = T.alloc_shared((16, filters), "float16")
            y = T.alloc_fragment((32, filters), "float32")
            T.clear(y)
            for k in T.Pipelined(T.ceildiv(depth, 16), num_stages=2):
                T.im2col(X, x, by, k, kernel_size, 1, 1, 1)
                T.copy(W[k * 16, 0], w)
                T.gemm(x, w, y)
            T.copy(y, Y[by * 32, 0])

    x = torch.randn(2, size, size, channels).half()
    weight = torch.randn(filters, channels, kernel_size, kernel_size).half()
    got = call(kernel, x, weight.permute(2, 3, 1, 0).reshape(depth, filters).contiguous())
    expected = torch.nn.functional.conv2d(x.permute(0, 3, 1, 2).float(), weight.float(), padding=1)
    torch.testing.assert_close(got, expected.permute(0, 2, 3, 1).reshape(rows, filters), atol=1e-3, rtol=1e-3)


def test_an_atomic_in_a_parallel_loop_runs_once_for_each_iteration() -> None:
    @T.prim_func
    def kernel(A: T.Tensor((16,), "float32"), B: T.Tensor((2,), "float32")):
        with T.Kernel(3, threads=64) as _:
            for i, _j in T.Parallel(16, 4):
                T.atomic_add(B[0], A[i])
                T.atomic_add(B[1], 1.0)

    x, out = torch.randn(16), torch.zeros(2)
    run(kernel, x, out)
    torch.testing.assert_close(out, torch.stack([x.sum() * 12, torch.tensor(192.0)]))


def test_fp8_operands_may_stick_out_of_the_tensor() -> None:
    a, b = torch.randn(40, 50).to(torch.float8_e4m3fn), torch.randn(50, 70).to(torch.float8_e4m3fn)
    got = call(matmul(40, 70, 50, "float8_e4m3fn", "float32"), a, b)
    torch.testing.assert_close(got, a.float() @ b.float(), atol=1e-4, rtol=1e-4)
