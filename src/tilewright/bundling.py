"""What goes into a bug report about a run? Its kernel, settings, errors, history and versions, and no key."""

from __future__ import annotations

import json
import platform
import re
import zipfile
from collections.abc import Iterator, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from tilewright import __version__
from tilewright.analysis.limit import fields_of
from tilewright.lm.keys import without_keys
from tilewright.records import Interaction, Run, SupportFile
from tilewright.report import words
from tilewright.report.history import history
from tilewright.scores import best

PACKAGES = ("torch", "tilelang", "apache-tvm-ffi", "dspy", "litellm", "modal", "ray", "mcp", "click", "rich")
_PASSWORD = re.compile(r"(?<=://)[^/@\s\"']+@")
"""In an address: `https://name:password@host`."""
_README = """\
What `tilewright bundle` packed about run {run}. Look through it before you share it: keys and the path of your home
were taken out; your kernel and its reference are in it as they are.

run.json        settings, where it was judged, why it ended
errors.txt      what went wrong, of the run and of each attempt
kernel.py       the kernel that the run began with; best.py is the best one
reference.py    what it is judged against
candidates/     every candidate, by attempt and outcome
history.json    every attempt with its whole evaluation
exchanges.json  what a language model was asked and answered, where there was one
versions.json   of tilewright, Python and the packages, on the machine that packed it
"""


def write_bundle(run: Run, interactions: Sequence[Interaction], path: Path, secrets: Sequence[str] = ()) -> list[str]:
    """Write the zip, over an older one; the names in it. No text in it holds one of `secrets` or what looks like one.

    `OSError` where it can't be written.
    """
    names = []
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as bundle:
        for name, text in _files(run, interactions):
            bundle.writestr(name, told(text, secrets))
            names.append(name)
    return names


def told(text: str, secrets: Sequence[str] = ()) -> str:
    """A text as it may be shared: without keys, passwords in addresses, and the path of the home folder."""
    home = str(Path.home())
    shared = _PASSWORD.sub("[removed]@", without_keys(text, secrets))
    return shared.replace(home, "~") if len(home) > 1 else shared


def _files(run: Run, interactions: Sequence[Interaction]) -> Iterator[tuple[str, str]]:
    yield "README.txt", _README.format(run=run.id)
    yield "run.json", _json(_run(run))
    yield "errors.txt", "\n".join(_errors(run)) + "\n"
    if run.attempts:
        seed = run.attempts[0].candidate
        yield "kernel.py", seed.source
        yield from _support("kernel", seed.support)
    holder = best(run)
    if holder is not None:
        yield "best.py", holder.candidate.source
    yield "reference.py", run.problem.source
    yield from _support("reference", run.problem.support)
    for attempt in run.attempts:
        outcome = attempt.evaluation.outcome if attempt.evaluation else "abandoned"
        yield f"candidates/{attempt.index:03}_{outcome}.py", attempt.candidate.source
    yield "history.json", _json(history(run, fields_of))
    if interactions:
        yield "exchanges.json", _json([_exchange(one) for one in interactions])
    yield "versions.json", _json(_versions())


def _support(of: str, modules: Sequence[SupportFile]) -> Iterator[tuple[str, str]]:
    for module in modules:
        yield f"support/{of}/{module.path}", module.text


def _run(run: Run) -> dict[str, Any]:
    return {
        "run": run.id,
        "kernel": run.kernel_path,
        "problem": run.problem.name,
        "precision": run.problem.precision,
        "workloads": [workload.name for workload in run.problem.workloads],
        "evaluator": run.evaluator,
        "gpu": run.gpu,
        "baselines": [baseline.name for baseline in run.baselines],
        "started": run.started,
        "seconds": run.seconds,
        "attempts": len(run.attempts),
        "stop_reason": run.stop_reason,
        "stop_detail": run.stop_detail,
        "notes": list(run.notes),
        "settings": {name: json.loads(value) for name, value in run.settings},
    }


def _errors(run: Run) -> Iterator[str]:
    yield f"the run ended: {run.stop_reason or 'not yet'}: {run.stop_detail}"
    for attempt in run.attempts:
        outcome = attempt.evaluation.outcome if attempt.evaluation else "abandoned"
        if outcome not in ("measured", "estimated", "verified"):
            yield f"#{attempt.index} {outcome}: {words.attempted(attempt)}"


def _exchange(one: Interaction) -> dict[str, Any]:
    return {
        "purpose": one.purpose,
        "model": one.model,
        "when": one.when,
        "messages": [{"role": message.role, "text": message.text} for message in one.messages],
        "answer": one.answer,
        "finish": one.finish,
        "error": one.error,
    }


def _versions() -> dict[str, str | None]:
    def version(name: str) -> str | None:
        try:
            return metadata.version(name)
        except metadata.PackageNotFoundError:
            return None

    found = {name: version(name) for name in PACKAGES}
    return {"tilewright": __version__, "python": platform.python_version(), "system": platform.platform(), **found}


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, indent=1, default=str)
