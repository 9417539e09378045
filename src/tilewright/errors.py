"""Every exception that tilewright raises.

TilewrightError                      anything below; its text says what to do next
├── UsageError                       wrong use or a missing prerequisite: exit code 2
│   ├── KernelNotFound               "Could not find kernel file ..."
│   ├── KernelFileError              no Python, no ModelNew, ...
│   ├── ProblemError                 no such reference, or one that can't be read
│   ├── ConfigError                  a misspelt option, a value out of range
│   └── MissingDependency            an extra, a tool, a key or a GPU that isn't there
└── MachineryError                   tilewright's own failure, never a candidate's: exit code 1
    ├── WorkerError                  a worker process died or broke its protocol
    ├── StoreError                   the store can't be read or written
    │   └── StoreBusy                another run holds it
    └── RecordError                  JSON that is no such record
"""

from __future__ import annotations


class TilewrightError(Exception):
    """Anything tilewright raises on purpose."""

    exit_code = 1


class UsageError(TilewrightError):
    exit_code = 2


class KernelNotFound(UsageError):
    pass


class KernelFileError(UsageError):
    pass


class ProblemError(UsageError):
    pass


class ConfigError(UsageError):
    pass


class MissingDependency(UsageError):
    """`install` is the command that provides what is missing."""

    def __init__(self, message: str, install: str = "") -> None:
        super().__init__(f"{message} Run: {install}" if install else message)
        self.install = install


class MachineryError(TilewrightError):
    pass


class WorkerError(MachineryError):
    pass


class StoreError(MachineryError):
    pass


class StoreBusy(StoreError):
    pass


class RecordError(MachineryError):
    pass
