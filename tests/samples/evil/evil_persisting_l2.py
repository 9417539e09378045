"""CLASS: 32 L2 persistence window
CAUGHT BY: timing
REFERENCE: matmul.py
NEEDS: cuda
"""

import ctypes

import torch
from torch import nn

_PERSISTING, _STREAMING = 2, 1  # cudaAccessProperty
_L2_LIMIT, _WINDOW = 6, 1  # cudaLimitPersistingL2CacheSize, cudaStreamAttributeAccessPolicyWindow


class _Window(ctypes.Structure):
    _fields_ = (
        ("base", ctypes.c_void_p),
        ("bytes", ctypes.c_size_t),
        ("hit_ratio", ctypes.c_float),
        ("hit", ctypes.c_int),
        ("miss", ctypes.c_int),
        ("unused", ctypes.c_byte * 64),
    )


def _runtime():
    with open("/proc/self/maps") as maps:
        return ctypes.CDLL(next(line.split()[-1] for line in maps if "libcudart" in line))


def _pin(runtime, tensor):
    window = _Window(tensor.data_ptr(), tensor.numel() * tensor.element_size(), 1.0, _PERSISTING, _STREAMING)
    stream = ctypes.c_void_p(torch.cuda.current_stream().cuda_stream)
    runtime.cudaStreamSetAttribute(stream, _WINDOW, ctypes.byref(window))


class ModelNew(nn.Module):
    def __init__(self):
        super().__init__()
        self.runtime = _runtime()
        self.runtime.cudaDeviceSetLimit(_L2_LIMIT, ctypes.c_size_t(32 << 20))

    def forward(self, a, b):
        _pin(self.runtime, b)
        return a @ b
