"""Which calls are checked before a candidate is trusted?

Each phase puts parameters of one draw into force (reloaded ones disturbed, where construction leaves them at one
number) and makes a few calls. A call is a family of inputs, and whether the
tensors of the call before are refilled in place (else they come at fresh addresses). The second and the last phase
begin with the inputs of the very first call, so that only the parameters are new.
"""

from __future__ import annotations

from dataclasses import dataclass

from tilewright.records import Effort
from tilewright.worker.verifying.families import Family

DRAWS = 4
"""Of the parameters."""


@dataclass(frozen=True)
class Phase:
    """`reload`: the parameters are put into the module that was called before, where it is one that can be."""

    draw: int
    calls: tuple[tuple[Family, bool], ...]
    reload: bool = False


_FULL = (
    Phase(
        0,
        (
            ("drawn", False), ("drawn", True), ("nearly", True), ("swapped", True), ("scaled", False),
            ("constant", True),
        ),
    ),
    Phase(
        1,
        (
            ("first", False), ("positive", False), ("negative", True), ("nearly", False), ("ends", False),
            ("tails", True),
        ),
    ),
    Phase(
        2,
        (
            ("drawn", True), ("swapped", False), ("shifted", True), ("scaled", False), ("tiny", True),
            ("tails", False), ("ends", True),
        ),
    ),
    Phase(
        3,
        (
            ("first", True), ("constant", False), ("positive", True), ("shifted", False), ("negative", False),
            ("drawn", True),
        ),
        reload=True,
    ),
)  # fmt: skip
_QUICK = (
    Phase(0, (("drawn", False), ("nearly", True), ("constant", False), ("scaled", True))),
    Phase(
        1,
        (
            ("first", False),
            ("swapped", True),
            ("positive", False),
            ("negative", True),
            ("ends", False),
            ("tails", True),
        ),
    ),
    Phase(0, (("first", True),), reload=True),
)
PLANS: dict[Effort, tuple[Phase, ...]] = {"quick": _QUICK, "full": _FULL, "confirm": _FULL}
