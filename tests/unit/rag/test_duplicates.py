"""Whose kernels would give the answer away."""

import pytest
from references import reference

from tilewright.rag.duplicates import fingerprint, identity
from tilewright.records import Problem

SOFTMAX = reference("torch.softmax(x, dim=1)")


@pytest.mark.parametrize(
    "other",
    [
        reference("torch.softmax(x, dim=1)", rows=4096),
        SOFTMAX.replace("rows", "batch").replace("(self, x", "(self, tensor").replace("softmax(x", "softmax(tensor"),
        SOFTMAX.replace("class Model(nn.Module):", 'class Model(nn.Module):\n    """Rows."""'),
        SOFTMAX.replace("self, x, y=None", "self, x: torch.Tensor, y: torch.Tensor | None = None"),
        SOFTMAX.replace("torch.softmax(x", "F.softmax(x"),
        SOFTMAX.replace("torch.softmax(x, ", "x.softmax("),
    ],
    ids=["sizes", "names", "documented", "annotated", "functional", "method"],
)
def test_a_reference_that_only_reads_differently_is_the_same(other: str) -> None:
    assert other != SOFTMAX and fingerprint(other) == fingerprint(SOFTMAX)


def test_a_coefficient_is_no_difference_but_an_axis_and_a_rank_are() -> None:
    scaled = reference("x * 2.5")
    assert fingerprint(scaled) == fingerprint(reference("x * 7.0"))
    assert fingerprint(SOFTMAX) != fingerprint(reference("torch.softmax(x, dim=0)"))
    assert fingerprint(scaled) != fingerprint(reference("x * 2.5", inputs="torch.randn(rows, dim, dim)"))


def test_a_product_is_one_with_operator_and_function_and_differs_from_a_transposed_one() -> None:
    pair = "torch.randn(rows, dim), torch.randn(dim, rows)"
    assert fingerprint(reference("x @ y", pair)) == fingerprint(reference("torch.matmul(x, y)", pair))
    assert fingerprint(reference("x @ y", pair)) != fingerprint(reference("x.T @ y", pair))


def test_another_operation_is_another_problem() -> None:
    assert fingerprint(SOFTMAX) != fingerprint(reference("torch.log_softmax(x, dim=1)"))


def test_the_number_alone_makes_two_problems_the_same() -> None:
    one, large = Problem("23_Softmax", "", 1, 23), Problem("23_Softmax", SOFTMAX, 1, 23)
    assert identity(one).is_same(identity(large))
    assert not identity(one).is_same(identity(Problem("23_Conv", "", 2, 23)))


def test_problems_of_which_nothing_is_known_are_not_the_same() -> None:
    assert not identity(Problem("a", "")).is_same(identity(Problem("a", "")))
