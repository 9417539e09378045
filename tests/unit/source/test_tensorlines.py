from tilewright.source.tensorlines import tensor_lines

SOURCE = """
import tilelang.language as T


def factory(m, n):
    @T.prim_func
    def kernel(A: T.Tensor((m, n), "float16"), B: T.Tensor((n,), "float16"), C: T.Tensor((m, n), "float16")):
        with T.Kernel(m, threads=128) as bx:
            tile = T.alloc_shared((n,), "float16")
            T.copy(A[bx, 0], tile)
            for j in T.Parallel(n):
                tile[j] = tile[j] + B[j] * A[bx, j]
            T.copy(src=tile, dst=C[bx, 0])
            T.atomic_add(B[bx], tile[0])

    return kernel


def other(A):
    return A[0]
"""
KERNEL = 7


def test_reads_writes_and_atomics_of_each_tensor_are_told_apart():
    assert tensor_lines(SOURCE, KERNEL) == {
        ("A", "read"): (10, 12),
        ("B", "read"): (12,),
        ("C", "written"): (13,),
        ("B", "updated"): (14,),
    }


def test_a_line_outside_any_kernel_and_a_file_that_is_no_python_name_nothing():
    assert tensor_lines(SOURCE, 20) == {}
    assert tensor_lines("def (", 1) == {}
