"""What does T.im2col lay out: one row for each output pixel, one column for each weight, of a convolution (NHWC)?"""

from __future__ import annotations

from tilewright.interpreter import tir
from tilewright.interpreter.compiler import Action, Scope
from tilewright.interpreter.loads import compile_load
from tilewright.interpreter.report import Unsupported
from tilewright.interpreter.stores import compile_store
from tilewright.interpreter.tileops.registry import over, tile_op, within


@tile_op("im2col", "c2d_im2col")
def _im2col(call: tir.Call, scope: Scope) -> Action:
    image, columns = tir.region_of(call.args[0]), tir.region_of(call.args[1])
    row_step, column_step = call.args[2], call.args[3]
    kernel, stride, dilation, padding = (tir.constant(arg) for arg in call.args[4:8])
    if kernel is None or stride is None or dilation is None or padding is None or len(image.buffer.shape) != 4:
        raise Unsupported("an im2col that is not of a 4-dimensional image with constant geometry")
    _, height, width, channels = image.buffer.shape
    out_height, out_width = (
        (size + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1 for size in (height, width)
    )
    inner, counters = over(columns.extents[-2:], scope)
    pixel = row_step * columns.extents[-2] + counters[0]
    weight = column_step * columns.extents[-1] + counters[1]
    place = [
        pixel // (out_height * out_width),
        pixel % (out_height * out_width) // out_width * stride + weight // (kernel * channels) * dilation - padding,
        pixel % out_width * stride + weight // channels % kernel * dilation - padding,
        weight % channels,
    ]
    load = compile_load(image.buffer, place, inner)  # 0 where the padding is: out of bounds
    write = compile_store(columns.buffer, within(columns, counters), inner)
    return lambda frame: write(frame, load(frame))
