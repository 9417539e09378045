"""When may the device begin?

A whole block of timed calls is enqueued on the candidate's stream behind a wait for a number in shared memory, while
its inputs don't exist yet. The verifier then writes the inputs, reads its clock and changes the number: what the
device does for these calls lies between that moment and the last output, by a clock that the candidate can't reach.
"""

from __future__ import annotations

from tilewright.worker.exchange import driver
from tilewright.worker.exchange.tray import Tray

SIZE = 4096


class Gate:
    """The verifier's end."""

    def __init__(self, tray: Tray) -> None:
        self._tray = tray
        self.next_round = 1

    def open(self) -> None:
        self._tray.put_number(self.next_round)
        self.next_round += 1


class Hold:
    """The runner's end."""

    def __init__(self, tray: Tray) -> None:
        self._tray = tray
        tray.pin()

    def until(self, number: int) -> None:
        """The current stream waits for that round; the host doesn't."""
        driver.wait_for(self._tray.address, number)
