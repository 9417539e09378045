#!/usr/bin/env python3
"""Optimise a kernel from Python: edit the lines at the end, or import this module."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent / "src"))
try:
    from tilewright.analysis.analyzer import PerformanceAnalyzer
    from tilewright.cli import run_config as main
    from tilewright.config import OptimizationConfig
    from tilewright.guidelines import create_optimization_guidelines
except ModuleNotFoundError as error:
    print(f"{error.name} is missing. Run: make setup, then .venv/bin/python {sys.argv[0]} ...", file=sys.stderr)
    sys.exit(2)

__all__ = ["OptimizationConfig", "PerformanceAnalyzer", "create_optimization_guidelines", "main"]

if __name__ == "__main__":
    config = OptimizationConfig()
    config.kernel_file = "level2/2_10.py"
    config.model = "none"
    # config.custom_analysis_prompt = "Look at the pooling loop."
    main(config)
