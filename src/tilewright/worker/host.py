"""What does the host process answer, and how are its requests kept apart?

The host is the verifier. It reads one JSON object a line (`id`, `op`, `payload`, `deadline_s`) and writes one a line:
`{"id", "started": true}` when it begins or its wait for the GPU is over, then `{"id", "answer"}` or, where the
machinery failed, `{"id", "error"}`. It never imports a candidate. Requests run side by side, up to `jobs`; when its
input ends, so does everything that it started.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import threading
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

import torch

from tilewright import jsonform
from tilewright.errors import RecordError, TilewrightError
from tilewright.records import Candidate, Crashed, Evaluation, Evidence, Job, Problem
from tilewright.worker import executing, measuring
from tilewright.worker.compiling import ANSWER_BYTES, inspection, may_hold_kernels
from tilewright.worker.exchange import wire
from tilewright.worker.isolation import sandbox
from tilewright.worker.measuring import Bench
from tilewright.worker.processes.nursery import Deadline, Ended, Nursery, was_killed
from tilewright.worker.timing import gpu, probe

Answer = dict[str, Any]


@dataclass
class Host:
    bench: Bench
    jobs: int
    ending: threading.Event = field(default_factory=threading.Event)
    """Set when nobody waits for answers any more."""

    def serve(self, requests: TextIO, replies: TextIO) -> None:
        """Answer until the input ends."""
        writing = threading.Lock()

        def reply(message: Answer) -> None:
            with writing:
                replies.write(json.dumps(message, allow_nan=False) + "\n")
                replies.flush()

        pool = ThreadPoolExecutor(self.jobs)
        try:
            for line in requests:
                pool.submit(self._answer, json.loads(line), reply)
        finally:
            self.ending.set()
            # Closing the nursery ends the runners, so that threads which wait for them come to an end.
            pool.shutdown(wait=False, cancel_futures=True)
            self.bench.nursery.close()

    def _answer(self, request: Answer, reply: Callable[[Answer], None]) -> None:
        number = request["id"]
        try:
            reply({"id": number, "started": True})
            operation = getattr(self, f"_do_{request['op']}")
            with torch.no_grad():  # belongs to the thread
                answer = operation(request["payload"], request["deadline_s"])
                if _was_killed(answer):  # once more: it may have been the wrong one
                    answer = operation(request["payload"], request["deadline_s"])
                reply({"id": number, "answer": answer})
        except TilewrightError as error:
            if self.ending.is_set():
                return
            if not self.bench.nursery.alive(settle_s=0.5):
                # Nothing can be run without a zygote. Whoever waits learns it from our end, and starts another host.
                sys.stderr.write(f"{error}\n")
                sys.stderr.flush()
                sandbox.sweep()
                os._exit(1)
            reply({"id": number, "error": f"{type(error).__name__}: {error}"})
        except Exception:  # the border of the process: a bug in here must reach whoever asked, not end the host
            if self.ending.is_set():
                return
            reply({"id": number, "error": traceback.format_exc(limit=-6)})

    def _do_describe(self, payload: Answer, deadline_s: float) -> Answer:
        device = gpu.device_name()
        return {
            "device": device,
            "gpu": gpu.short_name(device),
            "arch": gpu.architecture(),
            "cuda": bool(device),
            "versions": dict(gpu.versions()),
            "properties": gpu.properties(),
            "jobs": self.jobs,
            "isolation": self.bench.nursery.rung,
        }

    def _do_probe(self, payload: Answer, deadline_s: float) -> Answer:
        found, why_not = probe.ceilings(Deadline(deadline_s))
        return {"ceilings": jsonform.to_plain(found), "why_not": why_not}

    def _do_inspect(self, payload: Answer, deadline_s: float) -> Answer:
        candidate = jsonform.from_plain(Candidate, payload["candidate"])
        deadline = Deadline(deadline_s)
        kept = self.bench.device == "cuda"
        wanted = payload.get("instructions", True)
        request = inspection(payload["candidate"], payload["problem"], payload["gpu"], deadline, kept, wanted)
        try:
            with self.bench.candidate_runner(candidate, deadline) as runner:
                header = runner.ask(request, deadline, ANSWER_BYTES)
            if kept:
                self.bench.compiler.has_compiled(candidate)
        except Ended as ended:
            return _found(Evidence(), ended.failure)
        try:
            evidence = jsonform.from_plain(Evidence, header.get("evidence"))
            plain = header.get("failure")
            failure = None if plain is None else jsonform.from_plain(Evaluation, plain)
        except RecordError as error:
            return _found(Evidence(), Crashed(f"wrote to the evaluator's channel: {wire.printable(error, 200)}"))
        return _found(evidence, failure)

    def _do_execute(self, payload: Answer, deadline_s: float) -> Answer:
        candidate = jsonform.from_plain(Candidate, payload["candidate"])
        problem = jsonform.from_plain(Problem, payload["problem"])
        evidence, failure = executing.execute(self.bench, candidate, problem, float(payload["budget_s"]))
        return _found(evidence, failure)

    def _do_measure(self, payload: Answer, deadline_s: float) -> Answer:
        job = jsonform.from_plain(Job, payload["job"])
        if self.bench.device == "cpu" and may_hold_kernels(job.candidate):
            evaluation = executing.verified(self.bench, job)
        else:
            evaluation = measuring.measure(self.bench, job)
        return {"evaluation": jsonform.to_plain(evaluation)}


def serve(device: str, jobs: int, scratch: Path) -> None:
    """The host's life on its standard streams. What a library prints goes to standard error."""
    requests = os.fdopen(os.dup(0), encoding="utf-8")
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    sys.dont_write_bytecode = True
    sandbox.adopt_orphans()
    torch.set_grad_enabled(False)
    if device == "cpu":
        torch.set_num_threads(1)
    bench = Bench(Nursery(scratch, device_trays=device == "cuda"), device, scratch)
    Host(bench, jobs).serve(requests, replies)
    sandbox.sweep()
    shutil.rmtree(scratch, ignore_errors=True)  # a thread may have made a folder there after it was removed
    os._exit(0)  # threads that wait for a driver must not keep the process


def _was_killed(answer: Answer) -> bool:
    failure = answer.get("evaluation", answer.get("failure"))
    return failure is not None and was_killed(jsonform.from_plain(Evaluation, failure))


def _found(evidence: Evidence, failure: object) -> Answer:
    return {"evidence": jsonform.to_plain(evidence), "failure": jsonform.to_plain(failure)}
