#!/usr/bin/env python3
"""Make a TileLang kernel faster: run_multiturn_optimization.py --kernel level2/2_10.py --model none"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent / "src"))
try:
    from tilewright.cli import main
except ModuleNotFoundError as error:
    print(f"{error.name} is missing. Run: make setup, then .venv/bin/python {sys.argv[0]} ...", file=sys.stderr)
    sys.exit(2)
if __name__ == "__main__":
    main(["optimize", *sys.argv[1:]])
