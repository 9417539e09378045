"""References and kernels that several tests of retrieval start from."""

from __future__ import annotations

from tilewright.rag.corpus import Entry
from tilewright.records import Problem

HEAD = "import torch\nimport torch.nn.functional as F\nfrom torch import nn\n\n"


def reference(expression: str, inputs: str = "torch.randn(rows, dim)", layers: str = "", rows: int = 64) -> str:
    """A module whose forward over x (and y) returns `expression`."""
    constructor = f"    def __init__(self):\n        super().__init__()\n        {layers}\n" if layers else ""
    return (
        f"{HEAD}rows = {rows}\ndim = 512\n\n\nclass Model(nn.Module):\n{constructor}"
        f"    def forward(self, x, y=None):\n        return {expression}\n\n\n"
        f"def get_inputs():\n    return [{inputs}]\n\n\ndef get_init_inputs():\n    return []\n"
    )


def kernel(body: str, loop: str = "", name: str = "tile") -> str:
    """A TileLang kernel with `body` inside, in a loop over `loop` where one is given."""
    pad = " " * (16 if loop else 12)
    lines = "\n".join(pad + line for line in body.split("\n"))
    head = f"            for k in {loop}:\n" if loop else ""
    return (
        "import tilelang\nimport tilelang.language as T\nimport torch.nn as nn\n\n\n"
        f"@tilelang.jit(out_idx=[-1])\ndef {name}(M, N, num_stages=3):\n    @T.prim_func\n"
        '    def main(X: T.Tensor((M, N), "float16")):\n'
        f"        with T.Kernel(M, threads=128) as row:\n{head}{lines}\n    return main\n\n\n"
        "class ModelNew(nn.Module):\n    def forward(self, x):\n        return x\n"
    )


def entry(number: int, name: str, source: str, code: str, ratio: float | None = None, level: int = 1) -> Entry:
    return Entry(f"{level}_{number}.py", Problem(name, source, level, number), code, ratio, "H100" if ratio else "")
