"""Which operations a reference computes, however it is written."""

import pytest
from references import reference

from tilewright.rag.operations import DEPTHWISE, operations


def families(source: str) -> list[str]:
    return [each.family for each in operations(source)]


@pytest.mark.parametrize("spelled", ["torch.softmax(x, dim=1)", "F.softmax(x, dim=1)", "x.softmax(dim=1)"])
def test_one_operation_has_one_name_however_it_is_called(spelled: str) -> None:
    assert [(each.name, each.family) for each in operations(reference(spelled))] == [("softmax", "softmax")]


def test_a_layer_counts_where_it_is_called() -> None:
    source = reference("torch.relu(self.norm(x))", layers="self.norm, self.unused = nn.LayerNorm(dim), 1")
    assert families(source) == ["elementwise"]
    source = reference("torch.relu(self.norm(x))", layers="self.norm = nn.LayerNorm(dim)")
    assert families(source) == ["normalisation", "elementwise"]


def test_layers_of_a_sequential_are_found_in_order() -> None:
    source = reference("self.net(x)", layers="self.net = nn.Sequential(nn.Linear(dim, 8), nn.ReLU())")
    assert families(source) == ["matmul", "elementwise"]


def test_blocks_that_the_file_defines_are_followed_and_not_into_themselves() -> None:
    block = "class Block(nn.Module):\n    def forward(self, x):\n        return self.block(torch.tanh(x))\n\n\n"
    source = reference("self.block(x)", layers="self.block = Block()").replace("class Model", block + "class Model")
    assert families(source) == ["elementwise"]


def test_a_value_over_its_own_sum_is_a_normalisation() -> None:
    assert "normalisation" in families(reference("x / x.abs().sum(dim=1, keepdim=True)"))
    assert "normalisation" not in families(reference("x.abs().sum(dim=1)"))


def test_two_tensors_reduced_to_a_number_are_a_loss() -> None:
    assert "loss" in families(reference("torch.mean((x - y) ** 2)"))
    assert "loss" not in families(reference("torch.mean(x - y, dim=1)"))


def test_products_around_a_softmax_are_attention() -> None:
    assert "attention" in families(reference("torch.softmax(x @ y.transpose(-2, -1), dim=-1) @ y"))
    assert "attention" not in families(reference("torch.softmax(x @ y, dim=-1)"))


def test_a_filter_for_each_channel_is_another_family_than_a_grouped_convolution() -> None:
    each = "self.conv = nn.Conv2d(channels, channels, 3, groups=channels)"
    assert families(reference("self.conv(x)", layers=each)) == [DEPTHWISE]
    assert families(reference("self.conv(x)", layers=each.replace("groups=channels", "groups=groups"))) == ["conv"]


def test_what_is_no_python_has_no_operations() -> None:
    assert operations("row-wise softmax") == ()
