"""What does TileLang log while it works?

TileLang prints generated source and, for a kernel it can't parse, pages of rewritten Python to standard error. Inside
`listening` nothing is printed; what was said is kept, by thread, because compilations run side by side."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Iterator


class Heard(logging.Handler):
    """The messages of each thread, in order."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self._messages: dict[int | None, list[str]] = {}

    def emit(self, record: logging.LogRecord) -> None:
        self._messages.setdefault(record.thread, []).append(record.getMessage())

    def take(self) -> list[str]:
        """The messages of the calling thread since it last asked."""
        return self._messages.pop(threading.get_ident(), [])


@contextlib.contextmanager
def listening() -> Iterator[Heard]:
    """Keep what TileLang logs instead of printing it. Changes process-wide state while open."""
    logger = logging.getLogger("tilelang")
    handlers, level = logger.handlers[:], logger.level
    heard = Heard()
    logger.handlers = [heard]
    logger.setLevel(logging.INFO)
    try:
        yield heard
    finally:
        logger.handlers = handlers
        logger.setLevel(level)
