"""Lets tests import the small records that several of them start from."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "unit"))
