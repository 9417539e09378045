"""Are the adversarial samples caught, each by the check that must catch it?

Every sample goes through the static gate and, whatever that says, through the verifier. Samples that need a GPU are
left out here.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from pathlib import Path

import pytest
from toys import candidate, evaluated

from tilewright import jsonform
from tilewright.channel import WorkerHost
from tilewright.gates.static import StaticGate
from tilewright.protocols import Verdict
from tilewright.records import Candidate, Evaluation, Evidence, Job, Measured, Problem, Rejected, Unscorable, Verified
from tilewright.records.tasks import Precision
from tilewright.worker import ownership

FOLDER = Path(__file__).parents[2] / "samples" / "evil"
_DEADLINE_S = {"evil_hang": 2.0}
_LARGEST_RATIO = 5.0
"""Two samples that are caught by the clock compute what the reference does: at this size noise stays under it."""


@dataclass(frozen=True)
class Sample:
    name: str
    source: str
    caught_by: str
    reference: str
    precision: Precision
    needs_cuda: bool

    @property
    def problem(self) -> Problem:
        source = (FOLDER / "references" / self.reference).read_text(encoding="utf-8")
        return Problem(self.reference.removesuffix(".py"), source, precision=self.precision)


def _sample(path: Path) -> Sample:
    source = path.read_text(encoding="utf-8")
    said = dict(re.findall(r"^([A-Z ]+): (.+)$", ast.get_docstring(ast.parse(source)) or "", re.MULTILINE))
    assert re.match(r"\d+ ", said["CLASS"]), path.name
    precision: Precision = "fp16" if said.get("PRECISION") == "fp16" else "fp32"
    return Sample(path.stem, source, said["CAUGHT BY"], said["REFERENCE"], precision, said.get("NEEDS") == "cuda")


SAMPLES = [_sample(path) for path in sorted(FOLDER.glob("evil_*.py"))]
RUN_HERE = [sample for sample in SAMPLES if not sample.needs_cuda]


@pytest.fixture(scope="module")
def evaluations(cpu_host: WorkerHost) -> dict[str, Evaluation]:
    """Of all samples that run on a CPU, several at a time."""
    futures = {}
    for sample in RUN_HERE:
        deadline = _DEADLINE_S.get(sample.name, 20.0)
        job = Job(Candidate(sample.source), sample.problem, effort="quick", deadline_s=deadline)
        futures[sample.name] = cpu_host.call("measure", {"job": jsonform.to_plain(job)}, deadline)
    return {name: jsonform.from_plain(Evaluation, f.result(300)["evaluation"]) for name, f in futures.items()}


def gated(sample: Sample) -> Verdict:
    return StaticGate().check(Candidate(sample.source), sample.problem, Evidence())


def _named(samples: list[Sample]) -> list[object]:
    return [pytest.param(sample, id=sample.name) for sample in samples]


@pytest.mark.parametrize("sample", _named([s for s in RUN_HERE if s.caught_by == "verifier"]))
def test_the_verifier_alone_refuses_what_is_its_to_catch(sample: Sample, evaluations: dict[str, Evaluation]) -> None:
    evaluation = evaluations[sample.name]
    assert not isinstance(evaluation, (Measured, Verified))
    assert isinstance(evaluation, Unscorable) == (sample.name == "evil_degenerate_task")


@pytest.mark.parametrize("sample", _named([s for s in SAMPLES if s.caught_by == "static"]))
def test_the_static_gate_refuses_visible_intent(sample: Sample) -> None:
    assert isinstance(gated(sample).failure, Rejected)


@pytest.mark.parametrize("sample", _named([s for s in RUN_HERE if s.caught_by == "timing"]))
def test_what_only_the_clock_can_catch_gains_nothing(sample: Sample, evaluations: dict[str, Evaluation]) -> None:
    evaluation = evaluations[sample.name]
    if isinstance(evaluation, Verified):
        assert (evaluation.cpu_ratio or 0.0) < _LARGEST_RATIO


@pytest.mark.parametrize("sample", _named([s for s in SAMPLES if s.caught_by == "policy"]))
def test_work_left_to_pytorch_is_named_or_refused(sample: Sample) -> None:
    verdict = gated(sample)
    assert isinstance(verdict.failure, Rejected) or verdict.evidence.warnings


@pytest.mark.parametrize("sample", _named([s for s in SAMPLES if s.caught_by == "policy"]))
def test_work_left_to_pytorch_is_refused_where_own_kernels_are_wanted(sample: Sample) -> None:
    job = Job(Candidate(sample.source), sample.problem, policy="own-kernels")
    assert isinstance(ownership.refused(job), Rejected)


def test_there_are_samples_for_most_of_the_catalogue() -> None:
    classes = {re.search(r"CLASS: (\d+)", sample.source).group(1) for sample in SAMPLES}  # type: ignore[union-attr]
    assert len(RUN_HERE) >= 60 and len(classes) >= 45


def test_no_call_can_be_told_by_its_tensors_to_repeat_an_earlier_one(cpu_host: WorkerHost) -> None:
    forward = """
seen = (id(x), x._version)
if seen in SEEN:
    raise RuntimeError("the tensors of an earlier call, as they were then")
SEEN.append(seen)
KEPT.append(x)
return y
"""
    assert isinstance(evaluated(cpu_host, candidate(forward, before="SEEN, KEPT = [], []")), Verified)
