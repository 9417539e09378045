"""Hardware counters: what ncu writes is read, and what it can't do is said."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from tilewright.records import Candidate, Problem
from tilewright.worker.timing import counters

CANDIDATE, PROBLEM = Candidate("class ModelNew: pass"), Problem("p", "class Model: pass")
RAW = """==PROF== Connected to process 7
==PROF== Profiling "main_kernel": 0%....100% - 9 passes
"ID","Process ID","Kernel Name","gpu__time_duration.sum","lts__t_sector_hit_rate.pct","dram__bytes_read.sum"
"","","","ns","%","byte"
"0","7","main_kernel","5,120","41.5","1,048,576"
"1","7","void at::native::add<float, (int)4>(int, float)","2048","n/a","64"
"2","7","main_kernel","6144","43.5","1048576"
"""
DETAILS = """"ID","Process ID","Kernel Name","Section Name","Metric Name","Metric Unit","Metric Value"
"0","7","main_kernel","Command line profiler metrics","gpu__time_duration.sum","ns","5,120"
"0","7","main_kernel","Command line profiler metrics","launch__waves_per_multiprocessor","","0.97"
"""
DENIED = "==ERROR== ERR_NVGPUCTRPERM - The user does not have permission to access NVIDIA GPU Performance Counters"


def ncu(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """A stand-in on the PATH; in `script` $log is the file to write and $metrics what is asked for."""
    head = """#!/bin/sh
while [ $# -gt 0 ]; do
  case "$1" in --log-file) log=$2;; --metrics) metrics=$2;; esac
  shift
done
"""
    path = folder / "ncu"
    path.write_text(head + script)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")


def test_launches_of_one_name_are_one_kernel_with_the_counters_of_the_longest() -> None:
    main, add = counters.parsed(RAW)
    assert (main.name, main.launches, round(main.device_ms, 6)) == ("main_kernel", 2.0, 0.011264)
    assert dict(main.counters) == {"duration_ns": 6144.0, "l2_hit": 43.5, "dram_read_bytes": 1048576.0}
    assert dict(add.counters) == {"duration_ns": 2048.0, "dram_read_bytes": 64.0}  # "n/a" is left out


def test_the_page_with_a_row_a_metric_is_read_too() -> None:
    (main,) = counters.parsed(DETAILS)
    assert dict(main.counters) == {"duration_ns": 5120.0, "waves": 0.97}


def test_a_log_without_kernels_has_none() -> None:
    assert counters.parsed("") == [] and counters.parsed(DENIED) == []


def test_counters_are_read_through_ncu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ncu(tmp_path, monkeypatch, f"cat > $log <<'END'\n{RAW}END\n")
    kernels, why = counters.read(CANDIDATE, PROBLEM)
    assert kernels[0].name == "main_kernel" and why == ""


def test_a_user_without_the_right_is_told_who_can_give_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ncu(tmp_path, monkeypatch, f"echo '{DENIED}' > $log\nexit 1\n")
    kernels, why = counters.read(CANDIDATE, PROBLEM)
    assert not kernels and "ERR_NVGPUCTRPERM" in why and "administrator" in why


def test_a_metric_that_the_gpu_does_not_have_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    metric = "sm__pipe_tensor_cycles_active.avg.pct_of_peak_sustained_active"
    script = f"""
case "$metrics" in *{metric}*) echo "==ERROR== Failed to find metric {metric}" > $log; exit 1;; esac
cat > $log <<'END'
{RAW}END
"""
    ncu(tmp_path, monkeypatch, script)
    kernels, why = counters.read(CANDIDATE, PROBLEM)
    assert len(kernels) == 2 and why == ""


def test_a_program_that_fails_has_the_last_word(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ncu(tmp_path, monkeypatch, "echo 'Traceback' >&2; echo 'RuntimeError: no CUDA GPU' >&2; exit 1\n")
    assert counters.read(CANDIDATE, PROBLEM)[1] == "ncu saw no kernel: RuntimeError: no CUDA GPU"


def test_one_that_does_not_end_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ncu(tmp_path, monkeypatch, "sleep 60\n")
    assert counters.read(CANDIDATE, PROBLEM, timeout_s=0.2)[1] == "ncu did not end within 0 s"


def test_keys_stay_with_the_caller(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "secret")
    ncu(tmp_path, monkeypatch, 'env | grep -q secret || echo "$CUDA_VISIBLE_DEVICES alone" >&2; exit 1\n')
    assert counters.read(CANDIDATE, PROBLEM, visible="GPU-1")[1] == "ncu saw no kernel: GPU-1 alone"
