"""A small problem, and candidates for it."""

import os
import time

from tilewright import jsonform
from tilewright.channel import WorkerHost
from tilewright.records import Candidate, Evaluation, Job, Problem

REFERENCE = """
import torch
import torch.nn as nn

class Model(nn.Module):
    def __init__(self, features, width):
        super().__init__()
        self.linear = nn.Linear(features, width)

    def forward(self, x):
        return torch.relu(self.linear(x)) * 0.5

def get_inputs():
    return [torch.randn(64, 256)]

def get_init_inputs():
    return [256, 128]
"""

PROBLEM = Problem("Linear_ReLU_Scale", REFERENCE, precision="fp32")


def candidate(forward: str, before: str = "") -> Candidate:
    """ModelNew with that body of forward; `y` is the right answer."""
    body = "".join(f"        {line}\n" for line in forward.strip().splitlines())
    return Candidate(
        f"""
import torch
import torch.nn as nn
{before}

class ModelNew(nn.Module):
    def __init__(self, features, width):
        super().__init__()
        self.linear = nn.Linear(features, width)

    def forward(self, x):
        y = torch.relu(self.linear(x)) * 0.5
{body}"""
    )


def evaluated(host: WorkerHost, what: Candidate, problem: Problem = PROBLEM, deadline_s: float = 20.0) -> Evaluation:
    job = Job(what, problem, effort="quick", deadline_s=deadline_s)
    answer = host.call("measure", {"job": jsonform.to_plain(job)}, deadline_s).result(120)
    return jsonform.from_plain(Evaluation, answer["evaluation"])


def processes_in(folder: str, seconds: float = 5.0) -> list[int]:
    """Processes that work in that folder, which may be gone; some time is left for them to end."""
    end = time.monotonic() + seconds
    while True:
        found = [int(name) for name in os.listdir("/proc") if name.isdigit() and _works_in(name, folder)]
        if not found or time.monotonic() > end:
            return found
        time.sleep(0.05)


def _works_in(pid: str, folder: str) -> bool:
    try:
        return os.readlink(f"/proc/{pid}/cwd").startswith(folder)
    except OSError:
        return False
