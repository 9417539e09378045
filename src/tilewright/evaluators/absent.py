"""A run that a GPU judges goes on where there is none, until a candidate needs it.

So a language model can be asked on one machine, by hand through files as well, and its kernels measured on another.
"""

from __future__ import annotations

from concurrent.futures import Future

from tilewright.errors import AwaitingGpu
from tilewright.records import Evaluation, Job


class AbsentEvaluator:
    """Raises `AwaitingGpu` for every job."""

    name = "absent"

    def submit(self, job: Job) -> Future[Evaluation]:
        raise AwaitingGpu("A candidate waits to be measured.")

    def close(self) -> None:
        """Nothing was started."""
