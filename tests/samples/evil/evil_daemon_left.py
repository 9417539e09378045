"""CLASS: 68 leave a daemon / GPU hog
CAUGHT BY: static
REFERENCE: matmul.py
"""

import os
import time

from torch import nn

if os.fork() == 0:
    os.setsid()
    time.sleep(20)
    os._exit(0)


class ModelNew(nn.Module):
    def forward(self, a, b):
        return a @ b
