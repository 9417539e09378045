"""Every exception that tilewright raises.

TilewrightError                      anything below; its text says what to do next
├── UsageError                       wrong use or a missing prerequisite: exit code 2
│   ├── KernelNotFound               "Could not find kernel file ..."
│   ├── KernelFileError              no Python, no ModelNew, ...
│   ├── ProblemError                 no such reference, or one that can't be read
│   ├── ConfigError                  a misspelt option, a value out of range
│   └── MissingDependency            an extra, a tool, a key or a GPU that isn't there
├── AwaitingAnswers                  prompts lie in a folder that nobody has answered yet: exit code 2
├── AwaitingGpu                      a run goes on where a candidate can be measured: exit code 2
└── MachineryError                   tilewright's own failure, never a candidate's: exit code 1
    ├── ModelError                   the language model's
    │   ├── ModelFailed              no usable answer to one question
    │   └── ModelUnavailable         no answer to any: no key, no credit, unknown model
    │       └── BudgetSpent          what may be spent on it is spent
    ├── WorkerError                  a worker process died or broke its protocol
    │   └── NoMachine                none can be had elsewhere: no network, a quota, a token that isn't known
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


class AwaitingGpu(TilewrightError):
    exit_code = 2


class AwaitingAnswers(TilewrightError):
    """`prompts` are the files whose answers are missing."""

    exit_code = 2

    def __init__(self, message: str, prompts: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.prompts = prompts


class MachineryError(TilewrightError):
    pass


class ModelError(MachineryError):
    pass


class ModelFailed(ModelError):
    pass


class ModelUnavailable(ModelError):
    pass


class BudgetSpent(ModelUnavailable):
    pass


class WorkerError(MachineryError):
    pass


class NoMachine(WorkerError):
    pass


class StoreError(MachineryError):
    pass


class StoreBusy(StoreError):
    pass


class RecordError(MachineryError):
    pass
