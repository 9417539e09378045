from pathlib import Path

from tilewright.toolchain.programs import find_nvcc, find_nvdisasm


def program_in(folder: Path, name: str = "nvcc") -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


def test_the_toolkit_named_by_the_environment_comes_first(monkeypatch, tmp_path):
    on_path, in_home = program_in(tmp_path / "path"), program_in(tmp_path / "home" / "bin")
    monkeypatch.setenv("PATH", str(on_path.parent))
    monkeypatch.setenv("CUDA_HOME", str(tmp_path / "home"))
    assert find_nvcc() == in_home


def test_without_one_the_path_decides(monkeypatch, tmp_path):
    on_path = program_in(tmp_path / "path")
    monkeypatch.setenv("PATH", str(on_path.parent))
    monkeypatch.delenv("CUDA_HOME", raising=False)
    monkeypatch.delenv("CUDA_PATH", raising=False)
    assert find_nvcc() == on_path


def test_a_named_toolkit_without_nvcc_is_no_toolkit(monkeypatch, tmp_path):
    monkeypatch.setenv("CUDA_HOME", str(tmp_path))
    assert find_nvcc() is None


def test_the_disassembler_of_the_toolkit_comes_before_another_on_the_path(monkeypatch, tmp_path):
    on_path, nvcc = program_in(tmp_path / "path", "nvdisasm"), program_in(tmp_path / "home" / "bin")
    monkeypatch.setenv("PATH", str(on_path.parent))
    monkeypatch.setenv("CUDA_HOME", str(tmp_path / "home"))
    assert find_nvdisasm() == on_path
    beside = program_in(nvcc.parent, "nvdisasm")
    assert find_nvdisasm() == beside
