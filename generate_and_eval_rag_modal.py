#!/usr/bin/env python3
"""Write a first kernel: generate_and_eval_rag_modal.py --level 2 --problem_id 10, or level=2 problem_id=10"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent / "src"))
try:
    from tilewright.cli import main
    from tilewright.cli.options import with_dashes
except ModuleNotFoundError as error:
    print(f"{error.name} is missing. Run: make setup, then .venv/bin/python {sys.argv[0]} ...", file=sys.stderr)
    sys.exit(2)
if __name__ == "__main__":
    main(["generate", *with_dashes(sys.argv[1:])])
