"""A kernel of the module itself, with a bare decorator and a loop that halves."""

import tilelang
from tilelang import language as T

ROWS, COLUMNS = 128, 256


@tilelang.jit
@T.prim_func
def first_bit(X: T.Tensor((ROWS, COLUMNS), "int32"), Y: T.Tensor((ROWS, COLUMNS), "int32")):
    with T.Kernel(ROWS, threads=COLUMNS) as row:
        column = T.get_thread_binding(0)
        rest = X[row, column]
        bits = 0
        while rest > 1:
            rest = rest // 2
            bits += 1
        Y[row, column] = bits


def prim_func():
    return first_bit
