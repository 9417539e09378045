"""How does a forward give its gradients too?

The gradients are those of the sum of all outputs times given cotangents. Candidate, reference and baseline are made
to return them by the same function.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from tilewright.worker.running.building import Forward
from tilewright.worker.running.returned import tensors_in


class NoGradient(Exception):
    """An output through which a gradient is wanted has none."""


def with_gradients(forward: Forward, places: Sequence[int], parameters: Sequence[torch.Tensor]) -> Forward:
    """`forward` and its backward in one: takes the inputs and, behind them, a cotangent for each of the outputs at
    `places`; returns the outputs, the gradients of all floating-point inputs, and those of the parameters.

    Raises `NoGradient`. Outputs of other shapes than the cotangents come back alone, being wrong.
    """

    def both(*given: torch.Tensor) -> list[torch.Tensor]:
        inputs, cotangents = given[: len(given) - len(places)], given[len(given) - len(places) :]
        with torch.enable_grad():
            leaves = [t.detach().requires_grad_(t.is_floating_point()) for t in inputs]
            outputs = tensors_in(forward(*leaves))
            roots = [outputs[place] for place in places if place < len(outputs)]
            plain = [_cut_off(output) for output in outputs]
            if [root.shape for root in roots] != [cotangent.shape for cotangent in cotangents]:
                return plain
            for place, root in zip(places, roots):
                if not root.requires_grad:
                    raise NoGradient(f"output {place} has no gradient: {_HOW}")
            wanted = [leaf for leaf in leaves if leaf.is_floating_point()] + list(parameters)
            weights = [cotangent.to(root.dtype) for root, cotangent in zip(roots, cotangents)]
            options = {"allow_unused": True, "materialize_grads": True}
            found = torch.autograd.grad(roots, wanted, weights, **options) if wanted else ()
        return [*plain, *(gradient.contiguous() for gradient in found)]  # that of a sum is an expanded view

    return both


def differentiable(forward: Forward, inputs: Sequence[torch.Tensor]) -> list[torch.Tensor | None]:
    """What forward returns, with None for outputs through which no gradient goes."""
    with torch.enable_grad():
        leaves = [t.clone().requires_grad_(t.is_floating_point()) for t in inputs]
        return [output.detach() if output.requires_grad else None for output in tensors_in(forward(*leaves))]


_HOW = "what autograd can't see through (a TileLang kernel) needs a torch.autograd.Function with a backward"


def _cut_off(output: Any) -> Any:
    return output.detach() if type(output) in (torch.Tensor, torch.nn.Parameter) else output
