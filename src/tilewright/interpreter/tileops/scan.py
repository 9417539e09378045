"""What do T.cumsum and T.cummax leave?"""

from __future__ import annotations

import torch

from tilewright.interpreter import tir
from tilewright.interpreter.compiler import Action, Scope
from tilewright.interpreter.frame import Frame
from tilewright.interpreter.tileops.registry import tile_load, tile_op, tile_store
from tilewright.interpreter.values import NARROW_FLOATS, as_tensor, compute_dtype


@tile_op("cumsum", "cummax")
def _scan(call: tir.Call, scope: Scope) -> Action:
    source, target = tir.region_of(call.args[0]), tir.region_of(call.args[1])
    axis, reverse = int(call.args[2]) % len(source.extents), bool(call.args[3])
    is_sum = tir.op_name(call).endswith("cumsum")
    load, write = tile_load(source, scope), tile_store(target, scope)
    rank, dtype = scope.rank, compute_dtype(str(target.buffer.dtype))
    source_dtype = compute_dtype(str(source.buffer.dtype))

    def run(frame: Frame) -> None:
        tile = as_tensor(load(frame), rank + len(source.extents), source_dtype)
        tile = tile.expand(*tile.shape[:rank], *source.extents)
        if tile.dtype in NARROW_FLOATS:
            tile = tile.float()
        if reverse:
            tile = tile.flip(rank + axis)
        scanned = tile.cumsum(rank + axis) if is_sum else torch.cummax(tile, rank + axis).values
        write(frame, (scanned.flip(rank + axis) if reverse else scanned).to(dtype))

    return run
