import pytest

from tilewright.errors import ConfigError
from tilewright.hardware import all_gpus, gpu_for_device_name, load_gpu


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
