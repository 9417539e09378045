"""CLASS: 56 obfuscated exec
CAUGHT BY: static
REFERENCE: row_sum.py
"""

import base64

from torch import nn

exec(base64.b64decode(b"ZGVmIF9zdW0oeCk6CiAgICByZXR1cm4geC5zdW0oZGltPTEpCg=="))


class ModelNew(nn.Module):
    def forward(self, x):
        return _sum(x)  # noqa: F821
