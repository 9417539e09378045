"""Does a candidate compute what the reference computes?

The verifier draws secret seeds, makes parameters and inputs, computes the expected values, hands the candidate's
process the inputs, and compares the bytes that come back. A candidate is called on two draws of the parameters, on
fresh seeds each time, with inputs of four families, partly at fresh addresses and partly refilled in place.

It does not yet reload parameters in place, and judges the inputs' mutation by what the candidate's process says.
"""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Sequence

import torch

from tilewright.records import Crashed, Mismatch, Unscorable, Wrong
from tilewright.worker import compare, inputs, wire
from tilewright.worker.expected import REDRAWS, Expected, Oracle
from tilewright.worker.inputs import Family, Reference, secret_seed
from tilewright.worker.processes import Deadline, Ended, Runner
from tilewright.worker.tray import laid_out
from tilewright.worker.wire import Header

_PLAN: tuple[tuple[tuple[Family, bool], ...], ...] = (
    (("drawn", False), ("drawn", True), ("nearly", True), ("scaled", False)),
    (("drawn", True), ("nearly", False), ("shifted", False), ("drawn", True)),
)
"""For each draw of the parameters its calls: the family of inputs, and whether the tensors of the call before are
refilled. "nearly" follows upon "drawn": the inputs of that call, a little changed."""
_TIMED_SETS = 3

Question = tuple[list[torch.Tensor], Expected]
Answers = dict[tuple[int, int, str], Question]


@dataclasses.dataclass
class Trial:
    """One candidate at one workload: what was checked of it so far. All seeds follow from `seed`."""

    reference: Reference
    runner: Runner
    deadline: Deadline
    seed: int = dataclasses.field(default_factory=secret_seed)
    checked_calls: int = 0
    error_ratio: float | None = None
    notes: list[str] = dataclasses.field(default_factory=list)
    answers: Answers | None = None
    """What is known already of this reference; trials with the same seed may share it."""

    def __post_init__(self) -> None:
        self._seeds = random.Random(self.seed)
        self._parameters_seeds = [self._next_seed() for _ in _PLAN]
        self._draw = 0
        self._oracle: Oracle | None = None
        self._first: Question | None = None
        self._last_seed = self.seed

    @property
    def last_parameters_seed(self) -> int:
        """That of the draw which is in force after `check`."""
        return self._parameters_seeds[-1]

    def construct(self, draw: int = 0) -> None:
        """Have the candidate constructed with the parameters of that draw."""
        self._draw, self._oracle, self._first = draw, None, None
        self.runner.ask(construction(self.reference, self._parameters_seeds[draw]), self.deadline)

    def check(self) -> None:
        """All calls of the plan; the first draw was constructed already. Raises `Ended` at the first wrong one."""
        for draw, calls in enumerate(_PLAN):
            if draw:
                self.construct(draw)
            for family, refill in calls:
                self.check_call(family, refill)

    def check_call(self, family: Family, refill: bool) -> Header:
        seed = self._next_seed()
        given, expected = self._question(seed, family)
        self._last_seed = seed
        self._audit_response(given, expected)
        if family != "drawn" and not expected.finite:
            self._note(f"inputs {family}: left out, the reference overflows")
            return {}
        header = self.runner.ask(self._request(given, expected, refill), self.deadline)
        self._judge_manners(header, expected)
        self.judge(self._outputs(expected), expected)
        return header

    def timed_sets(self) -> list[tuple[list[torch.Tensor], Expected]]:
        """Input sets for the timed calls with what is expected of them, for the parameters drawn last."""
        return [self._question(self._next_seed(), "drawn") for _ in range(_TIMED_SETS)]

    def judge(self, outputs: Sequence[torch.Tensor], expected: Expected, where: str = "") -> None:
        """Compare the outputs of one call; raises `Ended` with `Wrong`, which says `where`."""
        for number, (got, wanted) in enumerate(zip(outputs, expected.outputs)):
            judgement = compare.judged(got, wanted, number)
            if judgement.mismatch:
                message = judgement.mismatch.message + where
                self._wrong(dataclasses.replace(judgement.mismatch, message=message))
            if judgement.error_ratio is not None:
                self.error_ratio = max(self.error_ratio or 0.0, judgement.error_ratio)
        self.checked_calls += 1

    def judge_shapes(self, described: object, expected: Expected) -> None:
        """Compare what the candidate's process says of its outputs' shapes and dtypes with what is expected."""
        wanted = [[list(shape), wire.dtype_name(dtype)] for shape, dtype in expected.shapes]
        said = [slot[:2] for slot in _slots(described)]
        if len(said) != len(wanted):
            message = f"forward returns {len(said)} tensors, expected {len(wanted)}"
            self._wrong(Mismatch(message, pattern="shape"))
        for number, (got, want) in enumerate(zip(said, wanted)):
            if got != want:
                self._wrong(compare.wrong_shape(number, _named(got), _named(want)))

    def _question(self, seed: int, family: Family) -> Question:
        """Inputs and what is expected of them."""
        key = (self._draw, seed, family)
        with inputs.LOCK:
            known = self.answers.get(key) if self.answers is not None else None
            question = known or self._asked(seed, family)
            if self.answers is not None:
                self.answers[key] = question
        for note in question[1].notes:
            self._note(note)
        return question

    def _asked(self, seed: int, family: Family) -> Question:
        first = self._oracle is None and not self._draw
        if self._oracle is None:
            self._oracle = Oracle(self.reference, self._parameters_seeds[self._draw])
        last_seed = self._last_seed if family == "nearly" else None
        given = self.reference.inputs(seed, family, last_seed)
        expected = self._oracle.answer(given)
        if expected.by_luck:
            seeds = random.Random(seed)
            kind: Family = "drawn" if family == "nearly" else family
            draws = (self.reference.inputs(seeds.getrandbits(62), kind) for _ in range(REDRAWS))
            expected = self._oracle.steadied(expected, kind, draws)
        if first:
            self._audit(self._oracle, given, expected)
        return given, expected

    def _audit(self, oracle: Oracle, given: Sequence[torch.Tensor], expected: Expected) -> None:
        """Whether the problem can be scored at all."""
        if not expected.outputs:
            raise Ended(Unscorable("the reference returns no tensor"))
        for output in expected.outputs:
            if output.truth.numel() and not bool(torch.isfinite(output.truth).any()):
                raise Ended(Unscorable("the reference's output is nowhere finite"))
        for one, other in zip(expected.outputs, oracle.truths(given)):
            if not _repeats(one.truth, other):
                raise Ended(Unscorable("the reference gives another answer for the same inputs when asked again"))

    def _audit_response(self, given: list[torch.Tensor], expected: Expected) -> None:
        """Whether the output has to do with the inputs: of a draw of the parameters the first two are compared."""
        if self._draw:
            return
        if self._first is None:
            self._first = given, expected
            return
        given_before, before = self._first
        if any(not torch.equal(one, other) for one, other in zip(given, given_before)):
            pairs = [(one.truth, other.truth) for one, other in zip(expected.outputs, before.outputs)]
            if pairs and all(_unmoved(one, other) for one, other in pairs):
                raise Ended(Unscorable("the reference's output is the same whatever its inputs are"))

    def _request(self, given: Sequence[torch.Tensor], expected: Expected, refill: bool) -> Header:
        slots, size = laid_out([(tensor.shape, tensor.dtype) for tensor in given])
        outputs, out_size = laid_out(expected.shapes)
        self.runner.trays(self.deadline, inputs=size, outputs=out_size)
        for slot, tensor in zip(slots, given):
            self.runner.tray("inputs").write(slot, tensor)
        return {
            "op": "call",
            "inputs": [slot.plain() for slot in slots],
            "refill": refill,
            "poison_bytes": max((slot.bytes for slot in outputs), default=0),
        }

    def _judge_manners(self, header: Header, expected: Expected) -> None:
        refused = header.get("refused")
        if refused is not None:
            self._wrong(Mismatch(wire.printable(refused, 300), pattern="type"))
        self.judge_shapes(header.get("outputs"), expected)
        try:
            changed = set(wire.numbers(header, "changed", int, 1000)) - set(expected.changed)
            written, expanded = wire.field(header, "written", bool), wire.field(header, "expanded", bool)
        except wire.BadFrame as error:
            raise Ended(Crashed(f"wrote to the evaluator's channel: {error}")) from None
        if expanded:
            message = "the output is an expanded view: fewer values are stored than its shape says"
            self._wrong(Mismatch(message, pattern="expanded view"))
        if changed:
            message = f"forward changes its input {min(changed)}, which the reference leaves as it is"
            self._wrong(Mismatch(message, pattern="input changed", cause="an in-place operation on an input"))
        if not written:
            raise Ended(Crashed("returned no bytes of its outputs"))

    def _outputs(self, expected: Expected) -> list[torch.Tensor]:
        slots, _ = laid_out(expected.shapes)
        return [self.runner.tray("outputs").read(slot, self.reference.device) for slot in slots]

    def _wrong(self, mismatch: Mismatch) -> None:
        """The seed is the trial's: all draws follow from it, and `checked_calls` says which call it was."""
        mismatch = dataclasses.replace(mismatch, workload=self.reference.workload.name, seed=self.seed)
        raise Ended(Wrong(mismatch, self.checked_calls))

    def _note(self, note: str) -> None:
        if note not in self.notes:
            self.notes.append(note)

    def _next_seed(self) -> int:
        return self._seeds.getrandbits(62)


def construction(reference: Reference, seed: int) -> Header:
    try:
        init = wire.encode(reference.init)
    except TypeError as error:
        raise Ended(Unscorable(f"get_init_inputs of the reference: {error}")) from error
    plain = [[place, value] for place, value in reference.plain_inputs.items()]
    return {"op": "construct", "seed": seed, "init": init, "plain": plain}


def _repeats(one: torch.Tensor, other: torch.Tensor) -> bool:
    """Whether two runs of the reference agree, up to the order in which a library may add (1e-5 of the largest)."""
    finite = torch.isfinite(one)
    if not torch.equal(finite, torch.isfinite(other)) or not bool(finite.any()):
        return bool(torch.equal(finite, torch.isfinite(other)))
    one, other = one[finite].to(torch.float64), other[finite].to(torch.float64)
    return bool((one - other).abs().amax() <= 1e-5 * one.abs().amax())


def _unmoved(one: torch.Tensor, other: torch.Tensor) -> bool:
    """Whether two answers for different inputs are the same number for number, up to float64's rounding.

    Sums over a billion random numbers still differ by 1e-5; whole numbers and float32 truths may agree by chance.
    """
    if one.dtype is not torch.float64 or one.shape != other.shape or not one.numel():
        return False
    apart, largest = (one - other).abs().amax(), one.abs().amax()
    return bool(torch.isfinite(apart)) and bool(apart <= 1e-12 * largest)


def _slots(described: object) -> list[list[object]]:
    """Lists of shape, dtype and offset, as a runner should describe its outputs."""
    if isinstance(described, list) and len(described) <= 1000:
        slots = [slot for slot in described if isinstance(slot, list) and len(slot) == 3]
        if len(slots) == len(described):
            return slots
    raise Ended(Crashed("wrote to the evaluator's channel: outputs that are none"))


def _named(slot: Sequence[object]) -> str:
    shape, dtype = slot
    return f"{wire.printable(dtype, 20)}{wire.printable(shape, 100)}"
