"""What do the GPU's hardware counters say of one forward?

Nsight Compute (`ncu`) runs this module as a program of its own, which builds the candidate, calls it twice to warm
up and a third time to be counted. That program is NOT isolated as the runners are: it is for a person's own kernel,
asked for by name. Nothing that is read here decides a verdict. ncu runs each kernel several times, so that its times
are no timing; clocks are left as they are.

Reading counters takes a right that many shared machines withhold. What can't be had is said in words.
"""

from __future__ import annotations

import contextlib
import csv
import glob
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tilewright import jsonform
from tilewright.records import Candidate, KernelRun, Problem

TIMEOUT_S = 120.0
_PACKAGE_ROOT = Path(__file__).resolve().parents[3]
_MOST_TRIES = 3
"""ncu may name the metrics that a GPU does not have one after the other."""
_MOST_NAME = 200
"""Characters of a kernel's name, as the profiler's census keeps them."""


@dataclass(frozen=True)
class Metric:
    """A counter under a short name. `ncu` is its name there, in the unit that `--print-units base` gives it."""

    name: str
    ncu: str
    says: str


_PEAK = "avg.pct_of_peak_sustained_elapsed"
_ACTIVE = "avg.pct_of_peak_sustained_active"
_STALLED = "smsp__average_warps_issue_stalled_{}_per_issue_active.ratio"

METRICS: tuple[Metric, ...] = (
    Metric("duration_ns", "gpu__time_duration.sum", "time of the launch under the profiler, ns"),
    Metric("sm_busy", f"sm__throughput.{_PEAK}", "busiest unit of the multiprocessors, % of its peak"),
    Metric("dram_throughput", f"dram__throughput.{_PEAK}", "device memory, % of its peak"),
    Metric("dram_read_bytes", "dram__bytes_read.sum", "bytes read from device memory"),
    Metric("dram_write_bytes", "dram__bytes_write.sum", "bytes written to device memory"),
    Metric("l2_throughput", f"lts__throughput.{_PEAK}", "L2 cache, % of its peak"),
    Metric("l2_hit", "lts__t_sector_hit_rate.pct", "accesses to L2 that hit, %"),
    Metric("l1_hit", "l1tex__t_sector_hit_rate.pct", "accesses to L1 that hit, %"),
    Metric("achieved_occupancy", f"sm__warps_active.{_ACTIVE}", "warps resident on a multiprocessor, % of the most"),
    Metric("waves", "launch__waves_per_multiprocessor", "how often the grid fills the GPU"),
    Metric("issue_active", f"smsp__issue_active.{_ACTIVE}", "cycles in which an instruction is issued, %"),
    Metric("tensor_pipe", f"sm__pipe_tensor_cycles_active.{_ACTIVE}", "tensor cores, % of their peak"),
    Metric("fma_pipe", f"sm__pipe_fma_cycles_active.{_ACTIVE}", "FP32 units, % of their peak"),
    Metric("special_pipe", f"sm__inst_executed_pipe_xu.{_ACTIVE}", "units for exp and conversions, % of their peak"),
    Metric(
        "sectors_per_load",
        "l1tex__average_t_sectors_per_request_pipe_lsu_mem_global_op_ld.ratio",
        "32-byte sectors that a warp's global load touches (4 is right for 32-bit loads, 16 for 128-bit ones)",
    ),
    Metric(
        "sectors_per_store",
        "l1tex__average_t_sectors_per_request_pipe_lsu_mem_global_op_st.ratio",
        "the same for stores",
    ),
    Metric(
        "shared_load_conflicts",
        "l1tex__data_bank_conflicts_pipe_lsu_mem_shared_op_ld.sum",
        "bank conflicts of shared memory loads",
    ),
    Metric(
        "shared_store_conflicts",
        "l1tex__data_bank_conflicts_pipe_lsu_mem_shared_op_st.sum",
        "bank conflicts of shared memory stores",
    ),
    Metric("local_load_bytes", "l1tex__t_bytes_pipe_lsu_mem_local_op_ld.sum", "spilled registers read back, bytes"),
    Metric("local_store_bytes", "l1tex__t_bytes_pipe_lsu_mem_local_op_st.sum", "registers spilled, bytes"),
    Metric("stall_memory", _STALLED.format("long_scoreboard"), "warps waiting for L2 or device memory, per issue"),
    Metric("stall_shared", _STALLED.format("short_scoreboard"), "warps waiting for shared memory or special units"),
    Metric("stall_barrier", _STALLED.format("barrier"), "warps waiting for their block"),
    Metric("stall_math", _STALLED.format("math_pipe_throttle"), "warps waiting for a busy arithmetic unit"),
    Metric("stall_memory_queue", _STALLED.format("lg_throttle"), "warps waiting to ask for global or local memory"),
)
"""Few on purpose: each says something that a person or a model can act on."""


def find_ncu() -> str | None:
    """On the PATH, in CUDA_HOME, or where NVIDIA's installers put it, the newest first."""
    homes = [os.environ[name] for name in ("CUDA_HOME", "CUDA_PATH") if os.environ.get(name)]
    places = [shutil.which("ncu"), *(str(Path(home, "bin", "ncu")) for home in homes)]
    places += ["/usr/local/cuda/bin/ncu", *sorted(glob.glob("/opt/nvidia/nsight-compute/*/ncu"), reverse=True)]
    return next((place for place in places if place and os.access(place, os.X_OK)), None)


def read(
    candidate: Candidate, problem: Problem, visible: str = "", timeout_s: float = TIMEOUT_S
) -> tuple[Sequence[KernelRun], str]:
    """The kernels of one forward at the problem's first workload with their counters, or why there are none.

    `visible` names the GPU as CUDA_VISIBLE_DEVICES does. Metrics that this GPU doesn't have are left out.
    """
    ncu = find_ncu()
    if ncu is None:
        return (), "ncu (Nsight Compute) is not installed here; it comes with the CUDA toolkit"
    metrics = [metric.ncu for metric in METRICS]
    with tempfile.TemporaryDirectory(prefix="tilewright-ncu-") as folder:
        request = {"candidate": jsonform.to_plain(candidate), "problem": jsonform.to_plain(problem)}
        Path(folder, _REQUEST).write_text(json.dumps(request), encoding="utf-8")
        for _ in range(_MOST_TRIES):
            log, said, finished = _profiled(ncu, metrics, Path(folder), visible, timeout_s)
            unknown = unknown_metrics(log)
            if not finished or unknown.isdisjoint(metrics):
                break
            metrics = [metric for metric in metrics if metric not in unknown]
    if not finished:
        return (), f"ncu did not end within {timeout_s:.0f} s"
    kernels = parsed(log)
    return kernels, "" if kernels else why_none(log, said)


def parsed(text: str) -> Sequence[KernelRun]:
    """Kernels from the CSV of ncu, its `raw` page (a column a metric) or its `details` page (a row a metric).

    Launches of one name are one kernel, with the counters of the longest of them. Longest kernels first; values that
    are no numbers ("n/a") are left out. `own` is not known here.
    """
    launches = [(name, _named(values)) for name, values in _launches(text)]
    grouped: dict[str, list[dict[str, float]]] = {}
    for name, values in launches:
        grouped.setdefault(name[:_MOST_NAME], []).append(values)
    kernels = []
    for name, all_values in grouped.items():
        times = [values.get("duration_ns", 0.0) for values in all_values]
        longest = all_values[times.index(max(times))]
        kernels.append(KernelRun(name, float(len(all_values)), sum(times) / 1e6, False, tuple(longest.items())))
    return sorted(kernels, key=lambda kernel: -kernel.device_ms)


def unknown_metrics(log: str) -> set[str]:
    """Of the metrics that were asked for those that ncu says this GPU does not have."""
    errors = " ".join(line for line in log.splitlines() if line.startswith("==ERROR==") and "metric" in line)
    named = set(re.findall(r"[\w.]+", errors))
    return {metric.ncu for metric in METRICS if metric.ncu in named or metric.ncu.split(".")[0] in named}


def why_none(log: str, said: str) -> str:
    """From what ncu logged, or else from the last words of the program that it ran."""
    if "ERR_NVGPUCTRPERM" in log + said:
        return (
            "this user may not read hardware counters (ERR_NVGPUCTRPERM). Root may, or whoever the administrator "
            "lets: https://developer.nvidia.com/ERR_NVGPUCTRPERM"
        )
    errors = [line.removeprefix("==ERROR==").strip() for line in log.splitlines() if line.startswith("==ERROR==")]
    last = [line for line in said.splitlines() if line.strip()][-1:]
    words = (last if said.strip() else errors[:1]) or ["no kernel ran"]
    return f"ncu saw no kernel: {words[0][:300]}"


_REQUEST = "request.json"


def _profiled(
    ncu: str, metrics: Sequence[str], folder: Path, visible: str, timeout_s: float
) -> tuple[str, str, bool]:
    """(what ncu logged, what the program wrote to standard error, whether it ended in time)."""
    log = folder / "ncu.csv"
    log.unlink(missing_ok=True)
    command = [
        ncu, "--csv", "--page", "raw", "--print-units", "base", "--log-file", str(log),
        "--target-processes", "all", "--profile-from-start", "off", "--clock-control", "none",
        "--metrics", ",".join(metrics),
        sys.executable, "-m", "tilewright.worker.timing.counters", str(folder),
    ]  # fmt: skip
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        errors="replace",
        cwd=folder,
        env=_environment(os.environ, folder, visible),
        start_new_session=True,
    )
    finished = True
    try:
        _, said = process.communicate(timeout=timeout_s)
    except subprocess.TimeoutExpired:
        finished = False
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        _, said = process.communicate()
    return log.read_text(encoding="utf-8", errors="replace") if log.exists() else "", said, finished


def _environment(source: Mapping[str, str], folder: Path, visible: str) -> dict[str, str]:
    """Keys stay here; TileLang's cache is thrown away. The lock on the GPU lies in the common TMPDIR."""
    from tilewright.worker.isolation import sandbox

    folders = sandbox.Folders(folder / "runner", folder / "cache")
    for path in (folders.home, folders.cache):
        path.mkdir(parents=True, exist_ok=True)
    found = [str(_PACKAGE_ROOT), *filter(None, source.get("PYTHONPATH", "").split(os.pathsep))]
    return {
        **sandbox.runner_environment(source, folders, 1),
        **({"CUDA_VISIBLE_DEVICES": visible} if visible else {}),
        "PYTHONPATH": os.pathsep.join(dict.fromkeys(found)),
        "TMPDIR": tempfile.gettempdir(),
    }


def _launches(text: str) -> Iterable[tuple[str, dict[str, str]]]:
    """Name and ncu's values of each profiled launch, in order."""
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("==")]
    start = next((i for i, line in enumerate(lines) if "Kernel Name" in line), len(lines))
    by_launch: dict[tuple[str, str], tuple[str, dict[str, str]]] = {}
    for number, row in enumerate(csv.DictReader(lines[start:])):
        if not row.get("ID"):  # the row of units below the header
            continue
        if "Metric Name" not in row:
            by_launch[str(number), ""] = (row["Kernel Name"], {key: value or "" for key, value in row.items() if key})
            continue
        key = (row["ID"], row.get("Process ID") or "")
        _, values = by_launch.setdefault(key, (row["Kernel Name"], {}))
        values[row["Metric Name"]] = row["Metric Value"]
    return by_launch.values()


def _named(values: Mapping[str, str]) -> dict[str, float]:
    named = {}
    for metric in METRICS:
        with contextlib.suppress(ValueError):
            named[metric.name] = float(values.get(metric.ncu, "").replace(",", ""))
    return named


def _drive(folder: Path) -> None:
    """What ncu watches: the candidate is built, called twice, and once more with the profiler on."""
    import torch  # here alone: whoever reads counters need not import it

    from tilewright.worker.processes.nursery import Deadline
    from tilewright.worker.running import building
    from tilewright.worker.timing import turns
    from tilewright.worker.verifying import inputs

    plain = json.loads((folder / _REQUEST).read_text(encoding="utf-8"))
    candidate = jsonform.from_plain(Candidate, plain["candidate"])
    problem = jsonform.from_plain(Problem, plain["problem"])
    torch.set_grad_enabled(False)
    with turns.alone("cuda", Deadline(TIMEOUT_S), "counting"):
        reference = inputs.load(problem, problem.workloads[0], "cuda", folder / "reference")
        support = [[file.path, file.text] for file in candidate.support]
        module = building.loaded("kernel", candidate.source, support, folder / "kernel")
        entry = building.entry_point(module, candidate.entry_point)
        seed = inputs.secret_seed()
        if candidate.form == "function":
            torch.set_default_dtype(reference.dtype)
            forward = building.resolved_function(entry)
        else:
            forward = building.constructed(entry, reference.init, seed, reference.dtype, "cuda")
        forward = building.with_plain(forward, reference.plain_inputs)
        given = reference.inputs(seed)
        for _ in range(2):
            forward(*given)
        torch.cuda.synchronize()
        torch.cuda.cudart().cudaProfilerStart()
        forward(*given)
        torch.cuda.synchronize()
        torch.cuda.cudart().cudaProfilerStop()


if __name__ == "__main__":
    _drive(Path(sys.argv[1]))
