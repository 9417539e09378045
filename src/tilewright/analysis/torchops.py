"""Which of PyTorch's operations launch a kernel, convert, work element by element, or do the heavy work?

Names come as the dispatcher spells them (`aten.add.Tensor`, `aten::add`) or bare (`add`).
"""

from __future__ import annotations

from collections.abc import Iterable


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


HEAVY = _words(
    "mm bmm addmm baddbmm addbmm addmv addr mv dot matmul linear einsum tensordot conv1d conv2d conv3d convolution "
    "_convolution conv_transpose1d conv_transpose2d conv_transpose3d convolution_overrideable cudnn_convolution "
    "cudnn_convolution_transpose scaled_dot_product_attention _scaled_dot_product_flash_attention "
    "_scaled_dot_product_efficient_attention _scaled_dot_product_cudnn_attention lstm gru rnn_tanh rnn_relu "
    "_thnn_fused_lstm_cell _cudnn_rnn bilinear cdist"
)
"""Matrix products, convolutions, attention, recurrences: what a library does for the candidate."""

CASTS = _words("_to_copy to float half bfloat16 double type type_as")

ELEMENTWISE = _words(
    "add sub mul div neg abs pow square sqrt rsqrt exp exp2 log sin cos tanh sigmoid relu relu6 silu gelu elu selu "
    "celu leaky_relu hardtanh hardsigmoid hardswish softplus softsign mish clamp clamp_min clamp_max threshold "
    "maximum minimum where masked_fill rsub reciprocal lerp addcmul addcdiv logical_and logical_or eq ne lt gt le ge "
    "bitwise_and sign erf floor ceil round logsigmoid log_sigmoid_forward dropout native_dropout fmod "
    "true_divide"
)

NORMS_AND_REDUCTIONS = _words(
    "sum mean amax amin max min argmax argmin prod var std var_mean norm linalg_vector_norm logsumexp softmax "
    "_softmax log_softmax _log_softmax layer_norm native_layer_norm group_norm native_group_norm batch_norm "
    "native_batch_norm _native_batch_norm_legit cudnn_batch_norm instance_norm rms_norm cumsum cumprod"
)

_FREE = _words(
    "view _unsafe_view reshape expand expand_as permute transpose t squeeze unsqueeze slice select detach alias "
    "as_strided empty empty_like empty_strided new_empty new_empty_strided unbind split chunk narrow flatten "
    "unflatten view_as lift_fresh movedim contiguous is_same_size sym_size sym_stride sym_numel numel size"
)
# `contiguous` costs only where it copies, and a copy is also seen as `clone` or `copy_`.


def base_name(op: str) -> str:
    """`aten.add_.Tensor` and `aten::add` are both `add`: no namespace, no overload, no in-place mark."""
    name = op.replace("::", ".")
    name = name.removeprefix("torch.").removeprefix("ops.").removeprefix("aten.")
    name = name.split(".")[0]
    return name.rstrip("_") if not name.startswith("__") else name


def launching(ops: Iterable[tuple[str, int]]) -> list[tuple[str, int]]:
    """The operations that start a kernel on the GPU, under their base names."""
    return [(base_name(op), count) for op, count in ops if base_name(op) not in _FREE]


def counted(ops: Iterable[tuple[str, int]], group: frozenset[str]) -> list[tuple[str, int]]:
    return [(name, count) for name, count in launching(ops) if name in group]


def named(ops: Iterable[tuple[str, int]]) -> str:
    """`add x2, mean` for a message."""
    return ", ".join(name if count == 1 else f"{name} x{count}" for name, count in ops)
