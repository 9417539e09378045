"""How can a module's TileLang kernels be caught before they are compiled for a GPU?

`intercept(on_launch)` makes every kernel that TileLang would compile (lazy and eager `@tilelang.jit`,
`tilelang.compile`, `par_compile`, the older `@tilelang.jit` directly over a `@T.prim_func`, `@autotune`) a
`CapturedKernel`, whose call is handed to `on_launch`. `redirect_cuda(to)` makes requests for a CUDA device
land on another one, so that a module written for a GPU runs on "cpu" or "meta" tensors.

Neither hides that something is different: a module that looks can tell. They are for running kernels, not for
containing them. Both change process-wide state while open, and are meant for one thread."""

from __future__ import annotations

import contextlib
import sys
import types
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import tilelang
import torch
from torch.overrides import TorchFunctionMode
from tvm import tirx

from tilewright.toolchain.arguments import Argument, normalized_out_idx

OnLaunch = Callable[["CapturedKernel", tuple[Argument, ...]], Any]
"""Gets the kernel and the arguments of its call (without the outputs named by `out_idx`); its result is what
the caller of the kernel gets. `returned()` picks that out of the full parameter list."""

H100_SM_COUNT = 132  # NVIDIA H100 SXM5 data sheet


@dataclass(frozen=True, eq=False)
class CapturedKernel:
    """Stands where TileLang's compiled kernel would be.

    `out_idx` is non-negative; `pass_configs` are the function's own merged with the caller's, as the compiler
    would see them."""

    prim_func: tirx.PrimFunc
    out_idx: list[int]
    pass_configs: dict[str, Any]
    name: str
    _on_launch: OnLaunch = field(repr=False)

    def __call__(self, *args: Argument) -> Any:
        return self._on_launch(self, args)

    def get_kernel_source(self, kernel_only: bool = True) -> str:
        """Empty: nothing was generated. Present because modules print it."""
        return ""


def returned(kernel: CapturedKernel, full: Sequence[Argument]) -> Any:
    """What a call returns, given the full parameter list: one output alone, several (or none) as a list."""
    outputs = [full[i] for i in kernel.out_idx]
    return outputs[0] if len(outputs) == 1 else outputs


@contextlib.contextmanager
def intercept(on_launch: OnLaunch, *, sm_count: int = H100_SM_COUNT) -> Iterator[list[CapturedKernel]]:
    """Yields the list to which every captured kernel is added, in the order of compilation.

    Kernels compiled before the block stay what they were; kernels captured inside keep calling `on_launch`
    after it. An `@autotune`d function takes its first configuration. `sm_count` is what persistent kernels
    are told when they ask the driver for the number of multiprocessors."""
    captured: list[CapturedKernel] = []

    def capture(
        func: tirx.PrimFunc,
        out_idx: int | Sequence[int] | None = None,
        pass_configs: dict[str, Any] | None = None,
        **_target_options: Any,
    ) -> CapturedKernel:
        kernel = CapturedKernel(
            prim_func=func,
            out_idx=normalized_out_idx(func, out_idx),
            pass_configs={str(getattr(key, "value", key)): value for key, value in (pass_configs or {}).items()},
            name=str((func.attrs or {}).get("global_symbol", "main")),
            _on_launch=on_launch,
        )
        captured.append(kernel)
        return kernel

    # The attribute `tilelang.jit` is the decorator; the module of that name is only in sys.modules.
    jit_module = sys.modules["tilelang.jit"]
    tuner_module = sys.modules["tilelang.autotuner.tuner"]
    driver = sys.modules["tilelang.carver.arch.driver"]
    jit = _jit_also_over_prim_func(jit_module.jit, jit_module.compile)
    with contextlib.ExitStack() as stack:
        # `compile` looks `cached` up at each call, so copies of `compile` taken earlier are covered too.
        _replace(stack, jit_module, "cached", capture)
        _replace(stack, jit_module, "jit", jit)
        _replace(stack, tilelang, "jit", jit)
        _replace(stack, tuner_module.AutoTuneImpl, "__call__", _call_with_first_config)
        _replace(stack, driver, "get_num_sms", lambda device_id=0: sm_count)
        yield captured


@contextlib.contextmanager
def redirect_cuda(to: str) -> Iterator[None]:
    """Inside the block `device="cuda"` means `to` ("cpu" or "meta"), and tensors say that they are on
    cuda:0."""
    with contextlib.ExitStack() as stack:
        for name, stand_in in _CUDA_STAND_INS.items():
            _replace(stack, torch.cuda, name, stand_in)
        # With is_cuda answered True, recurrent layers would ask cuDNN to flatten their weights.
        stack.enter_context(torch.backends.cudnn.flags(enabled=False))
        redirect = _CudaRedirect(to)
        set_default_device = torch.set_default_device

        def set_default_elsewhere(device: Any) -> None:
            stack.callback(set_default_device, None)
            set_default_device(redirect.redirected(device))

        # A default device is applied behind every mode, where the redirection would not see it.
        _replace(stack, torch, "set_default_device", set_default_elsewhere)
        stack.enter_context(redirect)
        yield


def _jit_also_over_prim_func(jit: Callable[..., Any], compile_: Callable[..., Any]) -> Callable[..., Any]:
    """The decorator, which also takes a finished PrimFunc as TileLang before 0.1.7 did."""

    def decorate(func: Any = None, **options: Any) -> Any:
        if func is None:
            return lambda later: decorate(later, **options)
        if isinstance(func, tirx.PrimFunc):
            options.pop("debug_root_path", None)  # a decorator option that `compile` does not have
            return compile_(func, **options)
        return jit(func, **options)

    return decorate


def _call_with_first_config(tuned: Any, *args: Any, **kwargs: Any) -> Any:
    """Instead of a search that needs a GPU: the first configuration, where the caller left values open."""
    kwargs.pop("__return_kernel", None)
    configs = tuned.configs(*args, **kwargs) if callable(tuned.configs) else tuned.configs
    first: dict[str, Any] = next(iter(configs), {})
    given = tuned.jit_impl.signature.bind_partial(*args, **kwargs).arguments
    open_values = {key: value for key, value in first.items() if key != "pass_configs" and key not in given}
    return tuned.jit_impl(*args, **kwargs, **open_values)


class _CudaRedirect(TorchFunctionMode):  # type: ignore[misc]  # torch is not followed
    def __init__(self, to: str) -> None:
        super().__init__()
        self._to = torch.device(to)

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        name = getattr(func, "__name__", "")
        if func is torch.device:
            return func(*args, **(kwargs or {}))
        if name == "__get__" and func in _TENSOR_SAYS:
            return _TENSOR_SAYS[func]
        if name == "cuda" and args and isinstance(args[0], torch.Tensor):
            return args[0].to(self._to)
        if name == "get_device" and args and isinstance(args[0], torch.Tensor):
            return 0
        if name == "pin_memory" and args and isinstance(args[0], torch.Tensor):
            return args[0]
        options = {key: self.redirected(value) for key, value in (kwargs or {}).items()}
        options.pop("pin_memory", None)
        return func(*(self.redirected(value) for value in args), **options)

    def redirected(self, value: Any) -> Any:
        if isinstance(value, str) and (value == "cuda" or value.startswith("cuda:")):
            return self._to
        if isinstance(value, torch.device) and value.type == "cuda":
            return self._to
        return value


_TENSOR_SAYS: dict[Any, Any] = {
    torch.Tensor.is_cuda.__get__: True,
    torch.Tensor.is_cpu.__get__: False,
    torch.Tensor.device.__get__: torch.device("cuda", 0),
}

_STREAM = types.SimpleNamespace(
    cuda_stream=0, synchronize=lambda: None, wait_stream=lambda other: None, device=torch.device("cuda", 0)
)

# What modules ask torch.cuda for on their way to a launch. The answers are an H100's.
_CUDA_STAND_INS: dict[str, Any] = {
    "is_available": lambda: True,
    "is_initialized": lambda: True,
    "device_count": lambda: 1,
    "current_device": lambda: 0,
    "set_device": lambda device: None,
    "synchronize": lambda device=None: None,
    "empty_cache": lambda: None,
    "get_device_capability": lambda device=None: (9, 0),
    "get_device_name": lambda device=None: "NVIDIA H100 80GB HBM3",
    "get_device_properties": lambda device=None: types.SimpleNamespace(
        name="NVIDIA H100 80GB HBM3",
        major=9,
        minor=0,
        multi_processor_count=H100_SM_COUNT,
        total_memory=80 * 2**30,
        warp_size=32,
        max_threads_per_multi_processor=2048,
        shared_memory_per_block_optin=232448,
        L2_cache_size=50 * 2**20,
    ),
    "current_stream": lambda device=None: _STREAM,
    "default_stream": lambda device=None: _STREAM,
    "stream": lambda stream: contextlib.nullcontext(),
    "device": lambda device: contextlib.nullcontext(),
    "manual_seed": lambda seed: None,
    "manual_seed_all": lambda seed: None,
}


def _replace(stack: contextlib.ExitStack, owner: Any, name: str, value: Any) -> None:
    original = getattr(owner, name)
    setattr(owner, name, value)
    stack.callback(setattr, owner, name, original)
