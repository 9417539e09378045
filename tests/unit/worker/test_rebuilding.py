"""Where parameters lie is nobody's merit: a confirmation constructs everything anew while it times."""

import pytest
from toys import PROBLEM, candidate

from tilewright import jsonform
from tilewright.channel import WorkerHost
from tilewright.records import Candidate, Effort, Evaluation, Job

CONSTRUCTED_BY_CHECKS = 4
COUNTED = f"BUILT, MOST = [], {CONSTRUCTED_BY_CHECKS}\n{candidate('return y').source}".replace(
    "super().__init__()",
    "super().__init__()\n        BUILT.append(self)\n        assert len(BUILT) <= MOST, 'once more'",
)


@pytest.mark.parametrize(("effort", "outcome"), [("full", "verified"), ("confirm", "crashed")])
def test_a_confirmed_candidate_is_constructed_anew_while_it_is_timed(
    cpu_host: WorkerHost, effort: Effort, outcome: str
) -> None:
    """Both efforts check alike, and on a CPU only a confirmation takes pairs enough for it."""
    job = Job(Candidate(COUNTED), PROBLEM, effort=effort, deadline_s=60)
    answer = cpu_host.call("measure", {"job": jsonform.to_plain(job)}, 60).result(120)
    evaluation = jsonform.from_plain(Evaluation, answer["evaluation"])
    assert evaluation.outcome == outcome, evaluation
