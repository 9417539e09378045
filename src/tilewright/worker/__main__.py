"""The command line of the host process: ``python -m tilewright.worker DEVICE JOBS SCRATCH``."""

from __future__ import annotations

import sys
from pathlib import Path

from tilewright.worker import host

if __name__ == "__main__":
    host.serve(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))
