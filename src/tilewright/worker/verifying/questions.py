"""What is a candidate asked, and what is the right answer?

A question is a set of inputs with what is expected of them under the parameters in force. Whether the problem can be
scored at all shows in its questions, too.
"""

from __future__ import annotations

import contextlib
import random
from collections.abc import Sequence
from dataclasses import replace

import torch

from tilewright.worker.processes.nursery import Ended
from tilewright.worker.verifying import audit, inputs
from tilewright.worker.verifying.expected import REDRAWS, Backward, Expected, Oracle, backward_of
from tilewright.worker.verifying.families import AS_DRAWN, FOLLOWING, TIED, Family
from tilewright.worker.verifying.inputs import Reference
from tilewright.worker.verifying.pieces import as_matrix, pieces

Question = tuple[list[torch.Tensor], Expected]
Answers = dict[tuple[int, int, str], Question]
"""What is known of a reference: by draw of the parameters, seed and family."""

_KEPT_BYTES = 256 << 20
"""A larger question is not kept for the next candidate."""


class Questions:
    """Of one trial. `seeds` are those of the draws of the parameters; with `backward`, cotangents are further inputs
    and gradients further outputs."""

    def __init__(
        self, reference: Reference, seeds: Sequence[int], error_factor: float, backward: bool, answers: Answers | None
    ) -> None:
        self.notes: list[str] = []
        self._reference = reference
        self._seeds = seeds
        self._wants_backward = backward
        self._backward: Backward | None = None
        self._answers = answers
        self._draw = 0
        self._made: Oracle | None = None
        self._usual: dict[str, list[float]] = {}
        self._sums: dict[int, list[float]] = {}
        self._first: tuple[int, int, Question] | None = None
        self._last: list[torch.Tensor] = []
        self._nulls: audit.NullAnswers | None = audit.NullAnswers(error_factor)
        self._moves = False

    def draw(self, number: int, disturbed: bool = False) -> None:
        """The parameters of that draw are in force now; `disturbed`: none of them is one number everywhere."""
        number += len(self._seeds) if disturbed else 0
        if number != self._draw:
            self._draw, self._made = number, None

    @property
    def parameters(self) -> dict[str, torch.Tensor]:
        """The reference's parameters and buffers: as constructed, until it is asked something under this draw."""
        return self._oracle.parameters

    @property
    def backward(self) -> Backward | None:
        """Which gradients are outputs, too. Raises `Ended` where the reference has none."""
        if self._wants_backward and self._backward is None:
            self._backward = backward_of(self._reference, self._seeds[0], self._reference.inputs(self._seeds[0]))
        return self._backward

    def ask(self, seed: int, family: Family) -> Question:
        """Raises `Ended` where it shows that the problem can't be scored.

        A family at which the reference overflows is replaced by "drawn", and a note says so.
        """
        if family == "first" and self._first is not None:
            draw, seed, first = self._first
            if draw == self._draw:
                self._last = first[0][: len(first[0]) - len(self._cotangents)]
                return first
        key = (self._draw, seed, f"{family} backward" if self._wants_backward else family)
        with inputs.LOCK:
            question = self._answers.get(key) if self._answers is not None else None
            if question is None:
                question = self._asked(seed, family)
                if self._answers is not None and _bytes(question) <= _KEPT_BYTES:
                    self._answers[key] = question
        self.notes += [note for note in question[1].notes if note not in self.notes]
        self._audit(seed, family, question)
        self._last = question[0][: len(question[0]) - len(self._cotangents)]
        return question

    def given(
        self, seed: int, family: Family = "drawn", last: Sequence[torch.Tensor] = (), gentle: bool = False
    ) -> list[torch.Tensor]:
        """Inputs, and the cotangents behind them."""
        made = self._reference.inputs(seed, family, last, gentle)
        if self._cotangents:
            generator = torch.Generator(self._reference.device).manual_seed(seed ^ 1)
            for shape, dtype in self._cotangents:
                drawn = torch.randn(shape, generator=generator, device=self._reference.device, dtype=torch.float32)
                made.append(drawn.to(dtype))
        return made

    def expected(
        self,
        given: Sequence[torch.Tensor],
        seed: int,
        family: Family = "drawn",
        gentle: bool = False,
        finite: bool = False,
    ) -> Expected:
        """`seed` is for further inputs of that family, where these alone don't tell how exact PyTorch is; `finite`
        as in `Oracle.answer`."""
        expected = self._oracle.answer(given, finite)
        if expected.by_luck:
            seeds = random.Random(seed)
            kind: Family = "drawn" if family in AS_DRAWN else family
            draws = (self.given(seeds.getrandbits(62), kind, (), gentle) for _ in range(REDRAWS))
            expected = self._oracle.steadied(expected, f"{kind} {gentle}", draws)
        return expected

    def end_of_first_draw(self) -> None:
        """Raises `Ended` where one answer would have done for all questions until now."""
        if self._nulls is not None:
            self._nulls.judge()
        self._nulls = None

    def forget(self) -> None:
        """Free what only further phases would need."""
        self._first, self._last, self._nulls = None, [], None

    @property
    def _cotangents(self) -> Sequence[tuple[tuple[int, ...], torch.dtype]]:
        return self.backward.cotangents if self.backward else ()

    @property
    def _oracle(self) -> Oracle:
        if self._made is None:
            disturbed, number = divmod(self._draw, len(self._seeds))
            self._made = Oracle(self._reference, self._seeds[number], self.backward, self._usual, bool(disturbed))
            self._sums[self._draw] = _sums(self._made.parameters)
        return self._made

    def _asked(self, seed: int, family: Family) -> Question:
        new = self._made is None and self._first is None
        if family in AS_DRAWN:
            given = self.given(seed, family, self._last)
            question = given, self.expected(given, seed, family)
            if new:
                audit.answers_at_all(self._oracle, *question)
            return question
        usual = self._first[2][1] if self._first else None
        if family in TIED and (usual is None or not usual.floating or self._wants_backward):
            return self._instead(seed, f"inputs {family}: left out, what is equal has no order")
        if family == "constant" and usual is not None:
            return self._constant(seed, usual)
        whole = usual is None or usual.whole
        for gentle in (False, True):
            given = self.given(seed, family, gentle=gentle)
            with contextlib.suppress(Ended):  # the reference refuses such numbers, or overflows
                expected = self.expected(given, seed, family, gentle, finite=whole)
                if _usable(expected, usual):
                    return given, expected
        return self._instead(seed, f"inputs {family}: left out, the reference overflows or refuses them")

    def _constant(self, seed: int, usual: Expected) -> Question:
        given = self.given(seed, "constant")
        with contextlib.suppress(Ended):
            expected = self._oracle.answer(given)
            if _usable(expected, usual):
                return given, self._oracle.loosened(expected, given, usual)
        return self._instead(seed, "inputs constant: left out, the reference is not finite there or refuses them")

    def _instead(self, seed: int, note: str) -> Question:
        given = self.given(seed)
        expected = self.expected(given, seed)
        return given, replace(expected, notes=(*expected.notes, note))

    def _audit(self, seed: int, family: Family, question: Question) -> None:
        given, expected = question
        if self._first is None:
            self._first = self._draw, seed, question
            if self._nulls is not None:
                self._nulls.ask(expected)
            return
        first_draw, _, (first_given, first_expected) = self._first
        if family == "first" and self._draw != first_draw:
            sums = self._sums.get(first_draw), self._sums.get(self._draw)
            if None not in sums and sums[0] != sums[1]:
                audit.moved(first_expected, expected, "parameters")
            return
        # A maximum over everything may well stay when one row changes.
        alone = not self._moves and family not in FOLLOWING
        if self._nulls is None or self._draw != first_draw or not (alone or self._nulls.open):
            return
        if any(not torch.equal(one, other) for one, other in zip(given, first_given)):
            if alone:
                audit.moved(first_expected, expected, "inputs")
                self._moves = True
            self._nulls.ask(expected)


def _usable(expected: Expected, usual: Expected | None) -> bool:
    """Whether the reference is finite there, or is not finite on drawn inputs either."""
    return expected.finite and (expected.whole or (usual is not None and not usual.whole))


def _bytes(question: Question) -> int:
    given, expected = question
    kept = [*given, *(t for output in expected.outputs for t in (output.truth, output.yardstick))]
    return sum(tensor.numel() * tensor.element_size() for tensor in kept)


def _sums(tensors: dict[str, torch.Tensor]) -> list[float]:
    """Enough to tell whether two draws differ at all."""
    floating = [as_matrix(tensor) for tensor in tensors.values() if tensor.is_floating_point() and tensor.numel()]
    sums = [torch.stack([part[where].to(torch.float64).sum() for where in pieces(part)]).sum() for part in floating]
    return torch.stack(sums).tolist() if sums else []
