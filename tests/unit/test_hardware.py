from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from tilewright.errors import ConfigError
from tilewright.hardware import (
    Ceilings,
    add_gpu,
    add_gpus,
    all_gpus,
    gpu_for_device_name,
    gpu_from_device,
    known_as,
    load_gpu,
    with_ceilings,
)


def test_the_gpus_that_the_command_line_offers_are_known():
    assert {gpu.name for gpu in all_gpus()} >= {"H100", "H200", "A100", "L40S", "A10G", "L4", "T4", "B200"}


@pytest.mark.parametrize("name", ["H100", "h100", " h100 ", "H100!", "h100_sxm5"])
def test_a_gpu_is_found_by_its_name_or_an_alias_in_any_case(name):
    assert load_gpu(name).name == "H100"


def test_an_h100_has_the_limits_of_its_data_sheet():
    gpu = load_gpu("H100")
    assert (gpu.arch, gpu.sms, gpu.shared_bytes_per_block) == ("sm_90a", 132, 227 * 1024)
    assert gpu.calibrated


def test_an_unknown_gpu_names_the_known_ones_and_the_nearest():
    with pytest.raises(ConfigError, match=r"unknown GPU 'H10'; known: H100, .*Did you mean 'H100'\?"):
        load_gpu("H10")


@pytest.mark.parametrize("name", ["MI300X", "mi250", "Gaudi3"])
def test_a_gpu_of_another_vendor_says_what_works_instead(name):
    with pytest.raises(ConfigError, match=r"unsupported: TileLang kernels are compiled for NVIDIA.*--gpu H100"):
        load_gpu(name)


def test_the_name_that_the_driver_reports_leads_to_the_gpu():
    found = gpu_for_device_name("NVIDIA H100 80GB HBM3")
    assert found is not None and found.name == "H100"


@pytest.mark.parametrize("name", ["NVIDIA H100 PCIe", "NVIDIA GeForce RTX 4090", ""])
def test_a_device_that_is_not_in_the_table_is_not_taken_for_another(name):
    assert gpu_for_device_name(name) is None


def test_products_at_fp32_run_at_the_rate_of_tf32_where_there_is_such_a_unit():
    assert load_gpu("A100").matmul_flops_per_s("fp32") == 156e12
    assert load_gpu("T4").matmul_flops_per_s("fp32") == 8.1e12
    assert load_gpu("A100").matmul_flops_per_s("bf16") == 312e12


def test_limits_of_every_gpu_fit_together():
    for gpu in all_gpus():
        assert gpu.shared_bytes_per_block <= gpu.shared_bytes_per_sm
        assert gpu.fp32_flops < gpu.tensor_flops
        assert gpu.memory_bytes_per_s > (gpu.measured_copy_bytes_per_s or 0)
        assert gpu.has_async_copies == (gpu.name != "T4")


H100_PROPERTIES = {
    "major": 9,
    "minor": 0,
    "sms": 132,
    "shared_bytes_per_block": 232448,
    "shared_bytes_per_sm": 233472,
    "registers_per_sm": 65536,
    "max_threads_per_sm": 2048,
    "l2_bytes": 52428800,
    "clock_hz": 1.83e9,
    "memory_clock_hz": 2.619e9,
    "memory_bus_bits": 5120,
}


def test_a_device_that_is_not_in_the_table_is_read_from_its_driver() -> None:
    """The numbers of an H100, whose rates are known, come out as its data sheet has them."""
    gpu, listed = gpu_from_device("NVIDIA Unlisted", H100_PROPERTIES), load_gpu("H100")
    assert gpu.arch == listed.arch and gpu.max_blocks_per_sm == listed.max_blocks_per_sm
    assert gpu.memory_bytes_per_s == pytest.approx(listed.memory_bytes_per_s, rel=0.02)
    assert gpu.tensor_flops == pytest.approx(listed.tensor_flops, rel=0.02)
    assert gpu.fp32_flops == pytest.approx(listed.fp32_flops, rel=0.1)
    assert not gpu.calibrated


def test_an_added_device_is_found_by_its_name() -> None:
    add_gpu(gpu_from_device("NVIDIA Added", H100_PROPERTIES))
    assert load_gpu("nvidia added").sms == 132


def test_a_device_too_old_for_tilelang_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"compute capability 6.1"):
        gpu_from_device("NVIDIA Old", {**H100_PROPERTIES, "major": 6, "minor": 1})


ROW = """
[{name}]
vendor = "{vendor}"
arch = "sm_90a"
aliases = ["{name}-alias"]
device_names = ["NVIDIA {name}"]
sms = 114
shared_bytes_per_block = 232448
shared_bytes_per_sm = 233472
registers_per_sm = 65536
max_threads_per_sm = 2048
max_blocks_per_sm = 32
l2_bytes = 52428800
memory_bytes_per_s = 2.0e12
tensor_flops = 756e12
fp32_flops = 51e12
"""


def test_a_row_of_ones_own_is_found_by_name_alias_and_device(tmp_path: Path) -> None:
    (tmp_path / "gpus.toml").write_text(ROW.format(name="OwnRow", vendor="NVIDIA"))
    add_gpus(tmp_path / "gpus.toml")
    found = gpu_for_device_name("NVIDIA OwnRow")
    assert load_gpu("ownrow") == load_gpu("ownrow-alias") == found and found is not None and found.sms == 114


def test_a_row_of_another_vendor_says_what_works_instead(tmp_path: Path) -> None:
    (tmp_path / "gpus.toml").write_text(ROW.format(name="OtherRow", vendor="AMD"))
    add_gpus(tmp_path / "gpus.toml")
    with pytest.raises(ConfigError, match=r"unsupported.*--gpu H100"):
        load_gpu("OtherRow")


@pytest.mark.parametrize("text", ["[X]\nvendor = 1", "[X", "X = 3", "[X]\nspeed = 3"])
def test_a_file_of_rows_that_says_something_else_is_explained(tmp_path: Path, text: str) -> None:
    (tmp_path / "gpus.toml").write_text(text)
    with pytest.raises(ConfigError, match=r"gpus.toml: .*A row holds: vendor, arch, sms"):
        add_gpus(tmp_path / "gpus.toml")
    with pytest.raises(ConfigError, match="can't be read"):
        add_gpus(tmp_path / "none.toml")


def test_probed_rates_replace_the_tables() -> None:
    listed = load_gpu("A100")
    probed = with_ceilings(listed, Ceilings(1.7e12, 250e12, 19e12, 2.4e-6, bf16_flops=260e12, tf32_flops=120e12))
    assert probed.probed and probed.measured_copy_bytes_per_s == 1.7e12 and probed.measured_launch_s == 2.4e-6
    assert probed.measured_matmul_flops_per_s("fp16") == probed.measured_matmul_flops_per_s("bf16") == 260e12
    assert probed.measured_matmul_flops_per_s("fp32") == 120e12
    assert listed.measured_matmul_flops_per_s("fp16") is None and not listed.probed


def test_a_gpu_is_known_in_another_way_within_a_block_alone() -> None:
    listed = load_gpu("L4")
    first, second = (replace(listed, measured_launch_s=s, probed=True) for s in (4e-6, 5e-6))
    with known_as(first):
        assert load_gpu("l4") == first
        with known_as(second), known_as(None):
            assert load_gpu("L4") == second
            with ThreadPoolExecutor(1) as other_run:
                assert other_run.submit(load_gpu, "L4").result() == listed
        assert load_gpu("L4") == first
    assert load_gpu("L4") == listed


def test_bf16_products_before_ampere_run_on_the_ordinary_pipelines() -> None:
    assert load_gpu("T4").matmul_flops_per_s("bf16") == 8.1e12
