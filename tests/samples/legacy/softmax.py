"""A running maximum and a running sum kept in Python scalars that are set again in loops."""

import tilelang
import tilelang.language as T


def build_softmax(rows, columns, threads=128, dtype="float16", accum_dtype="float32"):
    @tilelang.jit(out_idx=[1])
    @T.prim_func
    def softmax(X: T.Tensor((rows, columns), dtype), Y: T.Tensor((rows, columns), dtype)):
        with T.Kernel(T.ceildiv(rows, threads), threads=threads) as bx:
            tx = T.get_thread_binding(0)
            row = bx * threads + tx
            if row < rows:
                largest = -T.infinity(accum_dtype)
                for j in T.serial(columns):
                    largest = T.max(largest, T.Cast(accum_dtype, X[row, j]))
                total = 0.0
                for j in T.serial(columns):
                    total += T.exp(T.Cast(accum_dtype, X[row, j]) - largest)
                for j in T.serial(columns):
                    Y[row, j] = T.exp(T.Cast(accum_dtype, X[row, j]) - largest) / total

    return softmax


def prim_func():
    return build_softmax(256, 512)
