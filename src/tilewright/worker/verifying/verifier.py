"""Does a candidate compute what the reference computes?

The verifier draws secret seeds, makes parameters and inputs, computes the expected values, hands the candidate's
process the inputs, and compares the bytes that come back: those of the outputs after each call, those of an earlier
call's outputs after a later one, and those of the inputs. Which bytes it looks at again, where they are many, is
drawn after the call. Parameters are drawn several times, and once put into a module that was called before.

It does not see what a candidate does to its inputs in between and undoes, other than by what PyTorch counts.
"""

from __future__ import annotations

import contextlib
import dataclasses
import random
import secrets
from collections.abc import Iterator, Sequence

import torch

from tilewright.records import Crashed, Effort, Mismatch, Unscorable, Wrong
from tilewright.worker.exchange import wire
from tilewright.worker.exchange.tray import Slot, laid_out
from tilewright.worker.exchange.wire import Header
from tilewright.worker.processes.nursery import Deadline, Ended, NotExecuted, Runner
from tilewright.worker.running import modulestate
from tilewright.worker.verifying import compare
from tilewright.worker.verifying.expected import Backward, Expected
from tilewright.worker.verifying.families import Family
from tilewright.worker.verifying.inputs import Reference, secret_seed
from tilewright.worker.verifying.plans import DRAWS, PLANS, Phase
from tilewright.worker.verifying.questions import Answers, Question, Questions

__all__ = ["Answers", "Trial"]

_SMALL_BYTES = 4 << 20
"""So many are looked at again after every call, more of them after one in a few."""
_LOOKED_AT = 0.25


@dataclasses.dataclass(frozen=True)
class _Built:
    """What the candidate's process says of the module that it constructed."""

    layout: str
    plain: str
    others: bool
    loads: bool
    gradients: tuple[int, ...]


@dataclasses.dataclass
class Trial:
    """One candidate at one workload: what was checked of it so far. All seeds follow from `seed`."""

    reference: Reference
    runner: Runner
    deadline: Deadline
    effort: Effort = "full"
    error_factor: float = compare.ERROR_FACTOR
    backward: bool = False
    """Whether gradients are outputs too, of a forward that includes the backward; cotangents are its last inputs."""
    seed: int = dataclasses.field(default_factory=secret_seed)
    checked_calls: int = 0
    error_ratio: float | None = None
    written_bytes: int = 0
    """Of the outputs of one call."""
    answers: Answers | None = None
    """What is known already of this reference; trials with the same seed may share it."""

    def __post_init__(self) -> None:
        self._seeds = random.Random(self.seed)
        self._parameters_seeds = [self._next_seed() for _ in range(DRAWS)]
        self._questions = Questions(
            self.reference, self._parameters_seeds, self.error_factor, self.backward, self.answers
        )
        self._draw = 0
        self._built: list[_Built] = []
        self._constructed: set[int] = set()
        self._foreseen: Question | Ended | None = None
        self._earlier: list[torch.Tensor] = []
        self._aliased = False
        self._chooser = random.Random(secrets.randbits(64))

    @property
    def notes(self) -> list[str]:
        return self._questions.notes

    @property
    def last_parameters_seed(self) -> int:
        """That of the draw which is in force."""
        return self._parameters_seeds[self._draw]

    def construction(self, gaps: Sequence[int] = ()) -> Header:
        """The request for a process that is to be constructed with the parameters in force, beside other memory of so
        many bytes each."""
        try:
            init = wire.encode(self.reference.init)
        except TypeError as error:
            raise Ended(Unscorable(f"get_init_inputs of the reference: {error}")) from error
        plain = [[place, value] for place, value in self.reference.plain_inputs.items()]
        request: Header = {"op": "construct", "seed": self.last_parameters_seed, "init": init, "plain": plain}
        request |= {"gaps": list(gaps), "backward": None}
        backward = self._questions.backward
        if backward:
            parameters = [[name, list(shape)] for name, shape in backward.parameters]
            request["backward"] = {"places": list(backward.places), "parameters": parameters}
        return request

    def construct(self, draw: int | None = None, gaps: Sequence[int] = ()) -> None:
        """Have the candidate constructed with the parameters of that draw, or once more with those in force."""
        draw = self._draw if draw is None else draw
        with self._seed_told():
            self._in_force(draw)
            header = self.runner.ask(self.construction(gaps), self.deadline)
            self._built.append(_built(header, self._questions.backward))
            self._constructed.add(draw)

    def construct_in(self, runner: Runner, gaps: Sequence[int] = ()) -> None:
        """The same in another process of this candidate, or of a baseline."""
        with self._seed_told():
            runner.ask(self.construction(gaps), self.deadline)

    def check(self) -> None:
        """All calls of the plan; the first draw was constructed already. Raises `Ended` at the first wrong one."""
        for number, phase in enumerate(PLANS[self.effort]):
            if number and not self._put_in_force(phase):
                continue
            for family, refill in phase.calls:
                self.check_call(family, refill)
            if not number:
                self._questions.end_of_first_draw()
        self._earlier = []
        self._questions.forget()

    def foresee(self, family: Family) -> None:
        """Find the answer to the next question, while the candidate's process is busy."""
        try:
            self._foreseen = self._questions.ask(self._next_seed(), family)
        except Ended as ended:
            self._foreseen = ended  # told when the question is due

    def check_call(self, family: Family, refill: bool, following: Family | None = None) -> Header:
        """`following`, where it is known, is foreseen."""
        with self._seed_told():
            given, full = self._question(family)
            expected = self._of_those_that_match(full)
            request = self._request(given, expected, refill)
            self.runner.post(request)
            if following:
                self.foresee(following)
            header = self.runner.answer(self.deadline)
            self._judge_manners(header, expected)
            outputs = self._outputs(expected)
            old_weights = family == "first" and len(self._built) > 1
            self.judge(outputs, expected, cause=_OLD_WEIGHTS if old_weights else _warned_of(header))
            self._look_at_inputs(request, given, expected)
            self._look_at_earlier(refill)
            self._earlier, self._aliased = outputs, header.get("aliased") is True
        return header

    def is_right(self, family: Family) -> bool:
        """Whether one more call, which counts for nothing, is answered as it should be; no is all that is said."""
        try:
            given, full = self._questions.ask(self._next_seed(), family)
            expected = self._of_those_that_match(full)
            header = self.runner.ask(self._request(given, expected, refill=False), self.deadline)
            self._earlier = []
            self._judge_manners(header, expected)
        except (Ended, NotExecuted):
            return False
        pairs = zip(self._outputs(expected), expected.outputs)
        return all(compare.passes(got, wanted, self.error_factor) for got, wanted in pairs)

    def hand_parameters(self, runner: Runner) -> None:
        """Put the parameters in force into the module that a process holds."""
        state = self._questions.parameters
        if not state:
            return
        slots, size = laid_out([(tensor.shape, tensor.dtype) for tensor in state.values()])
        runner.trays(self.deadline, inputs=size)
        for slot, tensor in zip(slots, state.values()):
            runner.tray("inputs").write(slot, tensor)
        named = [[name, slot.plain()] for name, slot in zip(state, slots)]
        runner.ask({"op": "reload", "state": named}, self.deadline)

    def end_of_checked_calls(self) -> None:
        """The candidate's process lets go of their outputs; timed calls come next."""
        self._earlier = []

    def fresh_inputs(self) -> list[torch.Tensor]:
        """For a timed call."""
        return self._questions.given(self._next_seed())

    def expected(self, given: Sequence[torch.Tensor]) -> Expected:
        """Under the parameters in force, of inputs as drawn."""
        return self._of_those_that_match(self._questions.expected(given, self.seed))

    def judge(self, outputs: Sequence[torch.Tensor], expected: Expected, where: str = "", cause: str = "") -> None:
        """Compare the outputs of one call; raises `Ended` with `Wrong`, which says `where` and the likely `cause`."""
        for number, (got, wanted) in enumerate(zip(outputs, expected.outputs)):
            judgement = compare.judged(got, wanted, number, self.error_factor)
            found = judgement.mismatch
            if found:
                if wanted.is_gradient and found.pattern == "all values are zero":
                    cause = (
                        "forward hands no gradient on to it: it is detached, or used outside of what autograd sees"
                    )
                self._wrong(dataclasses.replace(found, message=found.message + where, cause=cause or found.cause))
            if judgement.error_ratio is not None:
                self.error_ratio = max(self.error_ratio or 0.0, judgement.error_ratio)
        self.checked_calls += 1

    def judge_shapes(self, described: object, expected: Expected) -> None:
        """Compare what the candidate's process says of its outputs' shapes and dtypes with what is expected."""
        wanted = [[list(shape), wire.dtype_name(dtype)] for shape, dtype in expected.shapes]
        said = [slot[:2] for slot in _slots(described)]
        for number, (got, want) in enumerate(zip(said, wanted)):
            if got != want:
                self._wrong(compare.wrong_shape(number, _named(got), _named(want), expected.outputs[number].name))
        if len(said) != len(wanted):
            gradients = " (gradients included)" if self.backward else ""
            message = f"forward returns {len(said)} tensors, expected {len(wanted)}{gradients}"
            self._wrong(Mismatch(message, pattern="shape"))

    def _in_force(self, draw: int, disturbed: bool = False) -> None:
        self._draw = draw
        self._questions.draw(draw, disturbed)

    def _put_in_force(self, phase: Phase) -> bool:
        """Whether there is anything to check: a draw that was constructed before is of use only in place."""
        if not phase.reload:
            self.construct(phase.draw)
        elif self._reloadable():
            self._reload(phase.draw)
        elif phase.draw in self._constructed:
            return False
        else:
            self.construct(phase.draw)
        return True

    def _reloadable(self) -> bool:
        """Whether the module's parameters are the reference's, and nothing in it was made of their values."""
        last = self._built[-1]
        if last.loads:
            return True
        if any(one.others or one.plain != last.plain for one in self._built):
            return False
        own = self._questions.parameters
        return bool(own) and last.layout == modulestate.layout(own)

    def _reload(self, draw: int) -> None:
        with self._seed_told():
            self._in_force(draw, disturbed=True)
            self.hand_parameters(self.runner)
            self._earlier = []  # they may have been views of the parameters

    def _of_those_that_match(self, expected: Expected) -> Expected:
        """Without the gradients of parameters that the candidate doesn't have under their names."""
        backward = self._questions.backward
        if backward is None:
            return expected
        before = len(expected.outputs) - len(backward.parameters)
        kept = [*range(before), *(before + place for place in self._built[-1].gradients)]
        return dataclasses.replace(expected, outputs=tuple(expected.outputs[i] for i in kept))

    def _question(self, family: Family) -> Question:
        foreseen, self._foreseen = self._foreseen, None
        if isinstance(foreseen, Ended):
            raise foreseen
        return foreseen or self._questions.ask(self._next_seed(), family)

    def _request(self, given: Sequence[torch.Tensor], expected: Expected, refill: bool) -> Header:
        slots, size = laid_out([(tensor.shape, tensor.dtype) for tensor in given])
        outputs, out_size = laid_out(expected.shapes)
        self.written_bytes = sum(slot.bytes for slot in outputs)
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
        with _in_the_channel():
            changed = set(wire.numbers(header, "changed", int, 1000)) - set(expected.changed)
            touched = set(wire.numbers(header, "touched", int, 1000)) - set(expected.written)
            written, expanded = wire.field(header, "written", bool), wire.field(header, "expanded", bool)
        if expanded:
            message = "the output is an expanded view: fewer values are stored than its shape says"
            self._wrong(Mismatch(message, pattern="expanded view"))
        if changed:
            self._input_changed(min(changed))
        if touched:
            message = f"forward writes to its input {min(touched)}, and puts back what was there"
            self._wrong(Mismatch(message, pattern="input changed", cause="an input is used as scratch memory"))
        if not written:
            raise Ended(Crashed("returned no bytes of its outputs"))

    def _outputs(self, expected: Expected) -> list[torch.Tensor]:
        slots, _ = laid_out(expected.shapes)
        return [self.runner.tray("outputs").read(slot, self.reference.device) for slot in slots]

    def _look_at_inputs(self, request: Header, given: Sequence[torch.Tensor], expected: Expected) -> None:
        """The inputs as they lie in the candidate's process after the call."""
        if not self._is_looked_at(given):
            return
        self.runner.ask({"op": "inputs"}, self.deadline)
        after = dict(expected.after)
        for number, (plain, sent) in enumerate(zip(request["inputs"], given)):
            now = self.runner.tray("inputs").read(Slot.from_plain(plain), self.reference.device)
            if _same_bytes(now, sent):
                continue
            if number not in after:
                self._input_changed(number)
            found = compare.judged(now, after[number], number, self.error_factor).mismatch
            if found:
                self._wrong(found)

    def _look_at_earlier(self, refill: bool) -> None:
        """The outputs of the call before, as they lie in the candidate's process now.

        An output that shares memory with an input (the process says so) changes as the input is refilled.
        """
        if not self._earlier or (refill and self._aliased) or not self._is_looked_at(self._earlier):
            return
        slots, size = laid_out([(tensor.shape, tensor.dtype) for tensor in self._earlier])
        self.runner.trays(self.deadline, outputs=size)
        self.runner.ask({"op": "earlier"}, self.deadline)
        for number, (slot, before) in enumerate(zip(slots, self._earlier)):
            now = self.runner.tray("outputs").read(slot, self.reference.device)
            if not _same_bytes(now, before):
                message = f"a later call overwrites the output of an earlier one (output {number})"
                self._wrong(Mismatch(message, output=number, pattern="output overwritten", cause=_SHARED))

    def _is_looked_at(self, tensors: Sequence[torch.Tensor]) -> bool:
        size = sum(tensor.numel() * tensor.element_size() for tensor in tensors)
        return size <= _SMALL_BYTES or self._chooser.random() < _LOOKED_AT

    def _input_changed(self, number: int) -> None:
        message = f"forward changes its input {number}, which the reference leaves as it is"
        self._wrong(Mismatch(message, pattern="input changed", cause="an in-place operation on an input"))

    def _wrong(self, mismatch: Mismatch) -> None:
        """The seed is the trial's: all draws follow from it, and `checked_calls` says which call it was."""
        mismatch = dataclasses.replace(mismatch, workload=self.reference.workload.name, seed=self.seed)
        raise Ended(Wrong(mismatch, self.checked_calls))

    @contextlib.contextmanager
    def _seed_told(self) -> Iterator[None]:
        """A crash may hang on what was drawn, too."""
        try:
            yield
        except Ended as ended:
            if not isinstance(ended.failure, Crashed) or ended.failure.seed is not None:
                raise
            raise Ended(dataclasses.replace(ended.failure, seed=self.seed)) from ended

    def _next_seed(self) -> int:
        return self._seeds.getrandbits(62)


def _warned_of(header: Header) -> str:
    """The cause that the interpreter, where it was at work, may have seen in the call. In words from here: the
    process is the candidate's, and only the names of what it warns of are taken from it."""
    execution = header.get("execution")
    warnings = execution.get("warnings") if isinstance(execution, dict) else None
    for warning in warnings if isinstance(warnings, list) else ():
        if isinstance(warning, list) and len(warning) == 3 and isinstance(warning[0], str) and warning[0] in _CAUSES:
            place = f"line {warning[2]}: " if type(warning[2]) is int else ""
            return place + _CAUSES[warning[0]]
    return ""


_EVERY_THREAD = "is executed by every thread of the block; guard it with one thread, or put it into a T.Parallel loop"
_CAUSES = {
    "atomic-add-by-every-thread": f"an atomic add of one value {_EVERY_THREAD}",
    "update-by-every-thread": f"an update of one element {_EVERY_THREAD}",
    "result-depends-on-order": "what is computed from the old value of an atomic depends on the order of the threads",
}
"""Warnings of the interpreter (`tilewright.interpreter`) that explain a wrong value."""
_OLD_WEIGHTS = "weights cached from an earlier draw"
_SHARED = "a shared static output buffer"


def _built(header: Header, backward: Backward | None) -> _Built:
    with _in_the_channel():
        gradients = wire.numbers(header, "gradients", int, len(backward.parameters) if backward else 0)
        if gradients != sorted(set(gradients) & set(range(len(backward.parameters) if backward else 0))):
            raise wire.BadFrame("gradients of other parameters than were asked for")
        return _Built(
            wire.field(header, "layout", str),
            wire.field(header, "plain", str),
            wire.field(header, "others", bool),
            wire.field(header, "loads", bool),
            tuple(gradients),
        )


@contextlib.contextmanager
def _in_the_channel() -> Iterator[None]:
    try:
        yield
    except wire.BadFrame as error:
        raise Ended(Crashed(f"wrote to the evaluator's channel: {error}")) from None


def _same_bytes(one: torch.Tensor, other: torch.Tensor) -> bool:
    return bool(torch.equal(*(x.contiguous().reshape(-1).view(torch.uint8) for x in (one, other))))


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
