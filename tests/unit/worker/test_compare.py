"""What counts as right: PyTorch's own error is the yardstick, no absolute tolerance."""

import pytest
import torch

from tilewright.worker.verifying import compare
from tilewright.worker.verifying.compare import judged, passes, rounding_step
from tilewright.worker.verifying.expected import Output, _output


def expected_of(truth: torch.Tensor, dtype: torch.dtype = torch.float16) -> Output:
    return _output(truth.double(), truth.to(dtype))


def test_the_rounding_step_is_the_distance_to_the_neighbour() -> None:
    values = torch.tensor([1.0, 1.5, 2.0, -3.0, 1000.0])
    assert rounding_step(values, torch.float16).tolist() == [2**-10, 2**-10, 2**-9, 2**-9, 0.5]


def test_the_rounding_step_at_zero_is_the_smallest_subnormal() -> None:
    assert rounding_step(torch.zeros(1), torch.float16).item() == 2**-24


def test_one_rounding_step_is_allowed_where_pytorch_is_exact() -> None:
    truth = torch.full((4, 4), 2.0)
    expected = expected_of(truth)
    assert expected.error == 0
    assert judged(truth.half() + 2**-9, expected).mismatch is None
    assert judged(truth.half() + 2**-8, expected).mismatch is not None


def test_the_error_ratio_is_at_most_one_for_pytorch_itself() -> None:
    truth = torch.randn(64, 64, generator=torch.Generator().manual_seed(0)).double()
    judgement = judged(truth.half(), expected_of(truth))
    assert judgement.mismatch is None
    assert judgement.error_ratio is not None and 0.25 < judgement.error_ratio <= 1


def test_a_small_slice_is_not_hidden_by_a_large_one() -> None:
    truth = torch.randn(2, 2048, generator=torch.Generator().manual_seed(0)).double()
    truth[0] *= 1e3
    got = truth.half()
    got[1, 5] += 0.25  # less than 16 times the error in the large slice
    assert judged(got, expected_of(truth)).mismatch is not None


def test_a_row_in_which_pytorch_errs_at_few_places_is_judged_by_the_whole() -> None:
    """One value of a row survives a ReLU, and PyTorch happens to hit it exactly."""
    truth = torch.randn(64, 2048, generator=torch.Generator().manual_seed(0)).double()
    truth[3] = 0.0
    truth[3, 7] = 0.0625
    got = truth.half()
    got[3, 7] += 2**-13  # two rounding steps
    assert judged(got, expected_of(truth)).mismatch is None


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_not_finite_where_the_reference_is_is_wrong(value: float) -> None:
    truth = torch.ones(8, 8).double()
    got = truth.half()
    got[3, 3] = value
    mismatch = judged(got, expected_of(truth)).mismatch
    assert mismatch is not None and mismatch.index == (3, 3)


def test_an_expected_infinity_must_be_that_infinity() -> None:
    truth = torch.ones(4).double()
    truth[1] = float("-inf")
    assert judged(truth.half(), expected_of(truth)).mismatch is None
    assert judged(-truth.half().abs(), expected_of(truth)).mismatch is not None


def test_where_only_pytorch_overflows_any_value_goes() -> None:
    truth = torch.tensor([1.0, 1e6]).double()
    assert judged(torch.tensor([1.0, 65504.0]).half(), expected_of(truth)).mismatch is None
    assert passes(torch.tensor([1.0, 65504.0]).half(), expected_of(truth))


def test_integers_must_be_equal() -> None:
    truth = torch.arange(10)
    assert judged(truth.clone(), _output(truth, truth)).mismatch is None
    mismatch = judged(truth.flip(0), _output(truth, truth)).mismatch
    assert mismatch is not None and mismatch.got == "9"
    assert passes(truth.clone(), _output(truth, truth)) and not passes(truth.flip(0), _output(truth, truth))


def test_an_output_without_elements_is_right() -> None:
    truth = torch.empty(0, 4).double()
    assert judged(truth.half(), expected_of(truth)).mismatch is None


def test_a_scalar_output_is_compared() -> None:
    truth = torch.tensor(0.7).double()
    assert judged(truth.half(), expected_of(truth)).mismatch is None
    mismatch = judged(truth.half() * 2, expected_of(truth)).mismatch
    assert mismatch is not None and mismatch.index == ()


def _block(y: torch.Tensor, size: int = 32) -> torch.Tensor:
    """Marks `size` rows and twice as many columns, or a single element."""
    marks = torch.zeros_like(y, dtype=torch.bool)
    marks[32 : 32 + size, 64 : 64 + (2 * size if size > 1 else 1)] = True
    return marks


PATTERNS = [
    (lambda y: y * float("nan"), "all wrong values are NaN"),
    (lambda y: torch.cat([y[:, :192], y[:, 192:] * 0], dim=1), "columns 192 and up are never written"),
    (lambda y: torch.cat([y[:192], torch.full_like(y[192:], 7)]), "rows 192 and up are wrong"),
    (lambda y: y.t().contiguous(), "the output is transposed"),
    (lambda y: y * 2, "2 times the expected"),
    (lambda y: y - 4, "-4 off"),
    (lambda y: torch.full_like(y, 0.5), "the same value 0.5 everywhere"),
    (lambda y: y * 1.01, "1.01 times"),
    (lambda y: (y * 8).round() / 8, "close but too inexact"),
    (lambda y: torch.where(torch.arange(256) % 8 == 3, y + torch.rand(256, 256) + 1, y), "every 8. of the columns"),
    (
        lambda y: torch.where(torch.arange(65536).view(256, 256) % 100 == 7, y + 1, y),
        "+1 off (every 100. element, from 7 on)",
    ),
    (
        lambda y: torch.where(_block(y), y - torch.rand(256, 256) - 1, y),
        "columns 64 to 127 of rows 32 to 63 are wrong",
    ),
    (lambda y: torch.where(_block(y, 1), y + 1, y), "one value alone"),
    (lambda y: y.flip(0), "no simple pattern"),
]


@pytest.mark.parametrize(("spoil", "words"), PATTERNS)
def test_the_pattern_of_wrong_values_is_named(spoil, words: str) -> None:  # type: ignore[no-untyped-def]
    truth = torch.randn(256, 256, generator=torch.Generator().manual_seed(1)).double() + 0.01
    mismatch = judged(spoil(truth.half()).half(), expected_of(truth)).mismatch
    assert mismatch is not None
    assert words in mismatch.message
    assert passes(truth.half(), expected_of(truth)) and not passes(spoil(truth.half()).half(), expected_of(truth))


@pytest.mark.parametrize("shape", [(1 << 20,), (1, 1 << 20), (1 << 19, 2), (3, 5, 1 << 17)])
@pytest.mark.parametrize("value", [4.0, float("nan")])
def test_one_wrong_value_in_a_large_output_is_found_wherever_it_is(shape: tuple[int, ...], value: float) -> None:
    truth = torch.randn(shape, generator=torch.Generator().manual_seed(0)).double()
    expected, got = expected_of(truth), truth.half()
    assert judged(got, expected).mismatch is None and passes(got, expected)
    last = tuple(extent - 1 for extent in shape)
    got[last] += value
    mismatch = judged(got, expected).mismatch
    assert mismatch is not None and mismatch.index == last and not passes(got, expected)


def test_a_long_row_is_judged_by_its_own_error_in_every_piece() -> None:
    truth = torch.randn(2, 1 << 19, generator=torch.Generator().manual_seed(0)).double()
    truth[0] *= 1e3
    got = truth.half()
    got[1, -1] += 0.25  # less than 16 times the error in the large row
    assert judged(got, expected_of(truth)).mismatch is not None


def test_a_wrong_shape_is_told_in_words() -> None:
    assert compare.wrong_shape(0, "float16[2]", "float16[4]").message == "output 0 is float16[2], expected float16[4]"
