"""Is what a timed call returned right?

Every timed call's output is compared. Some, drawn after the block has run, with the truth in float64, as a checked
call's is; the others with what the reference returned for the same inputs in its own process, which may differ from
it by what both of them may err. Whatever differs by more is compared with the truth before it is called wrong.
"""

from __future__ import annotations

import random
import secrets
from collections.abc import Sequence

import torch

from tilewright.worker.timing.sides import Ran, Side
from tilewright.worker.verifying.compare import rounding_step
from tilewright.worker.verifying.expected import Expected, Output
from tilewright.worker.verifying.verifier import Trial

WHERE = "; in a timed call"
_REFERENCE_ERRORS = 2.0
"""The reference's own error for these inputs, in units of that which was found for others of the same kind."""


class OutputCheck:
    """For one trial; `expected` is a call's with inputs of the kind that timed calls get."""

    def __init__(self, trial: Trial, expected: Expected) -> None:
        self._trial = trial
        self._like = expected
        self._chooser = random.Random(secrets.randbits(64))

    def check(
        self, givens: Sequence[Sequence[torch.Tensor]], candidate: Side, reference: Side, ran: Ran, strictly: int = 1
    ) -> None:
        """The last block of both sides, on the same inputs; `strictly` so many against the truth. Raises `Ended`."""
        device = self._trial.reference.device
        for described in ran.described:
            self._trial.judge_shapes(described, self._like)
        calls = len(givens)
        got, wanted = candidate.outputs(calls, device), reference.outputs(calls, device)
        near = self._near(got, wanted)
        drawn = self._chooser.sample(range(calls), min(strictly, calls))
        for call, given in enumerate(givens):
            if call in drawn or not near[call]:
                self._trial.judge([output[call] for output in got], self._trial.expected(given), where=WHERE)
            else:
                self._trial.checked_calls += 1

    def _near(self, got: Sequence[torch.Tensor], wanted: Sequence[torch.Tensor]) -> list[bool]:
        factor = self._trial.error_factor + _REFERENCE_ERRORS
        found = [_near_rows(g, w, like, factor) for g, w, like in zip(got, wanted, self._like.outputs)]
        return [bool(near) for near in torch.stack(found).all(dim=0).tolist()]


def _near_rows(got: torch.Tensor, wanted: torch.Tensor, like: Output, factor: float) -> torch.Tensor:
    """Of each call whether this output is near."""
    rows = [x.reshape(len(x), -1) for x in (got, wanted)]
    step = max(1, _CHUNK // max(1, rows[0].shape[1]))
    return torch.cat([_near_chunk(g, w, like, factor) for g, w in zip(*(row.split(step) for row in rows))])


def _near_chunk(got: torch.Tensor, wanted: torch.Tensor, like: Output, factor: float) -> torch.Tensor:
    if not got.is_floating_point():
        return (got == wanted).all(dim=1)
    allowed = torch.clamp(2 * rounding_step(wanted, got.dtype), min=factor * like.error)
    # A NaN or an infinity on either side makes this False; the comparison with the truth knows what to do.
    return ((got.to(torch.float64) - wanted.to(torch.float64)).abs() <= allowed).all(dim=1)


_CHUNK = 1 << 24
"""Elements that are compared at a time."""
