"""A batch of runs whose candidates are judged by a stand-in: killable_batch.py FOLDER EVALUATOR

Begins the batch of the kernels in FOLDER, or goes on with it. No kernel is compiled or run; EVALUATOR (modal, ray) is
what the runs believe in. Each evaluation writes "EVALUATOR CANDIDATE EFFORT" to FOLDER/log when it is done.
"""

from __future__ import annotations

import json
import signal
import sys
from contextlib import closing
from pathlib import Path

from rich.console import Console

from stand_in_workers import StandIn, StandInWorkers
from tilewright.batching import book
from tilewright.batching.running import work_on
from tilewright.config import OptimizationConfig
from tilewright.report.batch.screen import BatchScreen


def main(folder: Path, evaluator: str) -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)  # whatever the parent made of it
    config = OptimizationConfig()
    config.results, config.reference = str(folder / "results"), str(folder / "reference.py")
    config.model, config.no_save, config.max_iterations, config.tune_budget = "none", True, 2, 4
    config.near_optimal, config.min_improvement = 0.0, 0.0
    kernels = [str(path) for path in sorted(folder.glob("kernel_*.py"))]
    batch = book.begun_before(folder / "results", book.new_batch([str(folder)], kernels, config))
    config.evaluator = evaluator
    workers = StandInWorkers(StandIn(evaluator, folder / "log"))
    with closing(workers):
        summary = work_on(batch, config, BatchScreen(Console(stderr=True), True), 2, workers)
    print(json.dumps({row.kernel: row.state for row in summary.rows}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
