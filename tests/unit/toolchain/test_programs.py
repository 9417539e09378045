from pathlib import Path

from tilewright.toolchain.programs import find_nvcc


def nvcc_in(folder: Path) -> Path:
    path = folder / "nvcc"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


def test_the_toolkit_named_by_the_environment_comes_first(monkeypatch, tmp_path):
    on_path, in_home = nvcc_in(tmp_path / "path"), nvcc_in(tmp_path / "home" / "bin")
    monkeypatch.setenv("PATH", str(on_path.parent))
    monkeypatch.setenv("CUDA_HOME", str(tmp_path / "home"))
    assert find_nvcc() == in_home


def test_without_one_the_path_decides(monkeypatch, tmp_path):
    on_path = nvcc_in(tmp_path / "path")
    monkeypatch.setenv("PATH", str(on_path.parent))
    monkeypatch.delenv("CUDA_HOME", raising=False)
    monkeypatch.delenv("CUDA_PATH", raising=False)
    assert find_nvcc() == on_path


def test_a_named_toolkit_without_nvcc_is_no_toolkit(monkeypatch, tmp_path):
    monkeypatch.setenv("CUDA_HOME", str(tmp_path))
    assert find_nvcc() is None
