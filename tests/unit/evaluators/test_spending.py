"""What machines elsewhere cost is said where somebody is paid by the second."""

from tilewright.targets import Target, spending


def test_a_cluster_s_gpu_needs_no_price() -> None:
    assert spending(Target("ray", "A GPU in no table", ""), 5.0) == "ray: A GPU in no table busy for 5.0 s"


def test_modal_s_seconds_have_one() -> None:
    assert "USD at list prices" in spending(Target("modal", "H100", ""), 5.0)
