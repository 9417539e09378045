"""What does TileLang's own autotuner find in a space of settings, and how long does it take?

python -m benchmarks.autotuner KERNEL REFERENCE PRECISION ANSWER.json < SETTINGS.json

The kernel's one `tilelang.jit` factory is called as its file is, and called in turn by its ModelNew with sizes alone.
It runs in a process of its own, outside of any sandbox, with an empty cache and its own defaults; the clock starts
after imports, with the inputs on the GPU. The decorator `tilelang.autotune` compiles one setting at a time (tilelang
0.1.15 holds a lock meanwhile); the `AutoTuner` behind it uses most cores, and that is what runs here.
"""

from __future__ import annotations

import importlib.util
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import tilelang
import torch

_DTYPES = {"fp16": torch.float16, "bf16": torch.bfloat16}


def main(kernel: Path, reference: Path, precision: str, answer: Path, settings: Sequence[dict[str, Any]]) -> None:
    module = _loaded(kernel)
    dtype = _DTYPES[precision]
    inputs = [
        tensor.to("cuda", dtype if tensor.is_floating_point() else tensor.dtype)
        for tensor in _loaded(reference).get_inputs()
    ]
    torch.cuda.synchronize()
    factory = getattr(module, kernel.stem)

    def tuned(*sizes: int) -> Any:
        """In the factory's place, where the module calls it."""
        start = time.monotonic()
        result = search(factory, sizes, settings)
        seconds = round(time.monotonic() - start, 2)
        values = {knob: result.config[knob] for knob in settings[0]}  # it holds more than it was given
        found = {"values": values, "reported_ms": result.latency, "seconds": seconds}
        answer.write_text(json.dumps(found), encoding="utf-8")
        return result.kernel

    setattr(module, kernel.stem, tuned)
    module.ModelNew()(*inputs)


def search(factory: Any, sizes: Sequence[int], settings: Sequence[dict[str, Any]]) -> Any:
    """The autotuner's result for a `tilelang.jit` factory called with these sizes."""
    tuner = tilelang.autotune(configs=list(settings), cache_input_tensors=True)(factory).get_tunner()
    tuner.set_kernel_parameters((tuple(sizes), ()), factory.signature.parameters)

    def elaborated(**values: Any) -> Any:
        values.pop("__pass_configs__", None)  # where the autotuner puts a setting's own; these have none
        return factory.get_tir(*sizes, **values)

    tuner.jit_elaborate = elaborated
    tuner.jit_compile = lambda **values: tuner.compile_args.compile_program(elaborated(**values))
    return tuner.run()


def _loaded(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], Path(sys.argv[4]), json.load(sys.stdin))
