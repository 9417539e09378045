"""Families vary inputs within what they can mean."""

from __future__ import annotations

import random

import pytest
import torch

from tilewright.worker.verifying import families
from tilewright.worker.verifying.families import Family

VALUE_FAMILIES: tuple[Family, ...] = (
    "scaled", "shifted", "positive", "negative", "tiny", "constant", "tails", "ends",
)  # fmt: skip


def varied(drawn: torch.Tensor, family: Family, gentle: bool = False) -> torch.Tensor:
    return families.varied(drawn, family, families.domain(drawn), random.Random(1), gentle)


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_normal_numbers_are_varied_by_every_family() -> None:
    drawn = normal(64, 256)
    for family in VALUE_FAMILIES:
        assert not torch.equal(varied(drawn, family), drawn)
    assert bool((varied(drawn, "positive") > 0).all()) and float(varied(drawn, "positive").amax()) > 89
    assert len(varied(drawn, "constant").unique()) == 1


def test_sums_of_a_constant_are_exact() -> None:
    constant = varied(normal(64, 1000), "constant")
    assert float(constant.sum()) == float(constant.double().sum())
    assert float(constant.flip(0).square().cumsum(0).sum()) == float(constant.double().square().cumsum(0).sum())


def test_the_tails_hold_nearly_all_of_the_energy_and_both_ends_of_the_memory_belong_to_them() -> None:
    drawn = normal(64, 256)
    tails = varied(drawn, "tails")
    kept = tails == drawn
    assert float(kept.float().mean()) < 0.1
    assert float((tails * kept).square().sum()) > 0.99 * float(tails.square().sum())
    assert bool(kept.reshape(-1)[:82].all()) and bool(kept.reshape(-1)[-82:].all())


@pytest.mark.parametrize("family", VALUE_FAMILIES)
@pytest.mark.parametrize(
    "drawn",
    [
        torch.randint(0, 9, (8, 8)),
        torch.randint(0, 2, (8, 8)).float(),
        torch.randint(0, 2, (8, 8)) * 2.0 - 1,
        torch.softmax(normal(8, 8), dim=1),
        torch.linspace(0, 3, 16),
        torch.ones(8),
        torch.where(torch.ones(8, 8).tril() > 0, 0.0, float("-inf")),
        torch.empty(0, 4),
    ],
)
def test_integers_labels_masks_distributions_and_sorted_numbers_stay_as_drawn(
    drawn: torch.Tensor, family: Family
) -> None:
    assert torch.equal(varied(drawn, family), drawn)


@pytest.mark.parametrize("family", VALUE_FAMILIES)
def test_numbers_between_zero_and_one_stay_there(family: Family) -> None:
    changed = varied(torch.rand(8, 64, generator=torch.Generator().manual_seed(0)), family)
    assert float(changed.amin()) >= 0 and float(changed.amax()) <= 1


@pytest.mark.parametrize("family", VALUE_FAMILIES)
def test_triangles_signs_and_symmetry_are_kept(family: Family) -> None:
    triangle = varied(normal(16, 16).tril(), family)
    assert torch.equal(triangle, triangle.tril())
    assert bool((varied(-normal(16, 16).abs(), family) < 0).all())
    symmetric = varied(normal(16, 16) + normal(16, 16).t(), family)
    assert torch.equal(symmetric, symmetric.t())


def test_what_would_overflow_the_dtype_is_left_as_drawn() -> None:
    drawn = (normal(64) * 3e4).clamp(-6e4, 6e4).half()
    assert bool(torch.isfinite(varied(drawn, "scaled")).all())


def test_swapped_inputs_hold_the_same_numbers_at_other_places() -> None:
    last = [normal(32, 8)]
    changed = families.swapped(last, [normal(32, 8, seed=1)], [families.domain(last[0])], random.Random(3))
    assert torch.equal(changed[0].sum(), changed[0].sum()) and not torch.equal(changed[0], last[0])
    assert (changed[0] != last[0]).any(dim=1).sum() == 2
    assert torch.equal(changed[0].sort(dim=0).values, last[0].sort(dim=0).values)


def test_two_inputs_that_are_alike_are_exchanged_at_times() -> None:
    last = [normal(8, 8), normal(8, 8, seed=1)]
    domains = [families.domain(tensor) for tensor in last]
    made = [families.swapped(last, last, domains, random.Random(seed)) for seed in range(20)]
    assert any(torch.equal(a, last[1]) and torch.equal(b, last[0]) for a, b in made)


def test_nearly_the_last_inputs_keep_a_symmetry() -> None:
    last, drawn = (normal(8, 8, seed=seed) + normal(8, 8, seed=seed).t() for seed in (0, 1))
    changed = families.nearly([last], [drawn], [families.domain(last)], random.Random(1))[0]
    assert torch.equal(changed, changed.t()) and not torch.equal(changed, last)


def test_zeros_and_infinities_stay_wherever_in_a_large_tensor_they_are() -> None:
    drawn = normal(2, 1 << 19)
    drawn[0, 0], drawn[1, -1] = 0.0, float("-inf")
    made = varied(drawn, "scaled")
    assert made[0, 0] == 0 and made[1, -1] == float("-inf")
    assert torch.equal(made[:, 1:-1], 32 * drawn[:, 1:-1])


def test_whole_numbers_must_be_whole_to_the_end_to_be_labels() -> None:
    drawn = normal(2, 1 << 19).mul(100).round().clamp(min=1)
    assert varied(drawn, "scaled") is drawn
    drawn[-1, -1] += 0.5
    assert torch.equal(varied(drawn, "scaled"), 32 * drawn)
